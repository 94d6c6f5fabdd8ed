"""The fitness card of a model on a host: scores per channel, speed, real window, and the conclusions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Self

VERSION = 1

CLEARLY = 0.1
"""How much better schema mode must be: a host's own tool calls leave a model free to talk, so they are preferred."""

FIT_ARBITER = 0.7
FIT_INTERPRETER = 0.8
FIT_SPECIALIST = 0.4
"""Of one that calls tools itself: with less it is more often wrong than right."""
SMALL_TOKENS_A_SECOND = 30.0

_LAST_DAY = 253_000_000_000.0
"""Seconds: a later one has no date."""


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


@dataclass(frozen=True)
class Marks:
    """What came of the cases in one channel."""

    cases: int = 0
    """Cases that want a call."""
    valid: int = 0
    """Of these, how many gave calls of offered tools with arguments that fit."""
    named: int = 0
    """How many named just the right tools."""
    right: int = 0
    """How many were right altogether."""
    repaired: int = 0
    """How many could be read only with repairs."""
    to_leave: int = 0
    """Cases that want no call."""
    left: int = 0
    """Of these, how many were answered without one."""
    failed: int = 0
    """Cases in which the host gave no answer."""
    why: str = ""
    """Why there are no marks: the host refuses tools, say."""

    @property
    def score(self) -> float:
        """0 to 1: right calls, and calls left alone where none was wanted, case by case."""
        return (self.right + self.left) / (self.cases + self.to_leave) if self.cases + self.to_leave else 0.0

    @property
    def judged(self) -> bool:
        return self.cases > 0

    def is_clearly_better(self, other: Marks) -> bool:
        return self.judged and self.score > other.score + CLEARLY


def _mark(marks: Marks) -> str:
    return percent(marks.score) if marks.judged else "refused"


@dataclass(frozen=True)
class Card:
    """One model on one host, as it was when it was tried."""

    model: str
    host: str
    tested: float
    """Seconds since 1970."""
    digest: str = ""
    channels: Mapping[str, Marks] = field(default_factory=dict)
    window_asked: int = 0
    window_held: int | None = None
    """Tokens of a prompt that were really read; None where it was not tried."""
    load_seconds: float | None = None
    """None where the model was loaded already."""
    reads: float | None = None
    """Tokens of a prompt in a second."""
    writes: float | None = None
    """Tokens of an answer in a second."""

    @property
    def channel(self) -> str | None:
        """How this model is best offered tools; None where neither way was tried to an end."""
        tools, schema = self.channels.get("tools", Marks()), self.channels.get("schema", Marks())
        if not tools.judged:
            return "schema" if schema.judged else None
        # One that never makes a right call has good marks for small talk alone: then the way counts in which its calls can be read.
        mute = not tools.right and schema.valid > tools.valid
        return "schema" if mute or schema.is_clearly_better(tools) else "tools"

    @property
    def score(self) -> float:
        return self.channels[self.channel].score if self.channel else 0.0

    @property
    def suits(self) -> tuple[str, ...]:
        """Jobs that the marks speak for."""
        tools = self.channels.get("tools", Marks())
        jobs = ["arbiter"] if self.score >= FIT_ARBITER else []
        quick = self.writes is not None and self.writes >= SMALL_TOKENS_A_SECOND
        if tools.cases and tools.right / tools.cases >= FIT_INTERPRETER and quick:
            jobs.append("interpreter")
        return (*jobs, "specialist") if self.score >= FIT_SPECIALIST else tuple(jobs)

    @property
    def day(self) -> str:
        """When it was tried, as people of this machine's place write it."""
        return datetime.fromtimestamp(self.tested).astimezone().strftime("%Y-%m-%d")

    @property
    def comparison(self) -> str:
        """Its marks in each channel, in a few words: `tools 8 % against schema 75 %`."""
        told = [f"{name} {_mark(self.channels[name])}" for name in ("tools", "schema") if name in self.channels]
        untried = [f"{name} not tried" for name in ("tools", "schema") if name not in self.channels]
        return ", ".join([" against ".join(told), *untried] if told else untried)

    def is_of(self, digest: str) -> bool:
        """Whether it tells of the model with this digest; not every host gives one, and then the name has to do."""
        return not (self.digest and digest) or self.digest == digest

    def beside(self, older: Card | None) -> Self:
        """With the marks of channels that were not tried this time, as long as the model is the same."""
        if older is None or older.digest != self.digest:
            return self
        return replace(self, channels={**older.channels, **self.channels})

    def document(self) -> dict[str, Any]:
        return {"version": VERSION, **asdict(self), "channel": self.channel, "score": round(self.score, 3), "suits": list(self.suits)}

    @classmethod
    def from_document(cls, document: object) -> Card:
        """The card as it was written, without what a later version added; `ValueError` where it is none."""
        from pydantic import TypeAdapter

        card = TypeAdapter(Card).validate_python(document)
        if not (0 <= card.tested < _LAST_DAY and all(0 <= marks.score <= 1 for marks in card.channels.values())):
            raise ValueError("no trial gives such marks")
        return card
