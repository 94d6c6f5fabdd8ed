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
from mmos.calls.stream import TextStream
from mmos.calls.tool_choice import AUTO, MOST_CALLS, ToolChoice, form
from mmos.fences import fenced, one_line, poses_as_result
from mmos.messages import Message, Reply, ToolCall

__all__ = ["MOST_CALLS", "Channel", "JsonTextStream", "SchemaChannel", "ShapedChannel", "ToolsChannel"]


class Channel(Protocol):
    """How tools reach a model and how its calls come back."""

    @property
    def name(self) -> str: ...
    @property
    def prompt(self) -> str:
        """The explanation of the tools in the system text."""
        ...

    @property
    def tools(self) -> bytes: ...
    @property
    def format(self) -> bytes: ...

    def read(self, reply: Reply, seen: Seen | None = None) -> Reading:
        """The calls and the text of a reply. A call in the text is a quotation if it is also in what the participant has `seen`."""
        ...

    def listen(self, tell: Callable[[str], None]) -> Callable[[str], None]:
        """Turn pieces of a raw reply into pieces of the text."""
        ...


@dataclass(frozen=True)
class ToolsChannel:
    """The host writes the tools into the prompt and reads the calls."""

    specs: Sequence[Spec] = ()
    name: str = "tools"
    prompt: str = ""
    format: bytes = b""
    choice: ToolChoice = AUTO

    @cached_property
    def _names(self) -> Names:
        return Names(self.specs)

    @cached_property
    def tools(self) -> bytes:
        allowed = self.choice.allowed(self.specs)
        return encode_offer(allowed) if allowed else b""

    def read(self, reply: Reply, seen: Seen | None = None) -> Reading:
        reading = read(reply, self._names, seen)
        if self.choice.least and not self.choice.prose and not reading.message.calls and not reading.unclear:
            return replace(reading, unclear=Unclear("early_answer"))
        return reading

    def listen(self, tell: Callable[[str], None]) -> Callable[[str], None]:
        return TextStream(tell, self._names).feed if self.specs else tell


TOOLS = "{{ tools }}"
"""The place of the tools in the explanation of the schema channel."""


def listed(specs: Sequence[Spec]) -> str:
    """The tools as the schema channel explains them."""
    return "\n".join(f"- {spec.name}: {spec.description}\n  arguments: {orjson.dumps(spec.parameters).decode()}" for spec in specs)


@dataclass(frozen=True)
class SchemaChannel:
    """Every reply is one JSON object that the host's grammar enforces: `{"calls": […]}` or `{"answer": "…"}`."""

    specs: Sequence[Spec]
    explain: str = f"Tools:\n{TOOLS}"
    """Template of the explanation in the system text."""
    name: str = "schema"
    tools: bytes = b""
    choice: ToolChoice = AUTO
    tokens: int | None = None
    """The most tokens of one reply, if they are fewer than the window."""
    none: str = ""
    """The text in place of the tools when there are none."""

    @cached_property
    def prompt(self) -> str:
        return self.explain.replace(TOOLS, listed(self.specs) or self.none)

    @cached_property
    def format(self) -> bytes:
        return form(self.specs, self.choice, self.tokens)

    def read(self, reply: Reply, seen: Seen | None = None) -> Reading:  # noqa: ARG002  # its calls are never read out of a text
        try:
            data = orjson.loads(reply.message.content)
        except orjson.JSONDecodeError:
            if reply.done_reason == "length":
                return Reading(reply.message, Unclear("cut_off_json"))
            return Reading(reply.message, Unclear("not_json"), suspect=bool(self.specs))
        if isinstance(data, dict) and isinstance(data.get("answer"), str):
            return Reading(replace(reply.message, content=data["answer"]), CLEAR if data["answer"].strip() else Unclear("empty_answer"))
        calls = _calls(data)
        if calls:
            return Reading(replace(reply.message, content="", calls=calls))
        return Reading(reply.message, Unclear("other_json"), suspect=bool(self.specs))

    def listen(self, tell: Callable[[str], None]) -> Callable[[str], None]:
        return JsonTextStream(tell).feed


@dataclass(frozen=True)
class ShapedChannel:
    """A final answer that must fit the user's schema. It offers no tools, and sends the conversation as the channel before it did."""

    before: Channel
    format: bytes
    name: str = "schema"
    tools: bytes = b""

    @property
    def prompt(self) -> str:
        return self.before.prompt

    def read(self, reply: Reply, seen: Seen | None = None) -> Reading:  # noqa: ARG002  # it makes no calls
        message = replace(reply.message, calls=())
        return Reading(message, CLEAR if message.content.strip() else Unclear("empty_shape"))

    def listen(self, tell: Callable[[str], None]) -> Callable[[str], None]:
        return tell


def _calls(data: Any) -> tuple[ToolCall, ...]:
    """The calls in `{"calls": [{"tool", "arguments"}]}`, without ids."""
    rows = data.get("calls") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        return ()
    return tuple(
        ToolCall("", row["tool"], row.get("arguments") or {})
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("tool"), str) and isinstance(row.get("arguments") or {}, dict)
    )


def in_words(message: Message) -> Message:
    """A message as the schema channel sends it: calls, results and answers as text. The template of a model without tools may not support others."""
    if message.calls or message.role in ("tool", "assistant"):
        return message.form("schema", _as_text)
    return message.form("schema", _as_question) if message.role == "user" else message


def _as_question(message: Message) -> Message:
    """A message of the user. On this channel results are messages of the user too. So a text that looks like a result is marked as a question."""
    if not poses_as_result(message.content):
        return message
    return Message.verbatim({**orjson.loads(message.wire), "content": f"You are asked:\n{fenced(message.content)}"})


def _as_text(message: Message) -> Message:
    if message.role == "tool":
        return Message("user", f"Result of {one_line(message.tool_name)[:LONGEST_NAME]}:\n{fenced(message.content)}")
    rows = [{"tool": call.name, "arguments": call.arguments} for call in message.calls]
    return Message("assistant", orjson.dumps({"calls": rows} if rows else {"answer": message.content}).decode())


LONGEST_NAME = 100
_OPENING = '{"answer":"'
_ENDS = re.compile(r"[\"\\]")
"""The end of the text, or the start of an escape."""
_GAPS = {_OPENING[place:] for place in (0, 1, 9, 10)}
"""The rest of the opening at each place where spaces are allowed, outside its strings."""


class JsonTextStream:
    """Reads the text of `{"answer": "…"}` out of a JSON object that is still being written."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._opening = _OPENING
        self._state = "opening"
        self._escape = ""

    def feed(self, piece: str) -> None:
        if self._state == "opening":
            piece = self._open(piece)
        if self._state == "text" and piece:
            text = self._decode(self._escape + piece)
            if text:
                self._tell(text)

    def _open(self, piece: str) -> str:
        """Match the opening without its spaces. Returns the part of the text that follows it."""
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
        """Replace the escapes. An incomplete escape waits for the next piece. Stop at the closing quote."""
        out: list[str] = []
        place, self._escape = 0, ""
        while place < len(raw):
            sign = raw[place]
            if sign == '"':
                self._state = "other"
                break
            if sign != "\\":
                ending = _ENDS.search(raw, place)
                end = ending.start() if ending else len(raw)
                out.append(raw[place:end])
                place = end
                continue
            length = _escape_length(raw, place)
            if place + length > len(raw):
                self._escape = raw[place:]
                break
            out.append(_unescape(raw[place : place + length]))
            place += length
        return "".join(out)


def _escape_length(raw: str, place: int) -> int:
    if raw[place + 1 : place + 2] != "u":
        return 2
    high = raw[place + 2 : place + 4].lower()
    # the first half of a surrogate pair is a character only together with the second half
    return 12 if high in ("d8", "d9", "da", "db") else 6


def _unescape(escape: str) -> str:
    try:
        return str(orjson.loads(f'"{escape}"'))
    except orjson.JSONDecodeError:
        return "\ufffd"
