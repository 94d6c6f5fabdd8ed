"""Builds the conversation of a thread: what each participant remembers, and the exchanges in progress. New entries extend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from mmos.answers import ALWAYS, verdict
from mmos.chunk_events import PartsJoined, TaskCondensed
from mmos.events import (
    CallFinished,
    Entry,
    Event,
    HistoryShortened,
    LaneClosed,
    LaneOpened,
    ModelAsked,
    ModelReplied,
    Prompted,
    QuestionAnswered,
    QuestionAsked,
    RunResumed,
    RunWithdrawn,
    Status,
)
from mmos.library_events import PassagesFound
from mmos.messages import Message, ToolCall
from mmos.pattern_events import PatternAnswered
from mmos.quality_events import AnswerRevised
from mmos.recovery_events import AnswerRestated, ResultsShortened, RolledBack
from mmos.views.forking import retold, turns
from mmos.views.history import Counted, History, with_texts
from mmos.views.passages import rows_of
from mmos.window_events import HistorySummarised, MessagesShortened


class Extent(NamedTuple):
    """What is in the prompts of a lane at one moment."""

    messages: list[Message]
    setbacks: int
    reshaped: int
    open: tuple[ToolCall, ...]
    results: dict[str, Message]
    marks: dict[int, int]
    useful: int


@dataclass
class Lane:
    """One exchange: the first message, everything since, and the calls that have no result yet."""

    role: str
    history: History
    past: int
    """The number of ended exchanges when this one began. Its prompts show no later ones, so nothing moves in front of its messages."""
    messages: list[Message]
    depth: int = 0
    parent: str = ""
    turns: int = 0
    setbacks: int = 0
    """Unclear turns since the last useful turn."""
    reshaped: int = 0
    """How often MMOS asked for its answer in the user's schema."""
    open: tuple[ToolCall, ...] = ()
    results: dict[str, Message] = field(default_factory=dict)
    status: Status | None = None
    marks: dict[int, int] = field(default_factory=dict)
    """For each turn to which the lane can go back, the number of messages before its reply."""
    useful: int = 0
    """The newest turn whose calls all have results."""
    extents: dict[str, Extent] = field(default_factory=dict)
    """What was in the prompts before each recovery that changed them."""
    asked: ModelAsked | None = None
    """Its newest request."""
    host: str = ""
    """Where its newest reply came from."""
    written: int = 0
    """The tokens that its model has written."""

    @property
    def pending(self) -> tuple[ToolCall, ...]:
        """The calls of the newest turn that have no result yet, in the model's order."""
        return tuple(call for call in self.open if call.id not in self.results) if self.open else ()

    @property
    def last(self) -> Message:
        return self.messages[-1]

    def before(self, skip: int = 0) -> list[Message]:
        """What its participant remembers of earlier exchanges, without the `skip` oldest."""
        history = self.history
        messages = history.messages[history.place(skip) : history.place(self.past)] if self.past else []
        return messages if history.summary is None or skip < history.summarised else [history.summary, *messages]

    def all_messages(self) -> list[Message]:
        """All that its participant has read and written, oldest first."""
        return [*self.before(), *self.messages]

    @property
    def settled(self) -> list[Message]:
        """The exchange without a newest reply whose calls have no results yet."""
        return self.messages[:-1] if self.open else self.messages

    def forked(self, run: str) -> History:
        """A memory of another role that begins with all this. When it does not fit into a window, the oldest parts can be left out."""
        history = History()
        for number, begun_in in enumerate(self.history.runs[: self.past]):
            exchange = self.history.messages[self.history.place(number) : self.history.place(number + 1)]
            history.extend(retold(exchange), begun_in)
        for part in turns(self.settled):
            history.extend(retold(part), run)
        return history

    def newest_text(self) -> str:
        """The newest text of the model in this exchange."""
        return next((message.content for message in reversed(self.messages) if message.role == "assistant" and message.content), "")

    @property
    def safe_turn(self) -> int:
        """The first turn after the newest useful one. A lane that goes back to it loses nothing but what went wrong."""
        return min((turn for turn in self.marks if turn > self.useful), default=self.turns + 1)

    def go_back(self, event: RolledBack) -> None:
        """Take a turn again, or be as before the recovery."""
        self.history.counted = None
        if event.undone:
            if (extent := self.extents.pop(event.recovery, None)) is not None:
                self.messages, self.setbacks, self.reshaped, self.open, self.results, self.marks, self.useful = extent
            return
        now = Extent(list(self.messages), self.setbacks, self.reshaped, self.open, dict(self.results), self.marks, self.useful)
        self.extents[event.recovery] = now
        self.messages = self.messages[: max(1, self.marks.get(event.turn, len(self.messages)))]
        self.marks = {turn: place for turn, place in self.marks.items() if turn < event.turn}
        self.setbacks, self.reshaped, self.open, self.results = 0, 0, (), {}
        if event.advice:
            self.messages.append(Message("user", event.advice))


class Conversation:
    """The lanes of one thread, built from its entries."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.lanes: dict[tuple[str, str], Lane] = {}
        """By run and address."""
        self.roots: dict[str, Lane] = {}
        """The own lane of each run."""
        self.histories: dict[tuple[str, str], History] = {}
        """By memory and role."""
        self.withdrawn: set[str] = set()
        """The runs that the user took back."""
        self.approvals: dict[tuple[str, str], QuestionAsked] = {}
        """By role and tool: the question to which the user answered that the role may always call the tool."""
        self.passages = 0
        """The highest number of a passage of the library that the thread was given."""
        self.given: list[Message] = []
        """The passages that stood in tails of prompts. No message has them, but models have read them."""
        self.passages_read: list[Message] = []
        """All passages, also those that a tool gave."""
        self._requests: dict[tuple[str, str], QuestionAsked] = {}
        """By run and question: the requests for approval."""
        self.newest = 0
        """The number of the newest entry that is applied."""
        self.ends: list[Entry] = []
        """Ends and withdrawals of exchanges that are already applied. Entries of this process get their numbers only at the commit."""
        for entry in entries:
            self.apply(entry)

    def apply(self, entry: Entry) -> None:
        if entry.seq > self.newest:
            self.newest = entry.seq
        event: Any = entry.event
        kind = type(event)
        if kind in _OF_LANES:
            lane = self.lanes.get((entry.run, event.lane))
            if lane is not None:  # the journal of a stranger may lack its start
                _OF_LANES[kind](lane, event)
                if kind is LaneClosed:
                    lane.history.extend(_as_history(lane, event), entry.run)
                    self.ends.append(entry)
        elif kind in _OF_THREADS:
            _OF_THREADS[kind](self, entry.run, event)
            if kind is RunWithdrawn:
                self.ends.append(entry)

    def knows(self, ends: list[Entry]) -> bool:
        """Whether all these newest ends in the journal are already applied. Another process may have written some."""
        known = {entry.seq for entry in self.ends}
        self.newest = max([self.newest, *(entry.seq for entry in ends)])
        self.ends = [entry for entry in self.ends if not 0 < entry.seq <= self.newest]
        return all(entry.seq in known for entry in ends)

    def path(self, run: str, lane: str) -> list[str]:
        """The lane, its parent, and so on up to the run's own lane."""
        path: dict[str, None] = {}
        while (run, lane) in self.lanes and lane not in path:  # the journal of a stranger may contain a circle
            path[lane] = None
            lane = self.lanes[run, lane].parent
        return list(path)

    def _request(self, run: str, event: QuestionAsked) -> None:
        if event.digest and not event.imported and (run, event.lane) in self.lanes:
            self._requests[run, event.question] = event

    def _approve(self, run: str, event: QuestionAnswered) -> None:
        asked = self._requests.get((run, event.question))
        tool = asked.basis.get("tool") if asked is not None else None
        if asked is not None and isinstance(tool, dict) and event.by == "user" and verdict(event.text) == ALWAYS:
            self.approvals[asked.role, str(tool.get("name"))] = asked

    def _open(self, run: str, event: LaneOpened) -> None:
        history = self._history(run, event)
        lane = Lane(event.role, history, len(history.starts), [event.message], event.depth, event.parent)
        self.lanes[run, event.lane] = lane
        if not event.parent:
            self.roots[run] = lane

    def _history(self, run: str, event: LaneOpened) -> History:
        """What a participant remembers when its lane opens. Only lanes with the memory `thread` or `conversation:ID` share a history."""
        kind, _, name = event.memory.partition(":")
        if kind in ("thread", "conversation"):
            return self.histories.setdefault((event.memory, event.role), History())
        origin = self.lanes.get((run, name)) if kind in ("lane", "past") else None
        if origin is not None and kind == "lane" and origin.role != event.role:
            return origin.forked(run)
        history = History()
        if origin is not None:
            history.extend([*origin.before(), *origin.settled] if kind == "lane" else origin.before(), run)
        return history

    def _summarise(self, run: str, event: HistorySummarised) -> None:
        lane = self.lanes.get((run, event.lane))
        history = lane.history if lane is not None else self.histories.get((event.memory, event.role))
        if history is not None:
            history.summarise(event)

    def _reopen(self, run: str, _: RunResumed) -> None:
        """Continue the run's own exchange. Remove its first end from the history, if no later exchange has used it."""
        lane = self.roots.get(run)
        if lane is None or lane.status is None:
            return
        lane.status = None
        if lane.last.role == "assistant":  # the model gave an unsuitable answer; MMOS will ask again
            lane.reshaped = 0
        in_use = any(other.past > lane.past for other in self.lanes.values() if other.history is lane.history)
        if lane.past == len(lane.history.starts) - 1 and not in_use:
            lane.history.take_back()

    def _give(self, _run: str, event: PassagesFound) -> None:
        rows = [*rows_of(event)]
        self.passages = max([self.passages, *(row["number"] for row in rows)])
        if rows:
            self.passages_read.append(Message("tool", "\n".join(f"{row['source']} {row['path']}\n{row['text']}" for row in rows)))
            self.given += self.passages_read[-1:] if event.by != "call" else []

    def _withdraw(self, run: str, _: RunWithdrawn) -> None:
        """Remove a run's exchanges from the histories, as far as they are the newest and no other run that still counts has used them."""
        self.withdrawn.add(run)
        for history in self.histories.values():
            using = (lane for (other, _), lane in self.lanes.items() if lane.history is history and other not in self.withdrawn)
            in_use = max((lane.past for lane in using), default=0)
            while len(history.starts) > in_use and history.runs[-1] == run:
                history.take_back()


def _shorten(lane: Lane, event: HistoryShortened) -> None:
    lane.history.skipped = event.dropped


def _ask(lane: Lane, event: ModelAsked) -> None:
    lane.asked = event


def _reply(lane: Lane, event: ModelReplied) -> None:
    asked, tokens = lane.asked, event.usage.prompt_tokens
    if asked is not None and tokens > 0 and asked.ask == event.ask:
        lane.history.counted = Counted(asked, lane.past, lane.messages[:], tokens)
    lane.turns += 1
    lane.marks[lane.turns] = len(lane.messages)
    lane.messages.append(event.message)
    lane.open, lane.results = event.message.calls, {}
    lane.host, lane.written = event.host, lane.written + event.usage.output_tokens


def _prompt(lane: Lane, event: Prompted) -> None:
    lane.setbacks += not event.shape
    lane.reshaped += event.shape
    lane.messages.append(event.message)


def _close(lane: Lane, event: LaneClosed) -> None:
    lane.status = event.status


def _settle(lane: Lane, event: CallFinished) -> None:
    """Add results when all calls have one, in the order of the calls, because templates match them by position."""
    if all(call.id != event.call for call in lane.open):
        return
    lane.results[event.call] = event.message
    if not lane.pending:
        lane.messages.extend(lane.results[call.id] for call in lane.open)
        lane.open = ()
        lane.setbacks = 0
        lane.useful = lane.turns


def _restate(lane: Lane, event: AnswerRestated) -> None:
    lane.messages.append(event.message)


def _revise(lane: Lane, event: AnswerRevised) -> None:
    if lane.last.role == "assistant":
        lane.messages.pop()
    lane.messages.append(event.message)


def _shorten_results(lane: Lane, event: ResultsShortened) -> None:
    lane.history.counted, lane.history.refers = None, True
    results = ((message, event.results.get(message.call_id)) for message in lane.messages)
    lane.messages = [replace(message, content=text) if isinstance(text, str) else message for message, text in results]


def _condense(lane: Lane, event: TaskCondensed) -> None:
    lane.messages = [event.message, *lane.messages[1:]]


def _join(lane: Lane, event: PartsJoined | PatternAnswered) -> None:
    lane.messages.append(event.message)


def _shorten_messages(lane: Lane, event: MessagesShortened) -> None:
    history = lane.history
    history.counted, history.refers = None, history.refers or event.what == "results"
    history.messages = with_texts(history.messages, event.past)
    lane.messages = with_texts(lane.messages, event.current)


def _as_history(lane: Lane, event: LaneClosed) -> list[Message]:
    """The exchange as later turns see it: without calls that have no result, and with a mark if the answer was cut short."""
    messages = list(lane.messages)
    if event.status == "answered":
        return messages
    if lane.open and messages[-1].calls:
        messages.pop()
    if rest := "\n".join(filter(None, (event.text, event.mark))):
        messages.append(Message("assistant", rest))
    return messages


_OF_LANES: dict[type[Event], Callable[[Lane, Any], None]] = {
    HistoryShortened: _shorten,
    ModelAsked: _ask,
    ModelReplied: _reply,
    CallFinished: _settle,
    Prompted: _prompt,
    RolledBack: Lane.go_back,
    ResultsShortened: _shorten_results,
    MessagesShortened: _shorten_messages,
    AnswerRestated: _restate,
    AnswerRevised: _revise,
    TaskCondensed: _condense,
    PartsJoined: _join,
    PatternAnswered: _join,
    LaneClosed: _close,
}
"""What changes a lane. There are many events, so each finds its function at once."""

_OF_THREADS: dict[type[Event], Callable[[Conversation, str, Any], None]] = {
    LaneOpened: Conversation._open,
    QuestionAsked: Conversation._request,
    QuestionAnswered: Conversation._approve,
    HistorySummarised: Conversation._summarise,
    PassagesFound: Conversation._give,
    RunResumed: Conversation._reopen,
    RunWithdrawn: Conversation._withdraw,
}
