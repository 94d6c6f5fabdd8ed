"""Defines the events about talks: several participants of a run that write to each other. `mmos.events` has them, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mmos.event import Event

Mode = Literal["direct", "mediated"]
"""direct: the participants address each other. mediated: only the arbiter asks them."""

Action = Literal["pass", "modify", "redirect", "drop"]
"""What a review does with a message."""

Ended = Literal["agreement", "verdict", "no_progress", "budget", "failed"]
"""Why a talk ended."""

ALL = "all"
"""Addresses everybody in the talk."""


@dataclass(frozen=True)
class TalkOpened(Event):
    """The arbiter brought several participants together to talk about a topic."""

    kind = "talk_opened"
    talk: str
    """Its id in the run."""
    lane: str = ""
    call: str = ""
    mode: Mode = "direct"
    topic: str = ""
    goal: str = ""
    participants: tuple[str, ...] = ()
    arbiter: str = ""
    """The role that reviews and decides."""
    max_turns: int = 0
    max_rounds: int = 0
    """How many rounds of critique may follow the first answers."""
    history: bool = False
    """Whether the participants read what was said in the user's thread before."""


@dataclass(frozen=True)
class MessageSent(Event):
    """A participant of a talk wrote a message. Others read it only after its review, as the review leaves it."""

    kind = "message_sent"
    talk: str
    number: int = 0
    """From 1, in the order of the messages."""
    sender: str = ""
    to: str = "all"
    """The name of a participant, or `all`."""
    text: str = ""
    stance: str = ""
    """What it says about the others: agree, disagree, partly, or new. Empty: not said."""
    claims: tuple[str, ...] = ()
    """What it claims, one sentence each."""
    round: int = 0
    """0: a first answer, written before it read those of others."""
    lane: str = ""
    query: str = ""
    """What the arbiter asked, in a mediated talk."""
    shown: tuple[int, ...] = ()
    """The messages of others that the arbiter let it read, in a mediated talk."""
    remembered: bool = False
    """Whether the sender remembers this exchange, in a mediated talk."""


@dataclass(frozen=True)
class MessageReviewed(Event):
    kind = "message_reviewed"
    talk: str
    number: int = 0
    action: Action = "pass"
    by: str = "arbiter"
    """The role that decided, or `rules`."""
    reason: str = ""
    quote: str = ""
    """The passage of the message that the reason is about."""
    text: str = ""
    """Of a modified message: what others read in its place."""
    to: str = ""
    """Of a redirected message: who gets it."""
    verified: bool = True
    """False: the reviewer could not quote what it found wrong, so the message passed."""
    claims: tuple[str, ...] | None = None
    """Of a modified message: the claims that others read. None: all."""


@dataclass(frozen=True)
class ConclusionProposed(Event):
    """Somebody proposed to end a talk with a verdict, and the arbiter decided."""

    kind = "conclusion_proposed"
    talk: str
    by: str = ""
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    dissent: str = ""
    accepted: bool = False
    reason: str = ""
    """Why the arbiter did not accept it."""


@dataclass(frozen=True)
class TalkSteered(Event):
    """The user wrote to the participants of a talk, between two messages."""

    kind = "talk_steered"
    talk: str
    text: str = ""
    number: int = 0
    """The newest message at that time. Who has written none since then reads the text before the next one."""


@dataclass(frozen=True)
class TalkNoticed(Event):
    """A rule found something wrong in a talk. The arbiter reads it."""

    kind = "talk_noticed"
    talk: str
    what: str = ""
    """stall, repetition, ping_pong, drift, dominance, contradiction, window, copy, early_agreement, or impersonation."""
    who: tuple[str, ...] = ()
    detail: str = ""
    number: int = 0
    """The newest message when it was found."""


@dataclass(frozen=True)
class TalkClosed(Event):
    kind = "talk_closed"
    talk: str
    ended: Ended = "verdict"
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    dissent: str = ""
    own_verdict: str = ""
    """What the arbiter had written down before it read the others."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """What was found: `consensus`, `contradictions`, `partial_coverage`, `unique_insights`, and `blind_spots`. Each is a list of
    `{"text", "who": [...], "evidence": [message numbers]}`."""


@dataclass(frozen=True)
class TaskHandedOver(Event):
    """A role passed the whole task on to another one, or back."""

    kind = "task_handed_over"
    call: str
    lane: str = ""
    by: str = ""
    to: str = ""
    brief: str = ""
    back: bool = False
