"""Says which passages of the library a run looked up, and which sources its answer cites."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmos.cli.output import one_line
from mmos.cli.text import flat
from mmos.event import Event
from mmos.library_events import PassagesFound
from mmos.plurals import counted
from mmos.views.passages import cited_in, rows_of
from mmos.views.run import RunView

QUERY = 80
"""Characters of a question to the library."""
MOST = 6
"""Sources in one line."""


def seen(event: Event) -> str:
    """What somebody who watches a run reads of a look-up. Empty: the event is another one, or its call is shown."""
    if not isinstance(event, PassagesFound) or event.by == "call":
        return ""
    rows = [*rows_of(event)]
    if not rows:
        return f"library {flat(event.collection)}: nothing found"
    return f"library {flat(event.collection)}: {counted(len(rows), 'passage')} of {_names(rows)}"


def record(event: Event) -> str:
    """What the record of a run says of a look-up."""
    if not isinstance(event, PassagesFound):
        return ""
    found = counted(len(event.passages), "passage") if event.passages else "nothing"
    why = f": {one_line(event.why, QUERY)}" if event.why else ""
    return f"looked up in {flat(event.collection)}, {found} found{why}: {one_line(event.query, QUERY)}"


def details(event: Event) -> Iterator[str]:
    """A line for each passage that was found."""
    if isinstance(event, PassagesFound):
        for query in event.queries:
            yield f"also looked up: {one_line(query, QUERY)}"
        for row in rows_of(event):
            yield f"[{row['number']}] {place(row)}, score {row['score']:.2f}"


def place(row: Mapping[str, Any]) -> str:
    """The source of a passage with its span and its headings, short if it is below this folder."""
    path = f" ({one_line(row['path'], QUERY)})" if row.get("path") else ""
    return f"{short(row['source'])}:{row['start']}-{row['end']}{path}"


def short(source: str) -> str:
    """The name of a source. No file is opened or asked for."""
    folder = f"{Path.cwd()}{os.sep}"
    return flat(source.removeprefix(folder))


def cited(view: RunView) -> str:
    """The sources that the answer of a run cites, on one line. Empty: it had no passages, or cites none."""
    if not view.answer or not view.passages.found:
        return ""
    numbers = cited_in(view.answer) & view.passages.numbers
    rows = [one for one in view.passages if one["number"] in numbers]
    shown = [f"[{one['number']}] {short(one['source'])}:{one['start']}-{one['end']}" for one in rows[:MOST]]
    rest = f" and {len(rows) - MOST} more" if len(rows) > MOST else ""
    return f"{', '.join(shown)}{rest}"


def _names(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(short(row["source"]) for row in rows))
    rest = f" and {counted(len(names) - MOST, 'more source')}" if len(names) > MOST else ""
    return f"{', '.join(names[:MOST])}{rest}"
