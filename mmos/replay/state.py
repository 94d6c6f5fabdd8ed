"""Holds the state of a run at one entry of its journal, and a scope in it that records nothing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mmos.config.phases import Phases
from mmos.errors import NotFound
from mmos.events import CallStarted, Entry, Event, FrameKept, LaneOpened, ModelAsked, ModelReplied
from mmos.journal import Journal
from mmos.prompting.frame import Frame
from mmos.scope import Limits, Scope
from mmos.views.conversation import Conversation, Lane
from mmos.views.run import RunView
from mmos.views.uses import call_key


class NotKeptError(BaseException):
    """The journal does not have what a comparison needs. It is no `Exception`, so no tool and no rung takes it for a fault."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclass(frozen=True)
class Quiet(Scope):
    """A place in a run of the state. Nothing is recorded, and nobody hears of it."""

    def record(self, event: Event) -> Entry:
        return Entry(self.run, self.thread, 0.0, event)

    async def durable(self, *, on_disk: bool = False) -> None:
        """There is nothing to write."""

    def keep(self, role: str, text: str) -> str:
        """The reference that the text had. A text that was not kept gets the next one."""
        kept = ((name, one) for name, one in self.view.artifacts.items() if (one.lane, one.role, one.text) == (self.lane, role, text))
        name = next((name for name, _ in kept), "")
        return f"artifact:{name}" if name else super().keep(role, text)


async def around(journal: Journal, run: str) -> list[Entry]:
    """The entries of the thread of a run."""
    first = await journal.read(run=run, limit=1)
    if not first:
        raise NotFound(f"Run {run} has been deleted.")
    return await journal.read(thread=first[0].thread)


class Counts(NamedTuple):
    """What a run has used of its limits."""

    calls: int
    requests: int
    tokens: int


@dataclass
class RunState:
    """The state of a run before an entry of its thread."""

    run: str
    journal: Journal
    thread: str = ""
    phases: Phases = field(default_factory=Phases)
    """The phases that the run would have today."""
    conversation: Conversation = field(default_factory=Conversation)
    view: RunView = field(default_factory=RunView)
    frames: dict[str, Frame] = field(default_factory=dict)
    opened: dict[str, LaneOpened] = field(default_factory=dict)
    """How each lane of the run began."""
    asked: dict[str, ModelAsked] = field(default_factory=dict)
    """The newest request of each lane."""
    replied: dict[str, ModelReplied] = field(default_factory=dict)
    """The newest reply in each lane, if nothing has followed it there."""
    inquired: set[str] = field(default_factory=set)
    """The lanes that inquiries are about, since the newest request in them."""
    counts: dict[str, Counts] = field(default_factory=dict)
    """For each lane, what the run had used at the newest entry of the lane. Its next request was made then."""
    repeats: dict[str, list[str]] = field(default_factory=dict)
    """For each call, `RunView.repeats` of its key as it was when the call began."""

    def apply(self, entry: Entry) -> None:
        self.conversation.apply(entry)
        if entry.run != self.run:
            return
        self.thread = entry.thread
        self.view.apply(entry)
        self._apply(entry.event)
        if lane := getattr(entry.event, "lane", ""):
            self.counts[lane] = self.used()

    def used(self) -> Counts:
        return Counts(self.view.calls, self.view.requests, self.view.tokens)

    def _apply(self, event: Event) -> None:
        match event:
            case FrameKept():
                try:
                    self.frames[event.frame] = Frame.of(event)
                except ValueError:  # a stranger may have written it
                    self.frames.pop(event.frame, None)
            case LaneOpened():
                self.opened[event.lane] = event
                if event.parent and not event.call:
                    self.inquired.add(event.parent)
            case ModelAsked():
                self.asked[event.lane] = event
                self.replied.pop(event.lane, None)
                self.inquired.discard(event.lane)
            case ModelReplied():
                self.replied[event.lane] = event
            case CallStarted():
                key = call_key(event.role, event.tool, event.arguments)
                self.repeats.setdefault(event.call, list(self.view.repeats[key]))

    def lane(self, address: str) -> Lane:
        lane = self.conversation.lanes.get((self.run, address))
        if lane is None:
            raise NotKeptError("the journal does not have the beginning of its lane")
        return lane

    def scope(self, lane: str, limits: Limits) -> Quiet:
        """The scope in a lane, as it was."""
        found = self.lane(lane)
        return Quiet(
            self.journal,
            self.view,
            self.conversation,
            self.run,
            self.thread,
            _no_time,
            limits,
            lane=lane,
            role=found.role,
            depth=found.depth,
            phases=self.phases,
        )

    def scope_of_call(self, call: CallStarted, limits: Limits) -> Quiet:
        """The scope in which a call runs. Calls that began later are no repetitions."""
        key = call_key(call.role, call.tool, call.arguments)
        repeats = defaultdict(list, {key: self.repeats.get(call.call, [call.lane])})
        scope = self.scope(call.lane, limits)
        return replace(scope, view=replace(self.view, repeats=repeats))


def _no_time() -> float:
    return 0.0
