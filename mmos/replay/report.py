"""Defines what a replay finds: the steps of a run, and where today would differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from mmos.events import Entry
from mmos.plurals import counted
from mmos.replay.differences import Difference

Kind = Literal["request", "reply", "message", "correction", "result", "answer"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What a step was: a request to a model, what MMOS read in a reply, a message of a tool to a participant, a message that corrects one, the
result of a built-in tool, or the answer to the user."""


@dataclass(frozen=True)
class Comparison:
    """One step of a run that was compared with today."""

    entry: Entry
    kind: Kind
    role: str
    lane: str
    turn: int
    """The turn of the lane that it belongs to, counted from 1."""
    ask: str = ""
    """The request that it belongs to."""
    differences: tuple[Difference, ...] = ()
    unknown: str = ""
    """Why it cannot be compared. Empty: it was compared."""

    @property
    def place(self) -> str:
        """Such as `turn 2 of coding (a4)`."""
        return f"turn {self.turn} of {self.role}" + (f" ({self.ask})" if self.ask else "")


@dataclass(frozen=True)
class Replay:
    """A run as it happened, with what would differ today."""

    run: str
    thread: str
    task: str
    entries: tuple[Entry, ...] = field(repr=False)
    comparisons: tuple[Comparison, ...] = field(repr=False)
    unmade: int = 0
    """Requests that cannot be made again, because the journal lacks a part of them."""

    @property
    def requests(self) -> int:
        """Requests that were made again, byte for byte."""
        return sum(step.kind == "request" for step in self.comparisons) - self.unmade

    @property
    def differing(self) -> list[Comparison]:
        return [step for step in self.comparisons if step.differences]

    @property
    def unknown(self) -> list[Comparison]:
        return [step for step in self.comparisons if step.unknown]

    @property
    def same(self) -> bool:
        """Whether today would do all that can be compared as it was done."""
        return not self.differing

    def summary(self) -> str:
        """What was found, in two or three sentences."""
        made = f"{counted(self.requests, 'request')}, byte for byte as {'it' if self.requests == 1 else 'they'} went out"
        return " ".join([f"{made}; {self._verdict()}.", *self._gaps()])

    def _verdict(self) -> str:
        found = self.differing
        if not found:
            return "today would do the same"
        asked = sum(step.kind == "request" for step in found)
        others = len(found) - asked
        parts = [counted(asked, "request")] if asked else []
        parts += [counted(others, "other step")] if others else []
        return f"today {' and '.join(parts)} would differ, the first one in {found[0].place}"

    def _gaps(self) -> Iterator[str]:
        if self.unmade:
            yield f"The journal lacks a part of {counted(self.unmade, 'request')}."
        if found := len(self.unknown) - self.unmade:
            yield f"{counted(found, 'step')} cannot be compared."

    def document(self) -> dict[str, Any]:
        """The replay, as `--json` prints it."""
        return {
            "run": self.run, "thread": self.thread, "task": self.task, "same": self.same,
            "requests": self.requests, "unmade": self.unmade, "compared": len(self.comparisons),
            "differing": [_differing(step) for step in self.differing],
            "unknown": [{**_place(step), "why": step.unknown} for step in self.unknown],
        }  # fmt: skip


def _differing(step: Comparison) -> dict[str, Any]:
    return {**_place(step), "differences": [{"part": one.part, "then": one.then, "now": one.now} for one in step.differences]}


def _place(step: Comparison) -> dict[str, Any]:
    return {"seq": step.entry.seq, "kind": step.kind, "role": step.role, "lane": step.lane, "turn": step.turn, "ask": step.ask or None}
