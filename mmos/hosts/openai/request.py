"""Builds a request for `/chat/completions`, and remembers which parameters a server refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from mmos.errors import BadRequest
from mmos.hosts.face import ChatRequest
from mmos.messages import Message

STRICT, LOOSE, OBJECT, FREE = "strict", "loose", "object", "free"
"""Ways to hold an answer to a schema, each asking less of the server; the reader of the answer checks it in any case."""

MOST_LESSONS = 12

_LESS = {STRICT: LOOSE, LOOSE: OBJECT, OBJECT: FREE}
_SCHEMA = re.compile(r"response_format|json_schema|json_object|\bschema\b|grammar", re.IGNORECASE)
_UNSUPPORTED = re.compile(
    r"support|unknown|unrecogni[sz]ed|unexpected|not permitted|extra |not allowed|does not (exist|accept)|no such"
    r"|not (a )?valid (field|param|argument|option)|invalid (field|param|argument|option)|not available|not implemented|not enabled",
    re.IGNORECASE,
)


@dataclass
class Habit:
    """How one model on one server is asked."""

    refused: set[str] = field(default_factory=set)
    limit: str = "max_tokens"
    format: str = STRICT

    def learn(self, fault: BadRequest, sent: Collection[str], *, constrained: bool) -> str:
        """What the next attempt does without; empty where that would not help."""
        named = _named(fault, sent)
        if named == "max_tokens" and "max_completion_tokens" in fault.verbatim:
            self.limit = "max_completion_tokens"
            return named
        # A value that is wrong is the user's to mend: only what the server does not know is left out.
        if named and (named == "stream_options" or _UNSUPPORTED.search(fault.verbatim)):
            self.refused.add(named)
            return named
        if constrained and self.format in _LESS and _SCHEMA.search(f"{fault.parameter} {fault.verbatim}"):
            self.format = _LESS[self.format]
            return "response_format"
        return ""


def _named(fault: BadRequest, sent: Collection[str]) -> str:
    """Which of the things that were sent the refusal names."""
    words = {re.split(r"[.\[]", fault.parameter)[0], *re.findall(r"\w+", fault.verbatim)}
    return max((name for name in sent if name in words), key=len, default="")


# ---------------------------------------------------------------- the request

_OF_THE_LOADER = frozenset({"num_ctx", "num_gpu", "main_gpu", "num_thread", "num_batch", "use_mmap", "num_keep"})
"""Options that say how an Ollama loads a model; here the server's start has settled them."""

_IMAGES = {"/9j/": "jpeg", "iVBOR": "png", "R0lGOD": "gif", "UklGR": "webp"}


def extras(request: ChatRequest, habit: Habit, window: int) -> dict[str, Any]:
    """All that a server may refuse and be asked without."""
    options = {name: value for name, value in request.options.items() if name not in _OF_THE_LOADER}
    limit = options.pop("num_predict", None)
    # A limit as large as the window is none, and servers refuse it: prompt and answer together have to fit.
    if isinstance(limit, int) and 0 < limit < window:
        options[habit.limit] = limit
    if isinstance(request.think, str):
        options["reasoning_effort"] = request.think
    options["stream_options"] = {"include_usage": True}
    return {name: value for name, value in options.items() if name not in habit.refused}


def encoded(request: ChatRequest, habit: Habit, more: dict[str, Any]) -> bytes:
    """The request as bytes, joined from those that messages, toolbox and schema have kept."""
    messages = b",".join([message.form("openai", form) for message in request.messages])
    parts = [b'{"model":', orjson.dumps(request.model), b',"messages":[', messages, b"],"]
    if request.tools:
        parts += (b'"tools":', request.tools, b",")
    if request.format and habit.format is not FREE:
        parts += (b'"response_format":', _response_format(request.format, habit.format), b",")
    parts.append(orjson.dumps({"stream": True, **more})[1:])
    return b"".join(parts)


def _response_format(schema: bytes, form: str) -> bytes:
    if form not in (STRICT, LOOSE):
        return b'{"type":"json_object"}'
    strict = b'"strict":true,' if form == STRICT else b""
    return b'{"type":"json_schema","json_schema":{"name":"answer",' + strict + b'"schema":' + schema + b"}}"


def form(message: Message) -> bytes:
    """The message as JSON for `/chat/completions`."""
    fields: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.calls:
        # The text of a turn with calls is left out as it is for an Ollama; the journal keeps it.
        fields["content"] = None
        fields["tool_calls"] = [_call(call.id, call.name, call.arguments) for call in message.calls]
    elif message.role == "tool":
        fields["tool_call_id"] = message.call_id or _implied(message.tool_name)
    elif b'"images":' in message.wire and (images := orjson.loads(message.wire).get("images")):
        fields["content"] = [{"type": "text", "text": message.content}, *_pictures(images)]
    return orjson.dumps(fields)


def _call(id_: str, name: str, arguments: Any) -> dict[str, Any]:
    return {"id": id_ or _implied(name), "type": "function", "function": {"name": name, "arguments": orjson.dumps(arguments).decode()}}


def _implied(name: str) -> str:
    """Call and result have to name each other; messages of the user's own may lack the id."""
    return f"call_{name}"


def _pictures(images: Sequence[str]) -> list[dict[str, Any]]:
    kinds = ((image, next((kind for start, kind in _IMAGES.items() if image.startswith(start)), "png")) for image in images)
    return [{"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{image}"}} for image, kind in kinds]
