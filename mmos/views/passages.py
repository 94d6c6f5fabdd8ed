"""Builds what a run shows of the library: which passages it was given, and which its answer cites."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmos.event import Event
from mmos.library_events import PassagesFound
from mmos.views.patterns import PATTERN

KINDS: tuple[type[Event], ...] = (PassagesFound,)
"""The events that this view is made of."""

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_CITED = re.compile(r"(?<![\w\])])\[(\d{1,4}(?:\s*[,;]\s*\d{1,4})*)\](?!\()")


@dataclass
class GivenPassages:
    """The passages of a run, in the order in which they were found."""

    found: list[PassagesFound] = field(default_factory=list)
    by_place: dict[str, PassagesFound] = field(default_factory=dict)
    """For each lane and each pattern, what its prompts have. Not what a call found."""

    def apply(self, event: Event) -> None:
        if isinstance(event, PassagesFound):
            self.found.append(event)
            if event.by != "call":
                self.by_place[event.place] = event

    def of_lane(self, lane: str) -> PassagesFound | None:
        """What the prompts of a lane have: its own passages, or those of the pattern whose member it is."""
        if not self.by_place:
            return None
        if lane in self.by_place:
            return self.by_place[lane]
        pattern = lane.rpartition("/")[0]
        above, _, call = pattern.rpartition("/")
        return self.by_place.get(pattern) or (self.by_place.get(above) if call == PATTERN else None)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Every passage once, by its number."""
        known: dict[int, Mapping[str, Any]] = {}
        for event in self.found:
            for passage in event.passages:
                known.setdefault(passage.get("number", 0), passage)
        return iter(known.values())

    def documents(self, answer: str | None) -> list[dict[str, Any]]:
        """For the result document: first what the answer cites."""
        cited = cited_in(answer or "")
        rows = [
            {
                "collection": one["collection"], "source": one["source"], "start": one["start"], "end": one["end"],
                "number": one["number"], "cited": one["number"] in cited,
            }
            for one in self
        ]  # fmt: skip
        return sorted(rows, key=lambda row: not row["cited"])


def cited_in(text: str) -> set[int]:
    """The numbers that a text cites, like [2] or [1, 3]. Code cites nothing."""
    return {int(number) for found in _CITED.findall(_CODE.sub(" ", text)) for number in re.findall(r"\d+", found)}
