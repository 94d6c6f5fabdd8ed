"""Reads and writes traces: the calls of a workload with start times, dependencies and lengths, as JSON lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import orjson

from mmos.config.wording import with_type
from mmos.errors import ConfigError, Problem

NEXT_STEP = "`mmos runs export RUN --trace` writes a trace; docs/simulate.md explains the keys of a line."


@dataclass(frozen=True)
class Call:
    """One call to a model."""

    id: str
    model: str
    prompt_tokens: int
    output_tokens: int
    at: float = 0.0
    """Its start, in seconds since the start of the trace. The replay uses it only when the call waits for no other."""
    run: str = ""
    """Its job."""
    session: str = ""
    """The name that calls with a common beginning share."""
    role: str = ""
    after: tuple[str, ...] = ()
    """The calls that it waited for."""
    think: float = 0.0
    """Seconds between the end of the last of them and this call."""
    window: int = 0
    """Tokens. 0: the fleet chooses."""
    host: str = ""
    """The host that served it."""
    seconds: float = 0.0
    """Seconds that it took there, waiting included."""

    def to_json_line(self) -> str:
        row = {field.name: getattr(self, field.name) for field in fields(self)}
        return orjson.dumps(row | {"at": round(self.at, 3), "think": round(self.think, 3)}, option=orjson.OPT_APPEND_NEWLINE).decode()


_TEXTS = ("id", "model", "run", "session", "role", "host")
_NUMBERS = ("at", "think", "seconds")
_WHOLES = ("prompt_tokens", "output_tokens", "window")
_NEEDED = ("id", "model", "prompt_tokens", "output_tokens")


def read_trace(path: Path) -> list[Call]:
    """The calls of a file. Raises `ConfigError` with all problems."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError([Problem(str(path), "", (error.strerror or "it cannot be read").lower())], next_step=NEXT_STEP) from None
    reader = _Reader(str(path))
    for number, line in enumerate(lines, 1):
        if line.strip():
            reader.take(f"{path}:{number}", line)
    reader.check()
    if reader.problems:
        raise ConfigError(reader.problems, next_step=NEXT_STEP)
    return list(reader.calls.values())


class _Reader:
    """Reads a trace line by line, and collects the problems."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: dict[str, Call] = {}
        self.places: dict[str, str] = {}
        self.problems: list[Problem] = []

    def take(self, place: str, line: bytes) -> None:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            self.problems.append(Problem(place, "", f"this is not JSON: {error.msg}"))
            return
        wrong = list(_problems(row))
        self.problems += [Problem(place, key, message) for key, message in wrong]
        if wrong:
            return
        call = Call(**{field.name: row[field.name] for field in fields(Call) if field.name in row})
        if call.id in self.calls:
            self.problems.append(
                Problem(place, "id", f"'{call.id}' stands twice, first on {self.places[call.id]}; give each call its own id")
            )
        self.calls[call.id] = replace(call, after=tuple(call.after), run=call.run or call.id, session=call.session or call.id)
        self.places[call.id] = place

    def check(self) -> None:
        """Check that calls wait only for calls of this trace, and never for each other in a circle."""
        if not self.calls and not self.problems:
            self.problems.append(Problem(self.name, "", "the file has no calls"))
        for call in self.calls.values():
            unknown = [name for name in call.after if name not in self.calls]
            if unknown:
                self.problems.append(Problem(self.places[call.id], "after", f"'{unknown[0]}' is not a call of this trace"))
        try:
            TopologicalSorter({call.id: call.after for call in self.calls.values()}).prepare()
        except CycleError as error:
            circle = " → ".join(error.args[1])
            self.problems.append(Problem(self.name, "after", f"these calls wait for each other: {circle}"))


def _problems(row: Any) -> Iterable[tuple[str, str]]:
    if not isinstance(row, dict):
        yield "", f"found {with_type(row)}, allowed: an object with {', '.join(_NEEDED)}"
        return
    for key in _NEEDED:
        if key not in row:
            yield key, f"'{key}' is missing; it is required here"
    for key, value in row.items():
        if key in _TEXTS and not (isinstance(value, str) and (value or key not in _NEEDED)):
            yield key, f"found {with_type(value)}, allowed: text"
        if key in _NUMBERS and not (isinstance(value, int | float) and not isinstance(value, bool) and value >= 0):
            yield key, f"found {with_type(value)}, allowed: seconds, 0 or more"
        if key in _WHOLES and not (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            yield key, f"found {with_type(value)}, allowed: a whole number >= 0"
        if key == "after" and not (isinstance(value, list) and all(isinstance(name, str) for name in value)):
            yield key, f"found {with_type(value)}, allowed: a list of ids"


def joined(traces: Sequence[Sequence[Call]]) -> list[Call]:
    """Several traces as one workload. All start at the same time, and share no jobs and no sessions."""
    if len(traces) == 1:
        return list(traces[0])
    return [_renamed(call, f"{number}/") for number, calls in enumerate(traces, 1) for call in calls]


def _renamed(call: Call, prefix: str) -> Call:
    after = tuple(prefix + name for name in call.after)
    return replace(call, id=prefix + call.id, run=prefix + call.run, session=prefix + call.session, after=after)
