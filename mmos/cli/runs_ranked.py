"""`mmos runs search --ranked`: finds the passages of earlier runs that fit a question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import Options, run_to_end
from mmos.cli.output import print_json
from mmos.cli.tables import table
from mmos.cli.text import flat

if TYPE_CHECKING:
    from mmos.library.passages import Passage

SHOWN = 200
"""Characters of a passage in a table."""


def search_ranked(options: Options, text: str, limit: int) -> None:
    found = run_to_end(lambda: _search(options, text, limit))
    if options.json:
        print_json({"version": 1, "text": text, "results": [_as_json(one) for one in found]})
    elif not found:
        click.echo("No run has anything about this.", err=True)
    else:
        rows = ((_run(one), f"{one.score:.2f}", flat(one.title), flat(one.text)[:SHOWN]) for one in found)
        table(("RUN", "SCORE", "TASK", "TEXT"), rows, ("SCORE",))


async def _search(options: Options, text: str, limit: int) -> list[Passage]:
    from mmos.app.archive import Archive
    from mmos.library.passages import Query
    from mmos.messages import clean

    async with options.journal() as journal:
        return await Archive(journal, options.found_state()).search(Query(clean(text), limit))


def _run(passage: Passage) -> str:
    """The id of the run that a source is of: `run:ID` or `artifact:ID/NAME`."""
    return passage.source.partition(":")[2].partition("/")[0]


def _as_json(passage: Passage) -> dict[str, Any]:
    from mmos.app.archive import REHEARSED

    return {
        "run": _run(passage), "artifact": passage.source.partition("/")[2] or None, "source": passage.source, "start": passage.start, "end": passage.end,
        "text": passage.text, "score": round(passage.score, 4), "title": passage.title, "rehearsed": passage.language == REHEARSED,
    }  # fmt: skip
