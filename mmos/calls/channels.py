"""The two ways to offer tools to a model: the host's own `tools`, or one constrained JSON object that holds calls or an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import orjson

from mmos.calls.naming import Names
from mmos.calls.reading import CLEAR, Reading, Unclear, read
from mmos.calls.seen import Seen
from mmos.calls.spec import Spec, encode_offer
from mmos.calls.stages import FREE, MOST_CALLS, Stage, form
from mmos.calls.stream import TextStream
from mmos.fences import fenced, one_line, poses_as_result
from mmos.messages import Message, Reply, ToolCall

__all__ = ["MOST_CALLS", "Channel", "JsonTextStream", "SchemaChannel", "ShapedChannel", "ToolsChannel"]


class Channel(Protocol):
    """How tools reach a model and how its calls come back."""

    @property
    def name(self) -> str: ...
    @property
    def prompt(self) -> str:
        """What the model is told about tools in its system text."""
        ...

    @property
    def tools(self) -> bytes: ...
    @property
    def format(self) -> bytes: ...

    def shape(self, message: Message) -> Message:
        """A message of the thread in the form that this channel sends."""
        ...

    def read(self, reply: Reply, seen: Seen | None = None) -> Reading:
        """What a reply amounts to. A call that is read out of its text counts where it does not stand in what was `seen`."""
        ...

    def listen(self, tell: Callable[[str], None]) -> Callable[[str], None]:
        """Turn raw pieces of a reply into pieces of the answer's text."""
        ...


@dataclass(frozen=True)
class ToolsChannel:
    """The host renders the tools and parses the calls."""

    specs: Sequence[Spec] = ()
    name: str = "tools"
    prompt: str = ""
    format: bytes = b""
    stage: Stage = FREE

    @cached_property
    def _names(self) -> Names:
        return Names(self.specs)

    @cached_property
    def tools(self) -> bytes:
        offered = self.stage.offered(self.specs)
        return encode_offer(offered) if offered else b""

    def shape(self, message: Message) -> Message:
        return message

    def read(self, reply: Reply, seen: Seen | None = None) -> Reading:
        reading = read(reply, self._names, seen)
        if self.stage.least and not reading.message.calls and not reading.unclear:
            return replace(reading, unclear=Unclear("early_answer"))
        return reading

    def listen(self, tell: Callable[[str], None]) -> Callable[[str], None]:
        return TextStream(tell, self._names).feed if self.specs else tell


@dataclass(frozen=True)
class SchemaChannel:
    """Every turn is one JSON object, held to its form by the host's grammar: `{"calls": […]}` or `{"answer": "…"}`."""

    specs: Sequence[Spec]
    explain: str = "Tools:\n{{ tools }}"
    """Template of the explanation in the system text."""
    name: str = "schema"
    tools: bytes = b""
    stage: Stage = FREE
    tokens: int | None = None
    """What a turn may have, where that is less than the window."""
    none: str = ""
    """What stands in place of the tools when there are none."""

    @cached_property
    def prompt(self) -> str:
        lines = "\n".join(
            f"- {spec.name}: {spec.description}\n  arguments: {orjson.dumps(spec.parameters).decode()}" for spec in self.specs
        )
        return self.explain.replace("{{ tools }}", lines or self.none)

    @cached_property
    def format(self) -> bytes:
        return form(self.specs, self.stage, self.tokens)

    def shape(self, message: Message) -> Message:
        """Calls, results and answers in this channel's own words: such a model's template may know no others."""
        if message.calls or message.role in ("tool", "assistant"):
            return message.form("schema", _as_text)
        return message.form("schema", _asked) if message.role == "user" else message

    def read(self, reply: Reply, seen: Seen | None = None) -> Reading:  # noqa: ARG002  # its calls are never read out of a text
        try:
            said = orjson.loads(reply.message.content)
        except orjson.JSONDecodeError:
            if reply.done_reason == "length":
                return Reading(reply.message, Unclear("cut_off_json"))
            return Reading(reply.message, Unclear("not_json"), suspect=bool(self.specs))
        if isinstance(said, dict) and isinstance(said.get("answer"), str):
            return Reading(replace(reply.message, content=said["answer"]), CLEAR if said["answer"].strip() else Unclear("empty_answer"))
        calls = _calls(said)
        if calls:
            return Reading(replace(reply.message, content="", calls=calls))
        return Reading(reply.message, Unclear("other_json"), suspect=bool(self.specs))

    def listen(self, tell: Callable[[str], None]) -> Callable[[str], None]:
        return JsonTextStream(tell).feed


@dataclass(frozen=True)
class ShapedChannel:
    """A final answer, held to the user's own schema: no tools, and the conversation in the words of the channel before it."""

    before: Channel
    format: bytes
    name: str = "schema"
    tools: bytes = b""

    @property
    def prompt(self) -> str:
        return self.before.prompt

    def shape(self, message: Message) -> Message:
        return self.before.shape(message)

    def read(self, reply: Reply, seen: Seen | None = None) -> Reading:  # noqa: ARG002  # it makes no calls
        message = replace(reply.message, calls=())
        return Reading(message, CLEAR if message.content.strip() else Unclear("empty_shape"))

    def listen(self, tell: Callable[[str], None]) -> Callable[[str], None]:
        return tell


def _calls(said: Any) -> tuple[ToolCall, ...]:
    """The calls in `{"calls": [{"tool", "arguments"}]}`; ids come later."""
    rows = said.get("calls") if isinstance(said, dict) else None
    if not isinstance(rows, list):
        return ()
    return tuple(
        ToolCall("", row["tool"], row.get("arguments") or {})
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("tool"), str) and isinstance(row.get("arguments") or {}, dict)
    )


def _asked(message: Message) -> Message:
    """What a participant is asked. Results travel as messages of the user, so what reads like one is set apart."""
    if not poses_as_result(message.content):
        return message
    return Message.as_given({**orjson.loads(message.wire), "content": f"You are asked:\n{fenced(message.content)}"})


def _as_text(message: Message) -> Message:
    if message.role == "tool":
        return Message("user", f"Result of {one_line(message.tool_name)[:LONGEST_NAME]}:\n{fenced(message.content)}")
    rows = [{"tool": call.name, "arguments": call.arguments} for call in message.calls]
    return Message("assistant", orjson.dumps({"calls": rows} if rows else {"answer": message.content}).decode())


LONGEST_NAME = 100
_OPENING = '{"answer":"'
_ENDS = re.compile(r"[\"\\]")
"""What ends a stretch of plain text: the text's end, or an escape."""
_GAPS = {_OPENING[place:] for place in (0, 1, 9, 10)}
"""What is left of the opening where spaces may stand: outside of its strings."""


class JsonTextStream:
    """Reads the text of `{"answer": "…"}` out of a JSON object that is still being written."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._opening = _OPENING
        self._state = "opening"
        self._held = ""

    def feed(self, piece: str) -> None:
        if self._state == "opening":
            piece = self._open(piece)
        if self._state == "text" and piece:
            text = self._decode(self._held + piece)
            if text:
                self._tell(text)

    def _open(self, piece: str) -> str:
        """Match the opening, spaces aside; what is left belongs to the text."""
        for place, sign in enumerate(piece):
            if not self._opening:
                self._state = "text"
                return piece[place:]
            if sign == self._opening[0]:
                self._opening = self._opening[1:]
            elif not sign.isspace() or self._opening not in _GAPS:
                self._state = "other"
                return ""
        if not self._opening:
            self._state = "text"
        return ""

    def _decode(self, raw: str) -> str:
        """Unescape what is whole; hold back an escape that is still being written; stop at the closing quote."""
        out: list[str] = []
        place, self._held = 0, ""
        while place < len(raw):
            sign = raw[place]
            if sign == '"':
                self._state = "other"
                break
            if sign != "\\":
                found = _ENDS.search(raw, place)
                end = found.start() if found else len(raw)
                out.append(raw[place:end])
                place = end
                continue
            length = _escape_length(raw, place)
            if place + length > len(raw):
                self._held = raw[place:]
                break
            out.append(_unescape(raw[place : place + length]))
            place += length
        return "".join(out)


def _escape_length(raw: str, place: int) -> int:
    if raw[place + 1 : place + 2] != "u":
        return 2
    high = raw[place + 2 : place + 4].lower()
    # the first half of a surrogate pair is no character without its second
    return 12 if high in ("d8", "d9", "da", "db") else 6


def _unescape(escape: str) -> str:
    try:
        return str(orjson.loads(f'"{escape}"'))
    except orjson.JSONDecodeError:
        return "\ufffd"
