"""Builds what a run shows of the library: which passages it was given, and which its answer cites."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from mmos.event import Event
from mmos.library_events import PassagesFound, PassagesLeftOut
from mmos.views.patterns import PATTERN

MOST = 9_999
"""The highest number that a text can cite."""
_TEXTS = ("collection", "source", "text", "title", "path", "language")
_CODE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]*`", re.DOTALL)
_ONE = r"(?:(?:passages?|sources?)\s*)?\d{1,4}(?:\s*[-–,;]\s*\d{1,4})*"
_CITED = re.compile(rf"(?<![\w\])])((?:\[{_ONE}\])+)(?!\(|:\s*<?https?:)", re.IGNORECASE)
"""[2], [1, 3], [1-3], [1][2] and [passage 2], but not a[1], [text][1] and [1](address)."""
_RANGE = re.compile(r"(\d+)\s*[-–]\s*(\d+)")
_CITING = re.compile(r"source|citation|cite|passage|reference", re.IGNORECASE)
"""The name of a key of a JSON answer whose numbers are citations."""


@dataclass
class GivenPassages:
    """The passages of a run, in the order in which they were found."""

    found: list[PassagesFound] = field(default_factory=list)
    by_place: dict[str, PassagesFound] = field(default_factory=dict)
    """For each lane and each pattern, what its prompts have. Not what a call found."""
    limits: dict[str, int] = field(default_factory=dict)
    """For each lane whose window has no room for all of them, how many its prompts have."""

    def apply(self, event: Event) -> None:
        if isinstance(event, PassagesFound):
            event = replace(event, passages=tuple(rows_of(event)))
            self.found.append(event)
            if event.by != "call":
                self.by_place[event.place] = event
        elif isinstance(event, PassagesLeftOut):
            self.limits[event.lane] = event.given

    def of_lane(self, lane: str) -> PassagesFound | None:
        """What the prompts of a lane have: its own passages, those of the pattern that stands for its model, or those of a pattern whose member it is."""
        if not self.by_place:
            return None
        if lane in self.by_place:
            return self.by_place[lane]
        if advising := self.by_place.get(f"{lane}/{PATTERN}"):
            return advising
        pattern = lane.rpartition("/")[0]
        above, _, call = pattern.rpartition("/")
        return self.by_place.get(pattern) or (self.of_lane(above) if call == PATTERN else None)

    def of_pattern(self, pattern: str) -> dict[str, Any] | None:
        """What the members of a pattern read, for the result document."""
        found = self.of_lane(f"{pattern}/")
        return None if found is None else {"collection": found.collection, "passages": len(found.passages)}

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Every passage that was found, once, by its number."""
        known: dict[int, Mapping[str, Any]] = {}
        for event in self.found:
            for passage in event.passages:
                known.setdefault(passage["number"], passage)
        return iter(known.values())

    @property
    def numbers(self) -> set[int]:
        """The numbers of those that a model was given. A lane may have no room for all that were found for it."""
        return {
            passage["number"]
            for event in self.found
            for passage in (event.passages if event.by == "call" else event.passages[: self.limits.get(event.place)])
        }

    def documents(self, answer: str | None) -> list[dict[str, Any]]:
        """For the result document: first what the answer cites."""
        cited, given = cited_in(answer or ""), self.numbers
        rows = [
            {
                "collection": one["collection"], "source": one["source"], "start": one["start"], "end": one["end"],
                "number": one["number"], "cited": one["number"] in cited,
            }
            for one in self if one["number"] in given
        ]  # fmt: skip
        return sorted(rows, key=lambda row: not row["cited"])


def rows_of(event: PassagesFound) -> Iterator[dict[str, Any]]:
    """The passages of an event, with all their fields. In the journal of a stranger they may be anything."""
    for row in event.passages:
        number = row.get("number") if isinstance(row, Mapping) else None
        if not isinstance(number, int) or isinstance(number, bool) or not 0 < number <= MOST:
            continue
        texts = {name: value if isinstance(value := row.get(name), str) else "" for name in _TEXTS}
        start, end = (value if isinstance(value := row.get(name), int) and value >= 0 else 0 for name in ("start", "end"))
        score = row.get("score")
        yield {"number": number, **texts, "start": start, "end": end, "score": score if isinstance(score, int | float) else 0.0}


# ---------------------------------------------------------------- citations


def cited_in(answer: str) -> set[int]:
    """The numbers that an answer cites, like [2] or [1, 3]. Code cites nothing, and the lists of a JSON answer are data."""
    if answer[:1] in "{[" and answer[-1:] in "}]":
        try:
            return _cited_in_value(orjson.loads(answer))
        except orjson.JSONDecodeError:
            pass
    return _cited_in_text(answer)


def _cited_in_text(text: str) -> set[int]:
    numbers: set[int] = set()
    for found in _CITED.findall(_CODE.sub(" ", text)):
        for first, last in _RANGE.findall(found):
            if int(last) - int(first) < 100:
                numbers.update(range(int(first), int(last) + 1))
        numbers.update(map(int, re.findall(r"\d+", found)))
    return numbers


def _cited_in_value(value: Any, key: str = "") -> set[int]:
    """What a JSON value cites: in its texts, and as numbers below a key such as `sources`."""
    match value:
        case str():
            return _cited_in_text(value)
        case bool() | None:
            return set()
        case int():
            return {value} if _CITING.search(key) and 0 < value <= MOST else set()
        case dict():
            return set().union(*(_cited_in_value(one, name if _CITING.search(name) else key) for name, one in value.items()))
        case list():
            return set().union(*(_cited_in_value(one, key) for one in value))
    return set()
