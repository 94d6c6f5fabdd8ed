"""`mmos patterns tally`: votes on given answers. No model is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from mmos.cli.lines import STDIN, Form, answer_lines, lines_of
from mmos.cli.options import AnyPath
from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.voting.lines import How
    from mmos.voting.trust import Trust

WAYS: tuple[How, ...] = ("auto", "majority", "weighted", "ranked", "best")
HINT = 'Give it JSON lines, each {"kind": "choice", "question": "…", "answers": {MODEL: "…"}}: mmos patterns tally answers.jsonl'
FORM = Form(
    "",
    reads=frozenset({"kind", "group", "question", "answers", "truth", "tools"}),
    writes=frozenset({"answer", "vote", "asked", "from", "agreement", "voting", "abstained", "tie", "error"}),
)


@click.command()
@click.argument("file", required=False, type=AnyPath())
@click.option("--voting", type=click.Choice(WAYS), default="auto", show_default=True, help="How the answers are counted.")
@click.option(
    "--learn", type=AnyPath(), metavar="LABELLED", help="JSON lines with a `truth` each: how far each model is to be trusted, by group."
)
def tally(file: str | None, voting: How, learn: str | None) -> int:
    """Vote on answers that models gave to questions, and print one line of JSON for each question.

    FILE has JSON lines, each {"id", "kind", "group", "question", "answers": {MODEL: TEXT or CALLS}}. Without FILE, or with `-`, they come from
    stdin. `kind` is choice, number, label, yes_no, text, json or tool_calls. Without it, MMOS finds it out.

    \b
    auto      ask two, and others only while they disagree: the most trusted, and one of another family
    majority  count heads
    weighted  count what each model is trusted
    ranked    each answer is a ranking, from the best to the worst
    best      take the answer of the most trusted model

    \b
    mmos patterns tally answers.jsonl --voting auto --learn labelled.jsonl
    """
    from mmos.voting.lines import Poll, decided

    if learn == STDIN and file in (None, STDIN):
        raise click.UsageError("FILE and --learn cannot both be stdin. Name a file for one of them.")
    trust = _learned(learn)

    def answer(fields: Mapping[str, Any]) -> dict[str, Any]:
        try:
            poll = Poll.of(fields)
        except ValueError as error:
            raise UsageError(f"This line is no question with answers: {error}.") from None
        return decided(poll, voting, trust).as_line()

    with lines_of(file, HINT) as lines:
        return answer_lines(lines, FORM, answer)


def _learned(path: str | None) -> Trust:
    from mmos.voting.lines import learned
    from mmos.voting.trust import Trust

    return Trust() if path is None else learned(_rows(path))


def _rows(path: str) -> Iterator[Mapping[str, Any]]:
    """The lines of a file with the truth. A bad one is an error: what is learned from the others would be something else."""
    from mmos.voting.lines import Poll

    with lines_of(path, HINT) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
                Poll.of(row if isinstance(row, dict) else {})
            except ValueError as error:
                raise UsageError(f"{Path(path).name}:{number}: this line cannot be learned from: {error}.") from None
            yield row
