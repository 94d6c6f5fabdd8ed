"""Defines the place in a run: its lane, its role, its limits, and the only way to record an event. A scope is copied, never changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from mmos.config.phases import Phases
from mmos.errors import LimitReached, StateDamaged
from mmos.events import (
    ArtifactKept,
    CallStarted,
    ConfigKept,
    Entry,
    Event,
    FrameKept,
    HistoryShortened,
    LaneOpened,
    ModelAsked,
    Warned,
)
from mmos.journal import Journal
from mmos.logs import log_event
from mmos.messages import Message
from mmos.placement.facts import Outlook
from mmos.plurals import counted
from mmos.views.conversation import Conversation, Lane
from mmos.views.run import RunView

BEGINNINGS = frozenset(kind.kind for kind in (ConfigKept, LaneOpened, FrameKept, ModelAsked, CallStarted, HistoryShortened, Warned))
"""Events on which no later step builds: they say what begins, and why. If a crash takes them away, it begins again."""

HintKind = Literal["token", "turn", "loading", "reading", "waiting", "restart"]
"""Kinds of hints. The text of `loading`, `reading` and `waiting` is the host's name; while a call waits for any host it is empty."""


ALOUD = ("turn", "token", "restart")
"""What the user sees of an answer while it is written."""


class Hint(NamedTuple):  # there is one for each token, and making a tuple takes a quarter of a dataclass's time
    """Progress that a user interface may show and the journal does not keep: a turn begins, a request waits, a host loads its model or reads
    the prompt, a piece of text arrives, an attempt begins again."""

    kind: HintKind
    role: str
    lane: str
    text: str = ""
    depth: int = 0
    outlook: Outlook | None = None
    """What a request that waits can expect, in seconds of MMOS's clock. It comes at most once a second, with `waiting` only."""


@dataclass(frozen=True)
class Limits:
    """The limits of a whole run, including its consultations. None means no limit."""

    turns: int | None = 24
    """Turns of one participant for one question."""
    calls: int | None = 64
    depth: int = 3
    tokens: int | None = 10_000_000
    seconds: float | None = None
    repeats: int = 3
    """How often MMOS makes the same call before it counts as a loop."""
    total_turns: int | None = 300
    """Requests to models, by all participants together."""
    idle: float | None = 1800.0
    """Seconds without a new event and without a model at work."""
    repetition: bool = False
    """Whether a model may write the same text over and over."""


@dataclass
class Pulse:
    """How far a run is, and whether it makes progress: the time of its newest event, and the number of waits that have their own timeout.

    `timeouts` limits how long a host may take, so a model at work counts as progress. So do a question to the user, and a tool that has
    a `timeout`. Code that waits for one of these waits `with pulse`.
    """

    at: float = 0.0
    waiting: int = 0
    newest: Entry | None = None
    """The newest entry that the next step builds on."""

    def __enter__(self) -> None:
        self.waiting += 1

    def __exit__(self, *fault: object) -> None:
        self.waiting -= 1

    def left(self, idle: float, now: float) -> float:
        """Seconds that it may still continue without progress."""
        return idle if self.waiting else self.at + idle - now


@dataclass(frozen=True)
class Scope:
    """One place in a run."""

    journal: Journal
    view: RunView
    conversation: Conversation
    run: str
    thread: str
    clock: Callable[[], float]
    """Monotonic seconds."""
    limits: Limits = field(default_factory=Limits)
    listener: Callable[[Hint], None] | None = None
    inner_listener: Callable[[Hint], None] | None = None
    """The listener for the lanes below this one."""
    lane: str = ""
    role: str = ""
    depth: int = 0
    pulse: Pulse = field(default_factory=Pulse)
    strategy: str = ""
    """How the run chooses among the GPUs. Empty: as the configuration says."""
    urgent: bool = True
    """Whether its calls go before those of batch work."""
    phases: Phases = field(default_factory=Phases)
    """The phases that the run may be in."""
    anew: bool = False
    """Whether models answer each request anew, also one that the cache has an answer to: a retry, a judgement, one of several samples."""
    due: float = math.inf
    """When nobody waits for the answer of this lane any more, on `clock`."""

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.due - self.clock())

    def within(self, seconds: float | None) -> Scope:
        """The same place, whose answer is also due in these seconds."""
        return self if seconds is None else self.bind(due=min(self.due, self.clock() + seconds))

    def bind(self, **changes: Any) -> Scope:
        """A copy with these changes, for a tenth of the time that `dataclasses.replace` takes."""
        scope = object.__new__(type(self))
        scope.__dict__.update(self.__dict__, **changes)
        return scope

    def record(self, event: Event) -> Entry:
        """Append an event to the journal and update the views. It is durable after `durable()` returns."""
        entry = self.journal.append(self.run, self.thread, event)
        self.view.apply(entry)
        self.conversation.apply(entry)
        self.pulse.at = self.clock()
        if event.kind not in BEGINNINGS:
            self.pulse.newest = entry
        log_event(self.run, event.kind, event)
        return entry

    def warn(self, text: str, *, unserved: Iterable[str] = ()) -> None:
        """Record a warning. It warns only once that no host can serve a role."""
        roles = tuple(unserved)
        if not roles or not self.view.unserved_roles.issuperset(roles):
            self.record(Warned(text, roles))

    def warn_once(self, text: str, why: str) -> None:
        """Record a warning, unless the run has the same one with another reason."""
        if not any(warning.startswith(text) for warning in self.view.warnings):
            self.warn(f"{text}. {why}")

    def keep(self, role: str, text: str) -> str:
        """Keep a text that is too long to pass on, and return its reference."""
        name = f"{self.run[-6:].lower()}-{len(self.view.artifacts) + 1}"
        self.record(ArtifactKept(name, self.lane, role, text))
        return f"artifact:{name}"

    def hint(self, kind: HintKind, text: str = "", outlook: Outlook | None = None) -> None:
        """Send a hint to the listener. The journal does not keep it."""
        if self.listener is not None:
            self.listener(Hint(kind, self.role, self.lane, text, self.depth, outlook))

    def hear_aloud(self, hint: Hint) -> None:
        """Send a hint of a lane below this one, which answers in its place, also as one of this lane."""
        if self.inner_listener is not None:
            self.inner_listener(hint)
        if self.listener is not None and hint.kind in ALOUD:
            self.listener(hint._replace(depth=self.depth))

    async def durable(self, *, on_disk: bool = False) -> None:
        """Return when the run so far survives the death of the process; with `on_disk`, also a power cut."""
        await self.journal.durable(self.run, on_disk=on_disk)

    async def settled(self) -> None:
        """Return when all that the next step builds on survives the death of the process. What only begins may still be lost: it begins again."""
        newest = self.pulse.newest
        if newest is not None and not newest.seq:  # it gets its number when it is committed
            await self.journal.durable(self.run, until=newest)

    @property
    def exchange(self) -> Lane:
        """What has happened in this lane."""
        lane = self.conversation.lanes.get((self.run, self.lane))
        if lane is None:
            raise StateDamaged(
                f"The journal has no start of run {self.run}, so it cannot be resumed.", next_step="Give the task again: mmos run"
            )
        return lane

    def read(self) -> list[Message]:
        """All that the participant of this lane may have read: its messages, and the passages that the thread was given in tails of prompts."""
        messages, passages = self.exchange.all_messages(), self.conversation.given
        return [*messages, *passages] if passages else messages

    @property
    def turns_left(self) -> int | None:
        """Turns that this participant may still take for its question."""
        return None if self.limits.turns is None else max(0, self.limits.turns - self.exchange.turns)

    @property
    def calls_left(self) -> int | None:
        """Tool calls that the run may still make."""
        return None if self.limits.calls is None else max(0, self.limits.calls - self.view.calls)

    @property
    def reached_limit(self) -> LimitReached | None:
        """The limit of the whole run that forbids another request to a model; None if there is none."""
        limits, view = self.limits, self.view
        if limits.total_turns is not None and view.requests >= limits.total_turns:
            return LimitReached(
                f"The run sent {counted(view.requests, 'request')} to models.",
                limit="limit_total_turns",
                next_step=_advice("total_turns", self.run),
            )
        if limits.tokens is not None and view.tokens >= limits.tokens:
            used = f"The run has used {view.tokens:,} of {counted(limits.tokens, 'token')}."
            return LimitReached(used, limit="limit_tokens", next_step=_advice("tokens", self.run))
        return None

    def check_turns(self) -> None:
        """Raise when the participant may take no more turns for its question."""
        turns = self.limits.turns
        if turns is not None and self.exchange.turns >= turns:
            raise LimitReached(
                f"{self.role} took {counted(turns, 'turn')} without an answer.",
                limit="limit_turns",
                next_step="Allow more with --max-turns.",
            )

    def check_call(self) -> None:
        """Raise when one more tool call is over the limit of the run."""
        if self.limits.calls is not None and self.view.calls >= self.limits.calls:
            raise LimitReached(
                f"The run made {counted(self.limits.calls, 'tool call')}, which is its limit.",
                limit="limit_calls",
                next_step="Allow more with --max-calls.",
            )


def _advice(limit: str, run: str) -> str:
    return f"`mmos runs show {run}` shows what they were for. If the run needs more, raise limits.{limit} in the configuration."
