"""Defines messages with their files, tool calls, usage and replies. Each message is encoded once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import orjson

from mmos.checking import sound

LOADED = 0.1
"""Seconds of the host's clock. A loaded model reports at most 0.045, so more than this means that the host loaded it for the call."""

REPETITION = "repetition"
"""The `done_reason` of a reply that MMOS stopped because the model repeated itself. Hosts report `stop` and `length`."""

Form = TypeVar("Form")
Speaker = Literal["system", "user", "assistant", "tool"]


def clean(text: str) -> str:
    """The text as valid UTF-8: incomplete characters, as in file names and broken input, become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class ToolCall:
    """A model's request to run a tool."""

    id: str
    name: str
    arguments: Mapping[str, Any]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ToolCall:
        return sound(cls(data["id"], data["name"], data["arguments"]))


@dataclass(frozen=True)
class File:
    """A file that the user attached to a message: a text, or an image in base64."""

    name: str
    text: str = ""
    image: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> File:
        return sound(cls(data["name"], data.get("text", ""), data.get("image", "")))


@dataclass(frozen=True)
class Message:
    """One entry of a conversation with a model, as in `/api/chat`."""

    role: Speaker
    content: str
    calls: tuple[ToolCall, ...] = ()
    thinking: str = ""
    tool_name: str = ""
    call_id: str = ""
    files: tuple[File, ...] = ()
    """The attached files. A model that cannot see images does not get the images."""
    _wire: bytes = field(default=b"", init=False, repr=False, compare=False)
    _forms: dict[str, Any] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def wire(self) -> bytes:
        """The message as JSON for `/api/chat`. It is written on first use and kept."""
        if not self._wire:
            object.__setattr__(self, "_wire", orjson.dumps(self._wire_form()))
        return self._wire

    def form(self, name: str, make: Callable[[Message], Form]) -> Form:
        """A value that `make` derives from the message, on first use. The message keeps it, because it is in the prompts of many turns."""
        forms = self._forms
        if forms is None:
            forms = {}
            object.__setattr__(self, "_forms", forms)
        if name not in forms:
            forms[name] = make(self)
        form: Form = forms[name]
        return form

    def _wire_form(self) -> dict[str, Any]:
        # A turn with text and calls loses its calls in many templates (`if .Content … else if .ToolCalls`),
        # so its text is left out on the wire; the journal keeps it. Thinking is never sent back.
        form: dict[str, Any] = {"role": self.role, "content": "" if self.calls else self.content}
        if self.calls:
            form["tool_calls"] = [{"id": call.id, "function": {"name": call.name, "arguments": call.arguments}} for call in self.calls]
        if self.tool_name:
            form["tool_name"] = self.tool_name
        if self.call_id:
            form["tool_call_id"] = self.call_id
        return form

    @classmethod
    def verbatim(cls, body: Mapping[str, Any]) -> Message:
        """A message in the format of `/api/chat`. It goes out as it is, with all its keys."""
        calls = tuple(
            ToolCall(call.get("id", ""), call["function"]["name"], call["function"].get("arguments") or {})
            for call in body.get("tool_calls") or ()
        )
        message = cls(
            body["role"], body.get("content") or "", calls, tool_name=body.get("tool_name", ""), call_id=body.get("tool_call_id", "")
        )
        object.__setattr__(message, "_wire", orjson.dumps(dict(body)))
        return message

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Message:
        message = cls(
            role=data["role"],
            content=data["content"],
            calls=tuple(ToolCall.from_json(call) for call in data.get("calls", ())),
            thinking=data.get("thinking", ""),
            tool_name=data.get("tool_name", ""),
            call_id=data.get("call_id", ""),
            files=tuple(File.from_json(file) for file in data.get("files", ())),
        )
        return sound(message)


@dataclass(frozen=True)
class Usage:
    """What one model call cost, in tokens and in seconds of the host's own clock."""

    prompt_tokens: int = 0
    output_tokens: int = 0
    load_seconds: float = 0.0
    prompt_seconds: float = 0.0
    output_seconds: float = 0.0
    total_seconds: float = 0.0
    cached_tokens: int | None = None

    @property
    def loaded(self) -> bool:
        """Whether the host loaded the model for this call."""
        return self.load_seconds > LOADED

    @property
    def queue_seconds(self) -> float:
        """Time that the host reports for nothing else: the call waited for a slot."""
        return max(0.0, self.total_seconds - self.load_seconds - self.prompt_seconds - self.output_seconds)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Usage:
        return sound(cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data}))


@dataclass(frozen=True)
class Reply:
    """A whole reply of a model: `done: true` has arrived."""

    message: Message
    model: str
    host: str
    usage: Usage = Usage()
    done_reason: str = "stop"
    placement: Mapping[str, Any] = field(default_factory=dict)
    """Why the fleet chose this host, in seconds."""

    @property
    def text(self) -> str:
        return self.message.content

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return self.message.calls
