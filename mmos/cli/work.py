"""The work of one participant or tool in a run, drawn as a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from mmos.cli.output import how_long, one_line, whole_seconds
from mmos.cli.pattern_words import VOTE
from mmos.cli.styles import style
from mmos.cli.text import cells, fit, flat
from mmos.placement.facts import Outlook
from mmos.plurals import counted, ordinal

Stage = Literal["queued", "loading", "reading", "writing", "calling"]
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
SPINS_A_SECOND = 8
LEAST_SECONDS = 0.5
"""Shorter times give no meaningful speed."""


@dataclass
class Work:
    """The current state of one call."""

    role: str = ""
    """The participant that does the work. Empty for other tools."""
    tool: str = ""
    what: str = ""
    model: str = ""
    host: str = ""
    stage: Stage = "queued"
    start: float = 0.0
    since: float = 0.0
    """When this stage began."""
    outlook: Outlook | None = None
    """What it can expect while it waits."""
    pieces: int = 0
    turns: int = 0
    """Turns that a hint has announced. The event of each follows later."""
    requests: int = 0
    """Turns that an event has announced."""
    replied: int = 0
    tokens: int = 0
    writing_seconds: float = 0.0
    """Seconds by the hosts' own clocks."""
    retries: int = 0
    ended: float | None = None
    ok: bool = True
    report: str = ""
    text: str = ""
    """Its answer."""
    vote: str = ""
    """What a member of a pattern stands for."""
    number: int = 0
    """The number for /open."""
    below: list[Work] = field(default_factory=list)

    @property
    def answering(self) -> bool:
        return self.turns > self.replied

    def enter(self, stage: Stage, now: float) -> None:
        if stage != self.stage:
            self.stage, self.since, self.pieces, self.outlook = stage, now, 0, None

    def tree(self, depth: int = 0) -> Iterator[tuple[int, Work]]:
        """Walk through this work and all work below it, with depths."""
        yield depth, self
        for inner in self.below:
            yield from inner.tree(depth + 1)


def line(work: Work, now: float, width: int, depth: int = 0) -> str:
    """Draw the work in one line that fits."""
    indent = "  " * (depth + 1)
    if work.ended is not None:
        mark = style("✓", "ok") if work.ok else style("✗", "error")
        return f"{indent}{mark} {style(_fitted(_done(work), work.ended - work.start, width - cells(indent) - 2), 'dim')}"
    mark = SPINNER[int((now - work.start) * SPINS_A_SECOND) % len(SPINNER)]
    return f"{indent}{style(mark, 'accent')} {_fitted(_running(work, now), now - work.start, width - cells(indent) - 2)}"


def _fitted(parts: list[str], seconds: float, width: int) -> str:
    """Shorten the line from the end, but keep the seconds."""
    end = f" · {how_long(max(0.0, seconds))}"
    return fit(" · ".join(flat(part) for part in parts if part), width - cells(end)) + end


def _running(work: Work, now: float) -> list[str]:
    if not work.role:
        return [work.tool, work.what]
    parts = [work.role, _place(work), expectation(work.outlook) if work.outlook else work.stage]
    if work.stage == "writing" and now - work.since >= LEAST_SECONDS:
        parts.append(_speed(work.pieces / (now - work.since)))
    return [*parts, work.what]


def expectation(outlook: Outlook) -> str:
    """What a call that waits can expect: `2nd in line, about 12 s` or `loading 40 %, about 6 s`."""
    if outlook.held:
        return f"waits for its quota: {outlook.held}"
    if outlook.position:
        return f"{ordinal(outlook.position)} in line{_about(outlook.seconds) or ', no host can take it now'}"
    if outlook.pauses:
        return f"no host can take it now, next attempt in {_about(outlook.seconds).removeprefix(', ')}"
    return f"{outlook.host} loads no more" if outlook.stuck else loading(outlook.part, outlook.seconds)


def loading(part: float, seconds: float | None) -> str:
    """How far a load is. `seconds`: None if it takes longer than usual."""
    return "loading, longer than usual" if seconds is None else f"loading {int(100 * part)} %{_about(seconds)}"


def _about(seconds: float | None) -> str:
    return "" if seconds is None else f", about {whole_seconds(max(1.0, seconds))}"


def _done(work: Work) -> list[str]:
    name = f"[{work.number}] {work.role or work.tool}" if work.number else work.role or work.tool
    if not work.ok:
        return [name, _place(work), work.report]
    vote = f"votes {one_line(work.vote, VOTE)}" if work.vote else ""
    speed = _speed(work.tokens / work.writing_seconds) if work.writing_seconds > 0 else ""
    again = counted(work.retries, "failed attempt") if work.retries else ""
    what = work.what if not work.role else ""
    return [name, _place(work), counted(work.tokens, "token") if work.tokens else "", speed, again, vote, what]


def _place(work: Work) -> str:
    return f"{work.model} on {work.host}" if work.model and work.host else work.model or work.host


def _speed(tokens: float) -> str:
    return f"{tokens:.0f} tok/s"
