"""Defines the events about patterns: several models that work on one task in a ready form. `mmos.events` has them, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mmos.event import Event
from mmos.messages import Message

MemberStatus = Literal["answered", "failed", "late", "abstained"]
"""late: its answer was not waited for. abstained: it answered, and its answer is no vote."""


@dataclass(frozen=True)
class PatternBegun(Event):
    """Several models begin to work on one task."""

    kind = "pattern_begun"
    pattern: str
    """Its id in the run."""
    lane: str = ""
    call: str = ""
    name: str = ""
    shape: str = ""
    """sequential, ensemble, voting, parallel, specialized, or module:Class."""
    aggregate: str = ""
    voting: str = ""
    members: tuple[str, ...] = ()
    """The names of those that may be asked, in their order."""
    models: tuple[str, ...] = ()
    """Their models, in the same order."""
    ad_hoc: bool = False
    """Whether it stands in no configuration."""


@dataclass(frozen=True)
class MemberEnded(Event):
    """A member of a pattern has answered, or is not waited for any more."""

    kind = "member_ended"
    pattern: str
    key: str = ""
    """The name of this answer in the pattern: a member may answer more than once."""
    name: str = ""
    model: str = ""
    host: str = ""
    status: MemberStatus = "answered"
    lane: str = ""
    seconds: float = 0.0
    output_tokens: int = 0
    task: str = ""
    why: str = ""
    """Why it failed, is late or abstains."""
    no_host: bool = False
    """Whether no host could serve its model. A resumed run asks it again."""


@dataclass(frozen=True)
class MemberVoted(Event):
    """The vote of a member was read, or its answer was scored."""

    kind = "member_voted"
    pattern: str
    key: str = ""
    vote: str | None = None
    """What it stands for, in a short form."""
    score: float | None = None
    why: str = ""


@dataclass(frozen=True)
class StepRolledBack(Event):
    """A step of a sequence made the result worse, so the sequence goes on from an earlier one."""

    kind = "step_rolled_back"
    pattern: str
    key: str = ""
    to: str = ""
    """The step whose result counts. Empty: the task itself."""
    why: str = ""


@dataclass(frozen=True)
class ConflictFound(Event):
    """Two results contradict each other."""

    kind = "conflict_found"
    pattern: str
    between: tuple[str, ...] = ()
    """The names of the members."""
    about: str = ""
    resolved: str = ""
    """What counts. Empty: it is left open."""


@dataclass(frozen=True)
class PatternEnded(Event):
    """All that a pattern does is done."""

    kind = "pattern_ended"
    pattern: str
    status: Literal["answered", "partial", "failed"] = "answered"
    text: str = ""
    chosen: str = ""
    """The key of the answer that was taken as it is. Empty: the result was put together."""
    agreement: float | None = None
    """The share of the votes that stand behind the result, or how sure a cascade is. None: nobody counted."""
    dissent: Mapping[str, str] = field(default_factory=dict)
    """The short texts of the members that say something different, by name."""
    seconds: float = 0.0
    why: str = ""


@dataclass(frozen=True)
class PatternAnswered(Event):
    """The result of a pattern is the answer of the participant that it stands for."""

    kind = "pattern_answered"
    lane: str
    message: Message
    role: str = ""
    pattern: str = ""


@dataclass(frozen=True)
class PatternAdvised(Event):
    """The members of a pattern gave advice. The participant that acts reads it until its answer."""

    kind = "pattern_advised"
    lane: str
    text: str = ""
    role: str = ""
    pattern: str = ""


@dataclass(frozen=True)
class PatternEvaluated(Event):
    """A pattern and its members answered the same cases. It stands in no run."""

    kind = "pattern_evaluated"
    name: str
    digest: str = ""
    """Of its keys in the configuration. With other keys it is another pattern."""
    best: str = ""
    """The member that is best on these cases."""
    wins: bool = False
    """Whether the pattern is better than that member."""
    text: str = ""
    """The verdict in sentences."""
    cases: int = 0
    score: float = 0.0
    best_score: float = 0.0
    interval: str = ""
    """Of the lead of the pattern, in points, in which it lies with 95 %."""
    gpu_seconds: float | None = None
    best_gpu_seconds: float | None = None
    right: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By kind of task and model: how many answers were right, of how many."""
    rehearsed: bool = False
