"""Gives a run passages of the library: numbers them, and says what models read of them before the last message of the user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmos.library.passages import Passage
from mmos.library_events import AskedBy, PassagesFound
from mmos.prompting.budget import estimate
from mmos.prompting.templates import Templates
from mmos.scope import Scope

SHARE = 0.25
"""The part of a window that passages may take."""


@dataclass(frozen=True)
class Asked:
    """What was looked up, and for whom."""

    place: str
    """The lane whose prompts get the passages, or the id of a pattern."""
    query: str
    collection: str
    by: AskedBy = "task"
    call: str = ""


def record(scope: Scope, asked: Asked, passages: Iterable[Passage], queries: Sequence[str] = (), why: str = "") -> PassagesFound:
    """Record what was found. A passage that the run has already keeps its number."""
    known = {_key(one): one["number"] for one in scope.view.passages}
    count, rows = scope.conversation.passages, list[Mapping[str, Any]]()
    for passage in passages:
        row = {
            "collection": passage.collection, "source": passage.source, "start": passage.start, "end": passage.end,
            "text": passage.text, "title": passage.title, "path": passage.path, "score": round(passage.score, 4),
        }  # fmt: skip
        number = known.get(_key(row))
        if number is None:
            number = count = count + 1
        rows.append({"number": number, **row})
    found = PassagesFound(asked.place, asked.query, asked.collection, asked.by, asked.call, tuple(rows), tuple(queries), why)
    scope.record(found)
    return found


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["collection"], row["source"], row["start"], row["end"]


def line(scope: Scope, window: int, templates: Templates) -> str:
    """What stands before the last message of the user. Empty: the lane has no passages."""
    found = scope.view.passages.of_lane(scope.lane)
    if found is None:
        return ""
    if not found.passages:
        return templates.fill("passages_none", collection=found.collection)
    return templates.fill("passages", passages=written(fitting(found.passages, window), templates))


def fitting(passages: Sequence[Mapping[str, Any]], window: int) -> Sequence[Mapping[str, Any]]:
    """The first passages that fill no more than their part of a window."""
    room, some = window * SHARE, list[Mapping[str, Any]]()
    for passage in passages:
        room -= estimate(passage["text"])
        if room < 0 and some:
            break
        some.append(passage)
    return some


def written(passages: Iterable[Mapping[str, Any]], templates: Templates) -> str:
    return "\n\n".join(templates.fill("passage", number=str(one["number"]), source=place_of(one), text=one["text"]) for one in passages)


def place_of(passage: Mapping[str, Any]) -> str:
    """The source of a passage, with its span and its headings."""
    path = f" ({passage['path']})" if passage["path"] else ""
    return f"{passage['source']}:{passage['start']}-{passage['end']}{path}"
