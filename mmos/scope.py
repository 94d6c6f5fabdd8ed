"""What goes down the path of a task: the run, the lane, the limits, and the one way to write a fact down; bound anew, never changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from mmos.errors import LimitReached
from mmos.events import ArtifactKept, Entry, Event, Warned
from mmos.journal import Journal
from mmos.logs import log_fact
from mmos.plurals import counted
from mmos.views.conversation import Conversation, Lane
from mmos.views.run import RunView

HintKind = Literal["token", "turn", "loading", "reading", "restart"]
"""The text of `loading` and `reading` is the host's name."""


class Hint(NamedTuple):  # one for each token: a tuple is made in a quarter of a dataclass's time
    """Something in flight that a door may show and nobody keeps: a turn begins and waits for a host, one loads its model or reads
    its prompt, a piece of its text, it begins anew."""

    kind: HintKind
    role: str
    lane: str
    text: str = ""
    depth: int = 0


@dataclass(frozen=True)
class Limits:
    """What a whole run may spend, with all that it starts; None is no limit."""

    turns: int | None = 24
    """Turns of one participant on one question."""
    calls: int | None = 64
    depth: int = 3
    tokens: int | None = 10_000_000
    seconds: float | None = None
    repeats: int = 3
    """How often the same call is carried out before the loop guard steps in."""
    total_turns: int | None = 300
    """Questions to models, by all participants together."""
    idle: float | None = 1800.0
    """Seconds without a fact and without a model at work."""
    repetition: bool = False
    """Whether a model may write the same text over and over."""


@dataclass
class Pulse:
    """Whether a run gets on: when its newest fact was written, and for how many it waits that have a patience of their own.

    A host's patience is a matter of `timeouts`, so a model at work counts as progress. So do a question to the user, and a tool that has
    a `timeout`. Whoever waits for one of these waits `with pulse`.
    """

    at: float = 0.0
    waiting: int = 0

    def __enter__(self) -> None:
        self.waiting += 1

    def __exit__(self, *fault: object) -> None:
        self.waiting -= 1

    def left(self, idle: float, now: float) -> float:
        """Seconds that it may still go on without progress."""
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
    """Who wants to hear of exchanges inside this one, too."""
    lane: str = ""
    role: str = ""
    depth: int = 0
    pulse: Pulse = field(default_factory=Pulse)

    def bind(self, **changes: Any) -> Scope:
        return replace(self, **changes)

    def record(self, event: Event) -> Entry:
        """Write a fact down and let the folds see it; it is durable once `durable()` says so."""
        entry = self.journal.append(self.run, self.thread, event)
        self.view.apply(entry)
        self.conversation.apply(entry)
        self.pulse.at = self.clock()
        log_fact(self.run, event.kind, event)
        return entry

    def warn(self, text: str, *, unserved: Iterable[str] = ()) -> None:
        """Warn of something. That nobody can serve a role is told once."""
        roles = tuple(unserved)
        if not roles or not self.view.unserved.issuperset(roles):
            self.record(Warned(text, roles))

    def keep(self, role: str, text: str) -> str:
        """Keep a text that is too long to hand on; gives the reference that stands for it."""
        name = f"{self.run[-6:].lower()}-{len(self.view.artifacts) + 1}"
        self.record(ArtifactKept(name, self.lane, role, text))
        return f"artifact:{name}"

    def hint(self, kind: HintKind, text: str = "") -> None:
        """Tell whoever watches; nothing of it is kept."""
        if self.listener is not None:
            self.listener(Hint(kind, self.role, self.lane, text, self.depth))

    async def durable(self) -> None:
        await self.journal.durable(self.run)

    @property
    def exchange(self) -> Lane:
        return self.conversation.lanes[self.lane]

    @property
    def turns_left(self) -> int | None:
        """Turns that this participant may still take on its question."""
        return None if self.limits.turns is None else max(0, self.limits.turns - self.exchange.turns)

    @property
    def calls_left(self) -> int | None:
        """Tool calls that the run may still make."""
        return None if self.limits.calls is None else max(0, self.limits.calls - self.view.calls)

    @property
    def spent(self) -> LimitReached | None:
        """The limit of the whole run that keeps it from asking a model once more."""
        limits, view = self.limits, self.view
        if limits.total_turns is not None and view.asked >= limits.total_turns:
            return LimitReached(
                f"The run has asked models {counted(view.asked, 'time')}.",
                limit="limit_total_turns",
                next_step=_raised("total_turns", self.run),
            )
        if limits.tokens is not None and view.tokens >= limits.tokens:
            used = f"The run has used {view.tokens:,} of {counted(limits.tokens, 'token')}."
            return LimitReached(used, limit="limit_tokens", next_step=_raised("tokens", self.run))
        return None

    def check_budget(self) -> None:
        """Raise when the next model call is over a limit."""
        turns = self.limits.turns
        if turns is not None and self.exchange.turns >= turns:
            raise LimitReached(
                f"{self.role} took {counted(turns, 'turn')} without an answer.",
                limit="limit_turns",
                next_step="Allow more with --max-turns.",
            )
        if self.spent is not None:
            raise self.spent

    def check_call(self) -> None:
        """Raise when one more tool call is over the limit of the run."""
        if self.limits.calls is not None and self.view.calls >= self.limits.calls:
            raise LimitReached(
                f"The run has made its {counted(self.limits.calls, 'call')}.",
                limit="limit_calls",
                next_step="Allow more with --max-calls.",
            )


def _raised(limit: str, run: str) -> str:
    return f"`mmos runs show {run}` shows for what. If it needs more, raise limits.{limit} in the configuration."
