"""Sends a model's response: as a stream of lines, or as one object."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from mmos.rehearsal.clock import Clock
from mmos.rehearsal.decoding import Ask
from mmos.rehearsal.faults import CRASH, MID_STREAM, Fault
from mmos.rehearsal.wire import NDJSON, HttpRequest

GARBAGE = b"\x16\x03\x01 this is not the protocol you are looking for \xff\xfe\n"


class StruckError(Exception):
    """A fault ends the response in the middle."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.kind)
        self.fault = fault


@dataclass(frozen=True)
class Metrics:
    """The seconds and tokens of a response. Zeros are left out, except the number of cached tokens."""

    total: float
    load: float
    prompt_count: int
    prompt: float
    count: int
    output: float
    cached: int | None = None
    """How many tokens of the prompt were in the cache. None: the host does not say."""

    def to_json(self) -> dict[str, int]:
        cached = {} if self.cached is None else {"prompt_eval_cached_count": self.cached}
        fields = {
            "total_duration": int(self.total * 1e9),
            "load_duration": int(self.load * 1e9),
            "prompt_eval_count": self.prompt_count,
            **cached,
            "prompt_eval_duration": int(self.prompt * 1e9),
            "eval_count": self.count,
            "eval_duration": int(self.output * 1e9),
        }
        return {name: value for name, value in fields.items() if value or name in cached}


def encode(value: Any) -> bytes:
    """JSON as Go writes it: `<`, `>` and `&` are escaped."""
    data = orjson.dumps(value)
    return data.replace(b"&", b"\\u0026").replace(b"<", b"\\u003c").replace(b">", b"\\u003e")


def likely(token: str, others: int) -> dict[str, Any]:
    """The probability of a token. A scripted model is certain of each token and knows no alternatives."""
    fields: dict[str, Any] = {"token": token, "logprob": 0, "bytes": list(token.encode())}
    return fields | ({"top_logprobs": [dict(fields)]} if others else {})


def refuse(http: HttpRequest, status: int, text: str) -> None:
    http.reply(status, encode({"error": text}))


class Shape:
    """Where the parts of a response go: into the `message` of a chat, or beside the `response` of a generation."""

    def __init__(self, model: str, clock: Clock, *, chat: bool) -> None:
        self.chat = chat
        self._clock = clock
        self._head = b'{"model":%b,"created_at":"' % encode(model)
        self._text = b'","message":{"role":"assistant","content":' if chat else b'","response":'
        self._end = b'},"done":false}\n' if chat else b',"done":false}\n'

    def note(self, reason: str, debug: Mapping[str, Any] | None) -> bytes:
        rest = {"done": True, "done_reason": reason} if debug is None else {"done": False, "_debug_info": debug}
        return self.line("", {"role": ""} if self.chat and debug else {}, rest)[:-1]

    def text(self, text: str) -> bytes:
        return b"%b%b%b%b%b" % (self._head, self._clock.stamp().encode(), self._text, encode(text), self._end)

    def line(self, content: str, parts: Mapping[str, Any], rest: Mapping[str, Any]) -> bytes:
        """An object with the parts of a message, and the fields after it."""
        if self.chat:
            fields = {"message": {"role": "assistant", "content": content, **parts}, **rest}
        else:
            fields = {"response": content, **parts, **rest}
        return b'%b%b",%b\n' % (self._head, self._clock.stamp().encode(), encode(fields)[1:])


class ResponseWriter(Protocol):
    """Gets a response piece by piece, and sends it."""

    def say(self, text: str) -> None: ...
    def think(self, text: str) -> None: ...
    def call(self, call: Mapping[str, Any]) -> None: ...
    def flush(self) -> None: ...
    def finish(self, reason: str, metrics: Mapping[str, Any], late: Sequence[Mapping[str, Any]] = ()) -> None:
        """End the response, with its calls."""
        ...

    def fail(self, text: str) -> None: ...
    def refuse(self, status: int, text: str) -> None: ...
    def stop(self) -> None:
        """End the response without the line that says so."""
        ...

    def note(self, reason: str, debug: Mapping[str, Any] | None = None) -> None:
        """The response to a request without a prompt: the reason of the end, or the prompt that the model would get."""
        ...

    def garble(self) -> None: ...


class Stream:
    """Sends a response piece by piece. It keeps the pieces until they are flushed."""

    content_type = NDJSON

    def __init__(self, http: HttpRequest, fault: Fault | None) -> None:
        self._http = http
        self._fault = fault if fault is not None and fault.kind in MID_STREAM else None
        self._chunks = 0
        self._lines: list[bytes] = []
        self._open = False

    def stop(self) -> None:
        self.flush(wait=True)
        if not self._open:
            self._http.open(200, self.content_type)
        self._http.close()

    def garble(self) -> None:
        self._lines.append(GARBAGE)
        self.stop()

    def flush(self, *, wait: bool = False) -> None:
        if self._lines and not self._open:
            self._http.open(200, self.content_type)
            self._open = True
        for line in self._lines:
            self._http.send(line)
        self._lines.clear()
        if not wait:
            self._http.flush()

    @property
    def _is_empty(self) -> bool:
        return not self._open and not self._lines

    def _next(self) -> None:
        """Count a piece. A fault may end the response before it."""
        if self._fault is not None and self._chunks >= self._fault.place:
            raise StruckError(self._fault)
        self._chunks += 1


class LineWriter(Stream):
    """Writes one line for each piece."""

    def __init__(self, http: HttpRequest, shape: Shape, fault: Fault | None, logprobs: int | None) -> None:
        super().__init__(http, fault)
        self._shape = shape
        self._logprobs = logprobs

    def say(self, text: str) -> None:
        self._add(self._shape.text(text) if self._logprobs is None else self._shape.line(text, {}, self._rest(text)))

    def think(self, text: str) -> None:
        self._add(self._shape.line("", {"thinking": text}, self._rest(text)))

    def _rest(self, text: str) -> dict[str, Any]:
        return {"done": False} if self._logprobs is None else {"done": False, "logprobs": [likely(text, self._logprobs)]}

    def call(self, call: Mapping[str, Any]) -> None:
        self._add(self._shape.line("", {"tool_calls": [call]}, {"done": False}))

    def finish(self, reason: str, metrics: Mapping[str, Any], late: Sequence[Mapping[str, Any]] = ()) -> None:
        if self._fault is not None:
            raise StruckError(self._fault)
        parts = {"tool_calls": late} if late else {}
        self._lines.append(self._shape.line("", parts, {"done": True, "done_reason": reason, **metrics}))
        self.stop()

    def fail(self, text: str) -> None:
        if self._is_empty:
            return self.refuse(500, text)
        self._lines.append(encode({"error": text}) + b"\n")
        return self.stop()

    def note(self, reason: str, debug: Mapping[str, Any] | None = None) -> None:
        self._http.reply(200, self._shape.note(reason, debug))

    def refuse(self, status: int, text: str) -> None:
        self._http.open(status, "application/json")
        self._http.send(encode({"error": text}))
        self._http.close()

    def _add(self, line: bytes) -> None:
        self._next()
        self._lines.append(line)


class Collector:
    """Keeps the parts of a response until its end."""

    def __init__(self, http: HttpRequest, fault: Fault | None) -> None:
        self._http = http
        self._fault = fault if fault is not None and fault.kind in MID_STREAM else None
        self._tokens: list[str] = []
        """All tokens, of the text and of the thought."""
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._calls: list[Mapping[str, Any]] = []

    def say(self, text: str) -> None:
        self._texts.append(text)
        self._tokens.append(text)

    def think(self, text: str) -> None:
        self._thoughts.append(text)
        self._tokens.append(text)

    def call(self, call: Mapping[str, Any]) -> None:
        self._calls.append(call)

    def flush(self) -> None:
        """Sends nothing before the end."""

    def garble(self) -> None:
        self._http.reply(200, GARBAGE)

    def fail(self, text: str) -> None:
        self.refuse(500, text)

    def refuse(self, status: int, text: str) -> None:
        refuse(self._http, status, text)

    def _close(self, late: Sequence[Mapping[str, Any]]) -> None:
        if self._fault is not None:
            raise StruckError(self._fault)
        self._calls += late


class ObjectWriter(Collector):
    """Sends everything in one object at the end."""

    def __init__(self, http: HttpRequest, shape: Shape, fault: Fault | None, logprobs: int | None) -> None:
        super().__init__(http, fault)
        self._shape = shape
        self._logprobs = logprobs

    def finish(self, reason: str, metrics: Mapping[str, Any], late: Sequence[Mapping[str, Any]] = ()) -> None:
        self._close(late)
        sure = {} if self._logprobs is None else {"logprobs": [likely(token, self._logprobs) for token in self._tokens]}
        self._send({"done": True, "done_reason": reason, **sure, **metrics})

    def note(self, reason: str, debug: Mapping[str, Any] | None = None) -> None:
        self._http.reply(200, self._shape.note(reason, debug))

    def stop(self) -> None:
        self._send({"done": False})

    def _send(self, rest: Mapping[str, Any]) -> None:
        parts: dict[str, Any] = {"thinking": "".join(self._thoughts)} if self._thoughts else {}
        if self._calls:
            parts["tool_calls"] = self._calls
        self._http.reply(200, self._shape.line("".join(self._texts), parts, rest)[:-1])


def open_writer(http: HttpRequest, shape: Shape, fault: Fault | None, ask: Ask) -> ResponseWriter:
    return (LineWriter if ask.stream else ObjectWriter)(http, shape, fault, ask.logprobs)


async def suffer(fault: Fault, writer: ResponseWriter, http: HttpRequest) -> None:
    """Apply a fault to a response that has started."""
    writer.flush()
    if fault.kind == "stall":
        await asyncio.Event().wait()
    elif fault.kind == "cut":
        http.cut()
    elif fault.kind == "error_line":
        writer.fail(fault.error or CRASH)
    elif fault.kind == "garbage":
        writer.garble()
    else:
        writer.stop()
