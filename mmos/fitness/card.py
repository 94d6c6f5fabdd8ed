"""The fitness card of a model on a host: scores per channel, speed, real window, and the conclusions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from mmos.checking import is_model_name
from mmos.event import LAST_DAY

VERSION = 1

CLEARLY = 0.1
"""How much better the schema channel must score. The tools channel is preferred, because the model can also write text."""

FIT_ARBITER = 0.7
FIT_INTERPRETER = 0.8
FIT_SPECIALIST = 0.4
"""The score that a role needs whose model decides about calls. Below it the model is more often wrong than right."""
SMALL_TOKENS_A_SECOND = 30.0


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


@dataclass(frozen=True)
class Marks:
    """The results of the cases in one channel."""

    cases: int = 0
    """Cases that want a call."""
    valid: int = 0
    """How many of these gave calls of offered tools with arguments that fit."""
    named: int = 0
    """How many named exactly the right tools."""
    right: int = 0
    """How many were right altogether."""
    repaired: int = 0
    """How many MMOS could read only after repairs."""
    to_leave: int = 0
    """Cases that want no call."""
    left: int = 0
    """How many of these were answered without a call."""
    failed: int = 0
    """Cases in which the host gave no answer."""
    why: str = ""
    """Why there are no marks, for example because the host refuses tools."""

    @property
    def score(self) -> float:
        """0 to 1: the share of cases with the right calls, or with no call when none was wanted."""
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
    """The result of one test of one model on one host."""

    model: str
    host: str
    tested: float
    """Seconds since 1970."""
    digest: str = ""
    channels: Mapping[str, Marks] = field(default_factory=dict)
    window_asked: int = 0
    window_held: int | None = None
    """Tokens of a prompt that the host really read. None: not tested."""
    load_seconds: float | None = None
    """None: the model was already loaded."""
    reads: float | None = None
    """Tokens of a prompt that it reads in a second."""
    writes: float | None = None
    """Tokens of an answer that it writes in a second."""

    @property
    def channel(self) -> str | None:
        """The better channel for this model. None: no channel was tested to its end."""
        tools, schema = self.channels.get("tools", Marks()), self.channels.get("schema", Marks())
        if not tools.judged:
            return "schema" if schema.judged else None
        # A model without a single right call scores only for small talk. Then the channel counts in which its calls can be read.
        mute = not tools.right and schema.valid > tools.valid
        return "schema" if mute or schema.is_clearly_better(tools) else "tools"

    @property
    def score(self) -> float:
        return self.channels[self.channel].score if self.channel else 0.0

    @property
    def suits(self) -> tuple[str, ...]:
        """The jobs that the marks recommend the model for."""
        tools = self.channels.get("tools", Marks())
        jobs = ["arbiter"] if self.score >= FIT_ARBITER else []
        quick = self.writes is not None and self.writes >= SMALL_TOKENS_A_SECOND
        if tools.cases and tools.right / tools.cases >= FIT_INTERPRETER and quick:
            jobs.append("interpreter")
        return (*jobs, "specialist") if self.score >= FIT_SPECIALIST else tuple(jobs)

    @property
    def day(self) -> str:
        """The date of the test, in the time zone of this machine."""
        return datetime.fromtimestamp(self.tested).astimezone().strftime("%Y-%m-%d")

    @property
    def comparison(self) -> str:
        """The marks of both channels in a few words: `tools 8 % against schema 75 %`."""
        scores = [f"{name} {_mark(self.channels[name])}" for name in ("tools", "schema") if name in self.channels]
        untried = [f"{name} not tried" for name in ("tools", "schema") if name not in self.channels]
        return ", ".join([" against ".join(scores), *untried] if scores else untried)

    def is_of(self, digest: str) -> bool:
        """Whether the card is of the model with this digest. When the host reports no digest, the name decides."""
        return not (self.digest and digest) or self.digest == digest

    def beside(self, older: Card | None) -> Self:
        """This card with the older marks of channels that were not tested this time, if the model is the same."""
        if older is None or older.digest != self.digest:
            return self
        return replace(self, channels={**older.channels, **self.channels})

    def document(self) -> dict[str, Any]:
        return {"version": VERSION, **asdict(self), "channel": self.channel, "score": round(self.score, 3), "suits": list(self.suits)}

    @classmethod
    def from_document(cls, document: object) -> Card:
        """Read a card. Keys that a later version added are ignored. Raises `ValueError` when it is no card."""
        from pydantic import TypeAdapter

        card = TypeAdapter(Card).validate_python(document)
        if not (is_model_name(card.model) and is_model_name(card.host)):
            raise ValueError("no model has such a name")
        if not (0 <= card.tested < LAST_DAY and all(0 <= marks.score <= 1 for marks in card.channels.values())):
            raise ValueError("no test gives such marks")
        return card
