"""Keeps the waiting calls: one line for all calls that are alike, each in the order of fair shares."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from mmos.placement.facts import Call, Limit, Mark
from mmos.placement.rates import Flow

Kind: TypeAlias = tuple[tuple[str, ...], tuple[str, ...], int, bool, tuple[Limit, ...]]
"""What calls of one line have in common: models, hosts, window, urgency, limits."""
QUIET = 0.0003
"""A line with fewer arrivals a second is forgotten when it is empty."""
COMPACT = 64
MOST_JOBS = 4096
USUAL = 0.1
"""The weight of a new call in the averages of its line."""


@dataclass(slots=True)
class Waiting:
    """A call in a line."""

    call: Call
    since: float
    tag: float
    """Its turn, in seconds of work that its line has given: see `Shares`."""
    number: int
    attempt: int = 0
    """Its newest attempt."""
    attempts: int = 0
    line: Line | None = None
    avoid: str = ""
    """The host that failed it last."""

    @property
    def place(self) -> tuple[float, int]:
        return self.tag, self.number


@dataclass(eq=False)
class Line:
    """Calls that are alike wait in one line."""

    kind: Kind
    flow: Flow
    prompt: float = 0.0
    """The usual tokens of a prompt here, and of an answer."""
    output: float = 0.0
    displaced: float = 0.0
    """Seconds of reading that a usual call costs other sessions."""
    strategy: str = "auto"
    """The GPU strategy of its newest call."""
    _order: list[tuple[float, int, Waiting]] = field(default_factory=list)
    _first: int = 0
    _arrivals: deque[Waiting] = field(default_factory=deque)
    _marks: dict[int, dict[int, Waiting]] = field(default_factory=dict)
    """For each beginning of a prompt, the calls that want it."""

    def __len__(self) -> int:
        return len(self._order) - self._first

    def __iter__(self) -> Iterator[Waiting]:
        """The calls by turn. The line may change between two of them."""
        at = self._first
        while at < len(self._order):
            waiting = self._order[at][2]
            yield waiting
            at = max(at, self._first)
            if at < len(self._order) and self._order[at][2] is waiting:
                at += 1

    def allows(self, host: str) -> bool:
        """Whether its calls may go to a host."""
        return not self.kind[1] or host in self.kind[1]

    def add(self, waiting: Waiting) -> None:
        waiting.line = self
        if self._first > COMPACT and self._first * 2 > len(self._order):
            del self._order[: self._first]
            self._first = 0
        insort(self._order, (waiting.tag, waiting.number, waiting), lo=self._first)
        if waiting.attempts:
            self._arrivals.appendleft(waiting)  # it waited here before
        else:
            self._arrivals.append(waiting)
        for mark, _ in waiting.call.blocks:
            self._marks.setdefault(mark, {})[waiting.number] = waiting

    def remove(self, waiting: Waiting) -> None:
        waiting.line = None
        at = bisect_left(self._order, (waiting.tag, waiting.number), lo=self._first)
        if at == self._first:
            self._first += 1
        else:
            del self._order[at]
        self._forget(waiting)

    def _forget(self, waiting: Waiting) -> None:
        for mark, _ in waiting.call.blocks:
            calls = self._marks[mark]
            calls.pop(waiting.number, None)
            if not calls:
                del self._marks[mark]
        while self._arrivals and self._arrivals[0].line is not self:
            self._arrivals.popleft()

    @property
    def first(self) -> Waiting:
        return self._order[self._first][2]

    @property
    def oldest(self) -> Waiting:
        return self._arrivals[0]

    def continuing(self, marks: Sequence[Mark]) -> Waiting | None:
        """A waiting call with the longest of these beginnings that any has."""
        for mark, _ in reversed(marks):
            if calls := self._marks.get(mark):
                return next(iter(calls.values()))
        return None

    def position(self, waiting: Waiting) -> int:
        return bisect_left(self._order, waiting.place, lo=self._first) - self._first

    def learn(self, call: Call, output: float) -> None:
        """Take the size of a call into the averages."""
        self.strategy = call.strategy or self.strategy
        if not self.prompt:
            self.prompt, self.output = max(1.0, call.prompt_tokens), output
        self.prompt += USUAL * (call.prompt_tokens - self.prompt)
        self.output += USUAL * (output - self.output)


class Lines(dict[Kind, Line]):
    """All lines. `memory`: the seconds after which an arrival counts a third in the demand."""

    def __init__(self, memory: float) -> None:
        super().__init__()
        self._memory = memory

    def of(self, call: Call) -> Line:
        """The line of a call: a new one, if it is the first of its kind."""
        kind = (call.models, call.hosts, call.window, call.urgent, call.limits)
        line = self.get(kind)
        if line is None:
            line = self[kind] = Line(kind, Flow(self._memory))
        return line

    def want(self, model: str, host: str) -> bool:
        """Whether a call waits that a model on a host could serve."""
        return any(len(line) and model in line.kind[0] and line.allows(host) for line in self.values())

    def forget(self, now: float) -> list[Line]:
        """Forget the lines that nobody uses any more, and return them."""
        quiet = [line for line in self.values() if not len(line) and line.flow.rate(now) < QUIET]
        for line in quiet:
            del self[line.kind]
        return quiet


@dataclass(slots=True)
class Account:
    """What a job has had."""

    tag: float
    """Its turn, when it began."""
    due: float
    """The time of the shares at which it has had no more than others."""


class Shares:
    """Divides the hosts' time between jobs. Its time is the work that each waiting job would have had if all had got the same.

    Jobs have their turn in the order in which they began, short ones first, so that one ends after the other instead of all late.
    A job that is too far ahead of its share must wait.
    """

    def __init__(self, lead: float) -> None:
        self.time = 0.0
        self._lead = lead
        self._accounts: dict[str, Account] = {}

    def tag(self, job: str, work: float) -> float:
        """The turn of a call with so many seconds of work."""
        account = self._accounts.pop(job, None) if job else None
        if account is None or account.due < self.time - self._lead:
            account = Account(self.time + work, self.time)
        account.due = max(account.due, self.time) + work
        if job:
            self._accounts[job] = account
            if len(self._accounts) > MOST_JOBS:
                del self._accounts[next(iter(self._accounts))]
        return max(account.tag, account.due - self._lead)

    def sent(self, work: float, waiting: int) -> None:
        self.time += work / max(1, waiting)
