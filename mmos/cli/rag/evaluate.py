"""`mmos rag evaluate`: measures a collection on questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import orjson

from mmos.cli.lines import lines_of
from mmos.cli.options import AnyPath, Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.rag.embedding import library_with_hosts
from mmos.cli.rag.opening import collection_option, there
from mmos.cli.rag.progress import Progress
from mmos.cli.tables import table
from mmos.cli.text import harmless
from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.library.evaluating import Evaluated, Way
    from mmos.library.questions import Question

HINT = 'Give it JSON lines, each {"question", "source"} and perhaps "start" and "end", or "answer".'
USUAL = 200


@click.command()
@click.argument("questions", required=False, type=AnyPath(), metavar="[FILE]")
@collection_option
@click.option("--limit", type=click.IntRange(min=1), default=USUAL, show_default=True, metavar="N", help="The most questions.")
@click.option("--seed", type=int, default=0, metavar="N", help="Of the questions that are made, and of the statistics.")
@shared_options
def evaluate(options: Options, questions: str | None, collection: str, limit: int, seed: int) -> None:
    """Measure how well a collection answers questions, and what each part of the search is worth there. No model is asked, except for vectors.

    FILE has JSON lines: {"question", "source"}, where the right passage is, and perhaps its span "start" and "end", or an "answer" that it
    must have. Without FILE, questions are made from sentences of the collection. They are easier than those of people.

    \b
    mmos rag evaluate questions.jsonl -C notes
    mmos rag evaluate -C notes --json
    """
    given = _read(questions)[:limit] if questions else []
    run_to_end(lambda: _evaluate(options, collection, given, limit, seed))


def _read(file: str) -> list[Question]:
    """The questions of a file. All bad lines are told at once."""
    from mmos.library.questions import question_of

    found, bad = [], []
    with lines_of(file, HINT) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                fields = orjson.loads(line)
                if not isinstance(fields, dict):
                    raise UsageError("it is no JSON object")
                found.append(question_of(fields))
            except (orjson.JSONDecodeError, UsageError) as error:
                bad.append(f"line {number}: {error.message if isinstance(error, UsageError) else 'it is no JSON'}")
    if bad or not found:
        raise UsageError(f"{harmless(file)} cannot be used: {'; '.join(bad[:10]) or 'it has no question'}.", next_step=HINT)
    return found


async def _evaluate(options: Options, named: str, given: list[Question], limit: int, seed: int) -> None:
    from mmos.library.evaluating import evaluate as measure
    from mmos.library.questions import made

    async with library_with_hosts(options) as library:
        name, progress = there(options, library, named), Progress("question", "reading the collection")
        async with progress.alive():
            questions = given or made(await library.rows(name), limit, seed)
            if not questions:
                raise UsageError(f"{name} has no sentences to make questions of.", next_step=HINT)
            found = await measure(library, name, questions, made=not given, seed=seed, on_step=progress.at)
    if options.json:
        print_json(_document(found))
    else:
        _show(found)


def _show(found: Evaluated) -> None:
    table(("WAY", "@1", "@5", "@10", "MRR", "AT 5"), [_row(way) for way in found.ways])
    how = "made from its sentences, and so easier than those of people" if found.made else "of yours"
    click.echo(f"\n{found.questions} questions on {found.sources} sources, {how}. @5: a right passage is among the first five.")
    click.echo(f"{100 * found.passing:.0f} % of them reach a score of 0.7, the usual similarity_threshold.")
    if best := _best_weight(found):
        click.echo(f"Of the weights, {best} finds most. The collection uses its own; mmos rag search --weight tries others.")


def _row(way: Way) -> list[str]:
    told = ""
    if way.gain is not None:
        low, high = way.gain.by_document
        told = f"{100 * way.gain.mean:+.1f} points to {way.against} [{100 * low:+.1f}, {100 * high:+.1f}]: {way.verdict}"
    return [way.name, *(f"{100 * way.recall[cut]:.0f} %" for cut in (1, 5, 10)), f"{way.mrr:.2f}", told]


def _best_weight(found: Evaluated) -> str:
    return max(found.ways[1:], key=lambda way: way.mrr).name if len(found.ways) > 2 else ""


def _document(found: Evaluated) -> dict[str, Any]:
    return {
        "version": 1, "collection": found.collection, "questions": found.questions, "sources": found.sources, "made": found.made,
        "passing": round(found.passing, 4), "ways": [_way(way) for way in found.ways],
    }  # fmt: skip


def _way(way: Way) -> dict[str, Any]:
    gained = None
    if way.gain is not None:
        gained = {"against": way.against, "at_5": way.gain.mean, "interval": list(way.gain.by_document), "verdict": way.verdict}
    return {
        "name": way.name,
        "recall": {str(cut): round(one, 4) for cut, one in way.recall.items()},
        "mrr": round(way.mrr, 4),
        "gain": gained,
    }
