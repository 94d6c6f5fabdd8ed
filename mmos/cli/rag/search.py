"""`mmos rag search`: finds passages in collections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.lines import Form, answer_each, jsonl_option, lines_of
from mmos.cli.moments import Moment
from mmos.cli.options import Options, options_of, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.rag.embedding import library_with_hosts
from mmos.cli.rag.opening import each_there
from mmos.cli.rag.passages import as_json, in_a_line, show_passages

if TYPE_CHECKING:
    from mmos.library.library import Library
    from mmos.library.passages import Filter, Passage

HINT = 'Give it JSON lines, each {"query": "…"}: mmos rag search --jsonl questions.jsonl'
FORM = Form("query", reads=frozenset({"query"}), writes=frozenset({"results", "error"}))
AT_ONCE = 4
"""So many lines are looked up at once."""

_where = options_of(
    click.option("--source", default="", metavar="GLOB", help="Only sources that fit, like '*/api.md'."),
    click.option("--path", default="", metavar="P", help="Only below headings, or in classes and functions, that have this text."),
    click.option("--language", default="", metavar="L", help="Only this kind: markdown, html, pdf, docx, text or a language like python."),
    click.option("--since", type=Moment(), metavar="T", help="Only sources that changed since then: a date, or how long ago, like 7d."),
    click.option("--until", type=Moment(end=True), metavar="T", help="Only sources that changed before then."),
)


@dataclass(frozen=True)
class Wanted:
    """What the command line says of a search."""

    top_k: int
    threshold: float
    weight: float | None
    where: Filter


@click.command()
@click.argument("text", required=False)
@click.option("-C", "--collection", "collections", multiple=True, metavar="C", help="The collection. Repeatable: the best passages of all. Default: rag.collection of the configuration.")  # fmt: skip
@click.option("--top-k", "-k", type=click.IntRange(1, 1000), default=5, show_default=True, metavar="N", help="The most passages.")
@_where
@click.option(
    "--threshold", type=click.FloatRange(0, 1), default=0.0, metavar="X", help="Find nothing if the best passage scores less. Default: 0."
)
@click.option("--weight", type=click.FloatRange(0, 10), metavar="X", help="How much vectors count beside words. 0: words alone. Default: that of the collection.")  # fmt: skip
@jsonl_option('Read JSON lines, each {"query": "…"}')
@shared_options
def search(options: Options, text: str | None, collections: tuple[str, ...], jsonl: str | None, **rest: Any) -> int:
    """Find passages that fit a question, the best first.

    Each comes with its source and its span: the characters of the source, counted from 0. No model is asked.

    \b
    mmos rag search "How long may a host take?" -C notes
    mmos rag search "retry after 503" --source '*.md' --since 30d
    mmos rag search -C notes --top-k 10 --jsonl questions.jsonl > found.jsonl
    """
    from mmos.library.passages import Filter

    if (text is None) == (jsonl is None):
        raise click.UsageError("Give the text to find, or --jsonl for many texts.")
    top_k, threshold, weight = rest.pop("top_k"), rest.pop("threshold"), rest.pop("weight")
    wanted = Wanted(top_k, threshold, weight, Filter(**rest))
    if jsonl is not None:
        return run_to_end(lambda: _search_lines(options, collections, wanted, jsonl))
    return run_to_end(lambda: _search(options, collections, wanted, text or ""))


async def _search(options: Options, named: Sequence[str], wanted: Wanted, text: str) -> int:
    async with library_with_hosts(options) as library:
        names = each_there(options, library, named)
        found = await _find(library, names, wanted, text)
    if options.json:
        print_json({"version": 1, "query": text, "collections": names, "results": list(map(as_json, found))})
    elif found:
        show_passages(found, text, whole=bool(options.verbose), several=len(names) > 1)
    else:
        click.echo("Nothing fits.", err=True)
    return 0


async def _search_lines(options: Options, named: Sequence[str], wanted: Wanted, file: str) -> int:
    """Answer each line. The collections stay open."""
    async with library_with_hosts(options) as library:
        names = each_there(options, library, named)

        async def answer(fields: Mapping[str, Any]) -> dict[str, Any]:
            return {"results": list(map(in_a_line, await _find(library, names, wanted, fields["query"])))}

        with lines_of(file, HINT) as lines:
            return await answer_each(lines, FORM, answer, AT_ONCE)


async def _find(library: Library, names: Sequence[str], wanted: Wanted, text: str) -> list[Passage]:
    from mmos.library.passages import Query

    query = Query(text, wanted.top_k, wanted.threshold, wanted.where, weight=wanted.weight)
    found = [passage for name in names for passage in await library.search(name, query)]
    return sorted(found, key=lambda one: -one.score)[: wanted.top_k]
