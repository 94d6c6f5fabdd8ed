"""Defines the events about failures that MMOS tries to cure within a run, and about what that changes in a lane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mmos.event import Event
from mmos.messages import Message


@dataclass(frozen=True)
class RecoveryBegun(Event):
    """An exchange or a tool call failed, and MMOS looks for a cure."""

    kind = "recovery_begun"
    recovery: str
    """Its id in the run."""
    lane: str = ""
    role: str = ""
    call: str = ""
    """The tool call that failed. Empty: the exchange."""
    tool: str = ""
    failure: str = ""
    """The class of the failure."""
    code: str = ""
    detail: str = ""
    next_step: str = ""
    report: str = ""
    """What the caller reads of a call that failed, if its tool has its own format for failures."""
    phase: str = ""
    """The phase of the run."""


@dataclass(frozen=True)
class RecoverySuggested(Event):
    """A cure was found. If it needs the approval of the user, the question follows."""

    kind = "recovery_suggested"
    recovery: str
    lane: str = ""
    role: str = ""
    suggestion: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    by: Literal["rules", "reasoning"] = "reasoning"
    adviser: str = ""
    """The role that suggested it."""
    digest: str = ""
    """Of what failed, the suggestion and its arguments. A run tries no suggestion twice that did not help."""


@dataclass(frozen=True)
class RecoveryJudged(Event):
    kind = "recovery_judged"
    recovery: str
    lane: str = ""
    helped: bool = False
    why: str = ""


@dataclass(frozen=True)
class RolledBack(Event):
    """A lane went back to an earlier turn. What came after it is no longer in its prompts. The events of it stay."""

    kind = "rolled_back"
    lane: str
    role: str = ""
    turn: int = 0
    """The turn that is taken again."""
    why: str = ""
    recovery: str = ""
    advice: str = ""
    """What its participant reads before it takes the turn again."""
    done: tuple[str, ...] = ()
    """The calls with effects that left its prompts. Their effects stay."""
    undone: bool = False
    """Whether the lane is again as it was before this recovery."""


@dataclass(frozen=True)
class ResultsShortened(Event):
    """Long results of tools became digests, because the prompt did not fit the window."""

    kind = "results_shortened"
    lane: str
    role: str = ""
    results: Mapping[str, str] = field(default_factory=dict)
    """The new texts, by call."""
    recovery: str = ""


@dataclass(frozen=True)
class AnswerRestated(Event):
    """Another participant put an answer into the form that it must have."""

    kind = "answer_restated"
    lane: str
    message: Message
    role: str = ""
    recovery: str = ""
