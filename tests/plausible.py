"""Histories that could have happened: a small world of runs, lanes and calls that writes down what it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from mmos.events import CallFinished, CallStarted, Entry, Event, LaneClosed, LaneOpened, ModelReplied, Prompted, RunResumed
from mmos.messages import Message, ToolCall

ROLES = ("coding", "analysis")
moves = st.lists(
    st.tuples(
        st.sampled_from(["open", "reply", "call", "call", "finish", "finish", "prompt", "consult", "close", "resume"]), st.integers(0, 99)
    )
)
"""What happens next, and to whom: numbers pick among those to whom it can happen."""


@dataclass
class Open:
    """A lane as the world knows it: what it waits for."""

    run: str
    name: str
    role: str
    pending: list[ToolCall] = field(default_factory=list)
    children: int = 0
    closed: str = ""


@dataclass
class World:
    entries: list[Entry] = field(default_factory=list)
    lanes: list[Open] = field(default_factory=list)
    count: int = 0

    def tell(self, run: str, event: Event) -> None:
        self.entries.append(Entry(run, "t", float(len(self.entries)), event, len(self.entries) + 1))

    def fresh(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def open(self, pick: int) -> None:
        run = self.fresh("run")
        self._lane(run, run, "arbiter", "", "")

    def _lane(self, run: str, name: str, role: str, parent: str, call: str) -> None:
        self.lanes.append(Open(run, name, role))
        self.tell(run, LaneOpened(name, role, Message("user", self.fresh("task ")), parent, call))

    def reply(self, pick: int, calls: int = 0) -> None:
        if lane := self._pick(pick, lambda lane: not lane.closed and not lane.pending):
            lane.pending = [ToolCall(self.fresh("call"), "look", {}) for _ in range(calls)]
            message = Message("assistant", self.fresh("said "), tuple(lane.pending))
            self.tell(lane.run, ModelReplied("a", lane.name, lane.role, "m", "h", message))

    def call(self, pick: int) -> None:
        self.reply(pick, 1 + pick % 3)

    def finish(self, pick: int) -> None:
        """Any of the pending calls, in any order."""
        if lane := self._pick(pick, lambda lane: not lane.closed and bool(lane.pending)):
            call = lane.pending.pop(pick % len(lane.pending))
            self.tell(lane.run, CallStarted(call.id, lane.name, lane.role, "look", {}))
            self.tell(
                lane.run, CallFinished(call.id, lane.name, lane.role, "look", True, Message("tool", f"of {call.id}", call_id=call.id))
            )

    def prompt(self, pick: int) -> None:
        if lane := self._pick(pick, lambda lane: not lane.closed and not lane.pending):
            self.tell(lane.run, Prompted(lane.name, lane.role, Message("user", self.fresh("not so "))))

    def consult(self, pick: int) -> None:
        if lane := self._pick(pick, lambda lane: not lane.closed and bool(lane.pending)):
            self._lane(lane.run, self.fresh(f"{lane.run}:"), ROLES[pick % 2], lane.name, lane.pending[0].id)

    def close(self, pick: int) -> None:
        if lane := self._pick(pick, lambda lane: not lane.closed):
            lane.closed = "answered" if not lane.pending and pick % 2 else ("partial", "failed", "cancelled")[pick % 3]
            self.tell(lane.run, LaneClosed(lane.name, lane.role, lane.closed, "so far" if pick % 5 else ""))  # type: ignore[arg-type]

    def resume(self, pick: int) -> None:
        if lane := self._pick(pick, lambda lane: lane.name == lane.run and lane.closed != "answered"):
            lane.closed = ""
            self.tell(lane.run, RunResumed("p"))

    def _pick(self, pick: int, fits: Callable[[Open], bool]) -> Open | None:
        fitting = [lane for lane in self.lanes if fits(lane)]
        return fitting[pick % len(fitting)] if fitting else None


def history(told: Sequence[tuple[str, int]]) -> list[Entry]:
    """The entries of a world in which this happened."""
    world = World()
    for move, pick in told:
        getattr(world, move)(pick)
    return world.entries


histories = moves.map(history)
