"""The conversation of one thread: for each role the exchanges that ended, and the ones in progress; extended, never rebuilt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mmos.events import CallFinished, Entry, LaneClosed, LaneOpened, ModelReplied, Prompted, RunResumed, RunWithdrawn, Status
from mmos.messages import Message, ToolCall


@dataclass(eq=False)
class History:
    """The ended exchanges of one role, flat, with the place where each begins."""

    messages: list[Message] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    """The run that each belongs to."""

    def extend(self, exchange: Iterable[Message], run: str) -> None:
        self.starts.append(len(self.messages))
        self.runs.append(run)
        self.messages.extend(exchange)

    def take_back(self) -> None:
        """Forget the newest exchange."""
        del self.messages[self.starts.pop() :]
        self.runs.pop()

    def place(self, exchange: int) -> int:
        """Where an exchange begins in `messages`; the end for one that is still to come."""
        return self.starts[exchange] if exchange < len(self.starts) else len(self.messages)


@dataclass
class Lane:
    """One exchange: what was given, what was said and done since, and which calls still have no result."""

    role: str
    history: History
    past: int
    """How many ended exchanges there were when this one began; its prompt never grows at the front."""
    messages: list[Message]
    depth: int = 0
    parent: str = ""
    turns: int = 0
    setbacks: int = 0
    """Unclear turns since something last came of one."""
    reshaped: int = 0
    """How often its answer was asked for in the user's own shape."""
    open: tuple[ToolCall, ...] = ()
    results: dict[str, Message] = field(default_factory=dict)
    status: Status | None = None

    @property
    def pending(self) -> tuple[ToolCall, ...]:
        """Calls of the newest turn that have no result yet, in the model's order."""
        return tuple(call for call in self.open if call.id not in self.results)

    @property
    def last(self) -> Message:
        return self.messages[-1]

    def before(self, skip: int = 0) -> list[Message]:
        """The ended exchanges that this one remembers, without the `skip` oldest."""
        return self.history.messages[self.history.place(skip) : self.history.place(self.past)]

    def known(self) -> list[Message]:
        """All that its participant has been given and has said, oldest first."""
        return [*self.before(), *self.messages]

    def said(self) -> str:
        """The newest text of the model in this exchange."""
        return next((message.content for message in reversed(self.messages) if message.role == "assistant" and message.content), "")


class Conversation:
    """All roles' lanes of one thread, folded from its entries."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.lanes: dict[str, Lane] = {}
        self.histories: dict[str, History] = {}
        self.seen = 0
        self.ends: list[Entry] = []
        """Ends and withdrawals of exchanges that were folded in: our own get their numbers only when they are committed."""
        for entry in entries:
            self.apply(entry)

    def apply(self, entry: Entry) -> None:
        self.seen = max(self.seen, entry.seq)
        match entry.event:
            case LaneOpened() as event:
                history = self.histories.setdefault(event.role, History())
                self.lanes[event.lane] = Lane(event.role, history, len(history.starts), [event.message], event.depth, event.parent)
            case ModelReplied() as event:
                lane = self.lanes[event.lane]
                lane.turns += 1
                lane.messages.append(event.message)
                lane.open, lane.results = event.message.calls, {}
            case CallFinished() as event:
                _settle(self.lanes[event.lane], event)
            case Prompted() as event:
                lane = self.lanes[event.lane]
                lane.setbacks += not event.shape
                lane.reshaped += event.shape
                lane.messages.append(event.message)
            case LaneClosed() as event:
                lane = self.lanes[event.lane]
                lane.status = event.status
                lane.history.extend(_as_history(lane, event), entry.run)
                self.ends.append(entry)
            case RunResumed():
                self._reopen(entry.run)
            case RunWithdrawn():
                self._withdraw(entry.run)
                self.ends.append(entry)

    def knows(self, ended: list[Entry]) -> bool:
        """Whether these newest ends in the journal were all folded in; another process may have written some."""
        known = {entry.seq for entry in self.ends}
        self.seen = max([self.seen, *(entry.seq for entry in ended)])
        self.ends = [entry for entry in self.ends if not 0 < entry.seq <= self.seen]
        return all(entry.seq in known for entry in ended)

    def path(self, lane: str) -> list[str]:
        """The lane, the one that asked it, and so on up to the run's own."""
        found = []
        while lane:
            found.append(lane)
            lane = self.lanes[lane].parent
        return found

    def _reopen(self, run: str) -> None:
        """The run's own exchange goes on; what was said of its first end is taken back while nobody remembers it."""
        lane = self.lanes.get(run)
        if lane is None or lane.status is None:
            return
        lane.status = None
        if lane.last.role == "assistant":  # it was asked in vain; now it is asked anew
            lane.reshaped = 0
        remembered = any(other.past > lane.past for other in self.lanes.values() if other.history is lane.history)
        if lane.past == len(lane.history.starts) - 1 and not remembered:
            lane.history.take_back()

    def _withdraw(self, run: str) -> None:
        """What its participants said is taken back, as far as it is the newest and no other run has built on it."""
        for history in self.histories.values():
            others = (lane.past for name, lane in self.lanes.items() if lane.history is history and name.partition(":")[0] != run)
            built_on = max(others, default=0)
            while len(history.starts) > built_on and history.runs[-1] == run:
                history.take_back()


def _settle(lane: Lane, event: CallFinished) -> None:
    """Results join the exchange together and in the order of the calls, whoever finished first: templates match by position."""
    if all(call.id != event.call for call in lane.open):
        return
    lane.results[event.call] = event.message
    if not lane.pending:
        lane.messages.extend(lane.results[call.id] for call in lane.open)
        lane.open = ()
        lane.setbacks = 0


def _as_history(lane: Lane, event: LaneClosed) -> list[Message]:
    """The exchange as later turns see it: no call without a result, and a cut answer says that it was cut."""
    messages = list(lane.messages)
    if event.status == "answered":
        return messages
    if lane.open and messages[-1].calls:
        messages.pop()
    mark = f"[This answer was cut short: {event.status}.]"
    messages.append(Message("assistant", f"{event.text}\n{mark}" if event.text else mark))
    return messages
