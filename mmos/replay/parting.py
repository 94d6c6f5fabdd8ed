"""Finds the first step in which two runs differ. What only names a run or a call does not count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Literal

import orjson

from mmos.events import CallFinished, Entry, LaneOpened, ModelAsked, ModelReplied, RunFinished
from mmos.hosts.ollama import chat_body
from mmos.prompting.request import requests_of
from mmos.replay.differences import Difference, differences, of_texts, said

Kind = Literal["request", "reply", "result", "end"]


@dataclass(frozen=True)
class Moment:
    """One step of a run, without the ids that differ in every run."""

    kind: Kind
    role: str
    turn: int
    """The turn of its lane."""
    own: int
    """The turn of the run's own lane in which it was."""
    what: Mapping[str, Any]

    @property
    def place(self) -> str:
        return "the end" if self.kind == "end" else f"turn {self.turn} of {self.role}"


@dataclass(frozen=True)
class Parting:
    """Where two runs part."""

    one: str
    other: str
    turns: int
    """The turns of the run's own lane that are the same."""
    place: str = ""
    """Empty: they do not part."""
    turn: int = 0
    """The turn of the run's own lane in which they part."""
    differences: tuple[Difference, ...] = ()

    @property
    def same(self) -> bool:
        return not self.place

    @property
    def fork(self) -> str:
        """The command that takes this turn again. Empty: there is no turn."""
        return f"mmos runs fork {self.one} --at {self.turn}" if self.turn else ""


def parting(one: str, first: Iterable[Entry], other: str, second: Iterable[Entry]) -> Parting:
    """Where two runs part, from the entries of their threads."""
    turns = 0
    for mine, yours in zip_longest(_moments(one, first), _moments(other, second)):
        found = _differences(mine, yours)
        if found:
            at: Moment = mine or yours
            turn = max(1, mine.own) if mine is not None and mine.own else 0
            return Parting(one, other, max(0, at.own - (at.kind != "end")), at.place, turn, found)
        turns = mine.own if mine is not None else turns
    return Parting(one, other, turns)


def _differences(one: Moment | None, other: Moment | None) -> tuple[Difference, ...]:
    if one is None or other is None or (one.kind, one.role, one.turn) != (other.kind, other.role, other.turn):
        return (Difference("step", _told(one), _told(other)),)
    if one.kind == "request":
        return tuple(differences(one.what, other.what))
    names = dict.fromkeys([*one.what, *other.what])
    return tuple(found for name in names for found in of_texts(name, one.what.get(name), other.what.get(name)))


def _told(moment: Moment | None) -> str | None:
    return None if moment is None else f"{moment.kind} in {moment.place}" if moment.kind != "end" else f"the end: {moment.what['status']}"


# ---------------------------------------------------------------- the steps of one run


@dataclass
class _Lane:
    """What happened in a lane: for each turn its request and its reply."""

    role: str
    turns: list[tuple[ModelAsked, ModelReplied | None]] = field(default_factory=list)


def _moments(run: str, entries: Iterable[Entry]) -> Iterator[Moment]:
    """The steps of a run, in the order of its turns and calls."""
    return _Steps(run, list(entries)).all()


class _Steps:
    """The steps of one run, from the entries of its thread."""

    def __init__(self, run: str, entries: list[Entry]) -> None:
        self._mark = f"artifact:{run[-6:].lower()}-"
        self._bodies: dict[str, Any] = {}
        for entry, request in requests_of(entries):
            if entry.run == run and isinstance(entry.event, ModelAsked):
                self._bodies[entry.event.ask] = self._plain(chat_body(request)) if request else {}
        self._lanes: dict[str, _Lane] = {}
        self._opened: dict[str, list[str]] = {}
        """The lanes that each call opened."""
        self._results: dict[str, CallFinished] = {}
        self._own = ""
        self._end: RunFinished | None = None
        for entry in entries:
            if entry.run == run:
                self._take(entry.event)

    def _take(self, event: Any) -> None:
        match event:
            case LaneOpened():
                self._lanes[event.lane] = _Lane(event.role)
                self._opened.setdefault(event.call, []).append(event.lane)
                self._own = self._own or ("" if event.parent else event.lane)
            case ModelAsked() if lane := self._lanes.get(event.lane):
                if lane.turns and lane.turns[-1][1] is None:  # this request was tried again
                    lane.turns.pop()
                lane.turns.append((event, None))
            case ModelReplied() if (lane := self._lanes.get(event.lane)) and lane.turns:
                lane.turns[-1] = (lane.turns[-1][0], event)
            case CallFinished():
                self._results[event.call] = event
            case RunFinished():
                self._end = event

    def all(self) -> Iterator[Moment]:
        yield from self._of_lane(self._own, 0)
        lane, end = self._lanes.get(self._own), self._end
        status, answer = (end.status, self._text(end.answer)) if end else ("not ended", None)
        code = end.reason.code if end and end.reason else None
        yield Moment("end", "", 0, len(lane.turns) if lane else 0, {"status": status, "reason": code, "answer": answer})

    def _of_lane(self, address: str, own: int) -> Iterator[Moment]:
        lane = self._lanes.get(address)
        for number, (asked, replied) in enumerate(lane.turns if lane else (), 1):
            turn = own or number
            yield Moment("request", asked.role, number, turn, self._bodies.get(asked.ask, {}))
            if replied is None:
                continue
            yield Moment("reply", asked.role, number, turn, {"reply": self._text(said(replied.message))})
            for call in replied.message.calls:
                yield from self._of_call(call.id, asked.role, number, turn)

    def _of_call(self, call: str, role: str, number: int, turn: int) -> Iterator[Moment]:
        for lane in self._opened.get(call, ()):
            yield from self._of_lane(lane, turn)
        if (end := self._results.get(call)) is not None:
            yield Moment("result", role, number, turn, {f"result of {end.tool}": self._text(end.message.content)})

    def _text(self, text: str | None) -> str | None:
        return None if text is None else text.replace(self._mark, "artifact:…-")

    def _plain(self, body: bytes) -> Any:
        """The body of a request without ids."""
        plain = orjson.loads(body.replace(self._mark.encode(), "artifact:…-".encode()))
        for message in plain["messages"]:
            message.pop("tool_call_id", None)
            for call in message.get("tool_calls", ()):
                call.pop("id", None)
        return plain
