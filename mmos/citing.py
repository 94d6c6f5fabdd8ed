"""Gives a run passages of the library: numbers them, says what models read of them, and what an answer cites that nobody gave."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from mmos.fences import one_line, visible
from mmos.library.passages import Passage
from mmos.library_events import AskedBy, PassagesFound, PassagesLeftOut
from mmos.prompting.budget import estimate
from mmos.prompting.templates import Templates
from mmos.scope import Scope
from mmos.views.passages import cited_in

SHARE = 0.25
"""The part of a window that passages may take. The best one may take more, if the prompt then fits."""
SHOWN = 300
"""Characters of the name of a source, and of its headings. They are words of the document, and stand before its text."""
LIKELY = 1_000
"""A higher number in brackets is more likely a year than a citation."""


@dataclass(frozen=True)
class Asked:
    """What was looked up, and for whom."""

    place: str
    """The lane whose prompts get the passages, or the id of a pattern."""
    query: str
    collection: str
    by: AskedBy = "task"
    call: str = ""


def record(
    scope: Scope, asked: Asked, passages: Iterable[Passage], queries: Sequence[str] = (), why: str = "", seconds: float = 0.0
) -> PassagesFound:
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
    found = PassagesFound(
        asked.place, asked.query, asked.collection, asked.by, asked.call, tuple(rows), tuple(queries), why, max(0.0, seconds)
    )
    scope.record(found)
    return found


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["collection"], row["source"], row["start"], row["end"]


# ---------------------------------------------------------------- what models read


def line(scope: Scope, window: int, templates: Templates, most: int | None = None) -> str:
    """What stands before the last message of the user. Empty: the lane has no passages. `most`: the most passages."""
    found = scope.view.passages.of_lane(scope.lane)
    if found is None or found.why:
        return ""
    if not found.passages:
        return templates.fill("passages_none", collection=found.collection)
    some = given(scope, window)[:most]
    return templates.fill("passages", passages=written(some, templates)) if some else ""


def given(scope: Scope, window: int) -> Sequence[Mapping[str, Any]]:
    """The passages that the prompts of a lane have."""
    found = scope.view.passages.of_lane(scope.lane)
    return () if found is None else fitting(found.passages[: scope.view.passages.limits.get(scope.lane)], window)


def give(scope: Scope, count: int) -> None:
    """Record that the prompts of a lane have only so many passages, unless that is known."""
    found = scope.view.passages.of_lane(scope.lane)
    if found is not None and count < min(len(found.passages), scope.view.passages.limits.get(scope.lane, count + 1)):
        scope.record(PassagesLeftOut(scope.lane, scope.role, count, len(found.passages)))


def fitting(passages: Sequence[Mapping[str, Any]], window: int) -> Sequence[Mapping[str, Any]]:
    """The first passages that fill no more than their part of a window, and the best one in any case."""
    room, some = window * SHARE, list[Mapping[str, Any]]()
    for passage in passages:
        room -= estimate(passage["text"]) + estimate(place_of(passage))
        if room < 0 and some:
            break
        some.append(passage)
    return some


def written(passages: Iterable[Mapping[str, Any]], templates: Templates) -> str:
    return "\n\n".join(templates.fill("passage", number=str(one["number"]), source=place_of(one), text=one["text"]) for one in passages)


def place_of(passage: Mapping[str, Any]) -> str:
    """The source of a passage, with its span and its headings, on one line."""
    path = f" ({_short(passage['path'])})" if passage["path"] else ""
    return f"{_short(passage['source'])}:{passage['start']}-{passage['end']}{path}"


def _short(text: str) -> str:
    text = one_line(visible(text))
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


# ---------------------------------------------------------------- what an answer cites


def check(scope: Scope, answer: str) -> None:
    """Warn of citations of passages that no model was given. Earlier runs of the thread may have given some."""
    numbers = numbers_of(scope)
    unknown = sorted(number for number in cited_in(answer) - numbers if 0 < number < LIKELY)
    if unknown:
        cited = _listed([f"[{number}]" for number in unknown])
        scope.warn(f"The answer cites {cited}, but {_in_words(numbers)} given.")


def numbers_of(scope: Scope) -> frozenset[int]:
    """The numbers of the passages that an answer may cite. Earlier runs of the thread may have given some."""
    own = {passage["number"] for passage in scope.view.passages}
    return frozenset(scope.view.passages.numbers | (set(range(1, scope.conversation.passages + 1)) - own))


def _in_words(numbers: Collection[int]) -> str:
    """Which passages there are: `only passages 1 to 5 were`."""
    if not numbers:
        return "no passage was"
    ranges = list[str]()
    for _, group in groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0]):
        first, *rest = [number for _, number in group]
        ranges += [f"{first} to {rest[-1]}"] if len(rest) > 1 else map(str, (first, *rest))
    return f"only passages {_listed(ranges)} were" if len(numbers) > 1 else f"only passage {ranges[0]} was"


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
