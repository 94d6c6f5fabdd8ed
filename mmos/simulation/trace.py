"""Reads and writes traces: the calls of a workload with start times, dependencies and lengths, as JSON lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from mmos.config.document import Document
from mmos.config.translate import translate
from mmos.config.values import allowed
from mmos.config.wording import with_type
from mmos.errors import ConfigError, Problem

NEXT_STEP = "`mmos runs export RUN --trace` writes a trace; docs/simulate.md explains the keys of a line."


_Text = Annotated[str, Field(strict=True), allowed("text")]
_Name = Annotated[str, Field(strict=True, min_length=1), allowed("text")]
_Seconds = Annotated[float, Field(strict=True, ge=0), allowed("seconds, 0 or more")]
_Count = Annotated[int, Field(strict=True, ge=0), allowed("a whole number >= 0")]
_Names = Annotated[tuple[_Text, ...], allowed("a list of ids")]


@dataclass(frozen=True)
class Call:
    """One call to a model."""

    id: _Name
    model: _Name
    prompt_tokens: _Count
    output_tokens: _Count
    at: _Seconds = 0.0
    """Its start, in seconds since the start of the trace. The replay uses it only when the call waits for no other."""
    run: _Text = ""
    """Its job."""
    session: _Text = ""
    """The name that calls with a common beginning share."""
    role: _Text = ""
    after: _Names = ()
    """The calls that it waited for."""
    think: _Seconds = 0.0
    """Seconds between the end of the last of them and this call."""
    window: _Count = 0
    """Tokens. 0: the fleet chooses."""
    host: _Text = ""
    """The host that served it."""
    seconds: _Seconds = 0.0
    """Seconds that it took there, waiting included."""

    def to_json_line(self) -> str:
        row = {field.name: getattr(self, field.name) for field in fields(self)}
        return orjson.dumps(row | {"at": round(self.at, 3), "think": round(self.think, 3)}, option=orjson.OPT_APPEND_NEWLINE).decode()


_NEEDED = [spec.name for spec in fields(Call) if spec.default is MISSING]
_CALL = TypeAdapter(Call)


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
        if not isinstance(row, dict):
            self.problems.append(Problem(place, "", f"found {with_type(row)}, allowed: an object with {', '.join(_NEEDED)}"))
            return
        try:
            call = _CALL.validate_python(row)
        except ValidationError as error:
            self.problems += translate(error, Document(place, ""), {})
            return
        if call.id in self.calls:
            self.problems.append(
                Problem(place, "id", f"'{call.id}' stands twice, first on {self.places[call.id]}; give each call its own id")
            )
        self.calls[call.id] = replace(call, run=call.run or call.id, session=call.session or call.id)
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


def joined(traces: Sequence[Sequence[Call]]) -> list[Call]:
    """Several traces as one workload. All start at the same time, and share no jobs and no sessions."""
    if len(traces) == 1:
        return list(traces[0])
    return [_renamed(call, f"{number}/") for number, calls in enumerate(traces, 1) for call in calls]


def _renamed(call: Call, prefix: str) -> Call:
    after = tuple(prefix + name for name in call.after)
    return replace(call, id=prefix + call.id, run=prefix + call.run, session=prefix + call.session, after=after)
