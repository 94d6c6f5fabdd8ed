"""Sends a model's response under `/v1`: as a stream of events, or as one completion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mmos.rehearsal.faults import Fault
from mmos.rehearsal.profiles import Profile
from mmos.rehearsal.wire import HttpRequest
from mmos.rehearsal.writers import Collector, Stream, StruckError, encode, likely

V1_JSON = "application/json"
EVENTS = "text/event-stream"


def refuse_v1(http: HttpRequest, status: int, text: str, rules: Profile, content_type: str = V1_JSON) -> None:
    typed = rules.v1_tells_types or content_type != V1_JSON  # a body that cannot be read is refused earlier
    kinds = {400: "invalid_request_error", 404: "not_found_error"} if typed else {}
    error = {"message": text, "type": kinds.get(status, "api_error"), "param": None, "code": None}
    http.reply(status, encode({"error": error}) + (b"\n" if content_type == V1_JSON else b""), content_type)


@dataclass(frozen=True)
class Head:
    """The fields that every part of a response starts with, and the format of the parts."""

    id: str
    created: int
    model: str
    rules: Profile
    text: bool = False
    """The format of a text completion, not of a chat."""
    logprobs: int | None = None

    def line(self, kind: str, rest: Mapping[str, Any], *, model: str | None = None) -> bytes:
        fields = {"id": self.id, "object": kind, "created": self.created, "model": self.model if model is None else model}
        return encode({**fields, "system_fingerprint": "fp_ollama", **rest})

    def chunk(self, choices: Sequence[Mapping[str, Any]], *, model: str | None = None, **rest: Any) -> bytes:
        """An event of a stream."""
        return b"data: %b\n\n" % self.line(
            "text_completion" if self.text else "chat.completion.chunk", {"choices": choices, **rest}, model=model
        )

    def piece(self, delta: Mapping[str, Any], reason: str | None, tokens: Sequence[str] = ()) -> dict[str, Any]:
        if self.text:
            return {"text": delta.get("content", ""), "index": 0, "finish_reason": reason}
        return {"index": 0, "delta": delta, "finish_reason": reason, **self._likely(tokens)}

    def whole(
        self, message: Mapping[str, Any], reason: str | None, usage: Mapping[str, Any], tokens: Sequence[str] = (), **rest: Any
    ) -> bytes:
        """The whole response as one object."""
        if self.text:
            choice = {"text": message["content"], "index": 0, "finish_reason": reason}
            return self.line("text_completion", {"choices": [choice], "usage": usage}) + b"\n"
        choice = {"index": 0, "message": message, "finish_reason": reason, **self._likely(tokens)}
        return self.line("chat.completion", {"choices": [choice], "usage": usage, **rest}) + b"\n"

    def _likely(self, tokens: Sequence[str]) -> dict[str, Any]:
        if self.logprobs is None or not tokens:
            return {}
        return {"logprobs": {"content": [likely(token, self.logprobs) for token in tokens]}}

    def usage(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        prompt, output = metrics.get("prompt_eval_count", 0), metrics.get("eval_count", 0)
        counts: dict[str, Any] = {"prompt_tokens": prompt}
        if "prompt_eval_cached_count" in metrics:
            counts["prompt_tokens_details"] = {"cached_tokens": metrics["prompt_eval_cached_count"]}
        return counts | {"completion_tokens": output, "total_tokens": prompt + output}


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    content = {"name": function["name"], "arguments": orjson.dumps(function["arguments"]).decode()}
    return {"id": call["id"], "index": function["index"], "type": "function", "function": content}


def _note(http: HttpRequest, head: Head, reason: str, debug: Mapping[str, Any] | None) -> None:
    message = {"role": "" if debug else "assistant", "content": ""}
    more: dict[str, Any] = {} if debug is None else {"_debug_info": debug}
    http.reply(200, head.whole(message, reason or None, head.usage({}), **more), V1_JSON)


class EventWriter(Stream):
    """Sends events. An engine's error in the middle is lost."""

    content_type = EVENTS

    def __init__(self, http: HttpRequest, head: Head, fault: Fault | None, usage: bool) -> None:
        super().__init__(http, fault)
        self._head = head
        self._usage = usage
        self._has_calls = False

    def say(self, text: str) -> None:
        self._add({"content": text}, text)

    def think(self, text: str) -> None:
        self._add({"content": "", "reasoning": text}, text)

    def call(self, call: Mapping[str, Any]) -> None:
        self._has_calls = True
        self._add({"content": "", "tool_calls": [_call(call)]})

    def finish(self, reason: str, metrics: Mapping[str, Any], late: Sequence[Mapping[str, Any]] = ()) -> None:
        for call in late:
            self.call(call)
        if self._fault is not None:
            raise StruckError(self._fault)
        last = {"role": "assistant", "content": ""} if self._head.rules.v1_role_always else {}
        self._event([self._head.piece(last, "tool_calls" if self._has_calls else reason)])
        if self._usage:
            self._lines.append(self._head.chunk([], usage=self._head.usage(metrics)))
        self._lines.append(b"data: [DONE]\n\n")
        self.stop()

    def fail(self, text: str) -> None:
        if self._is_empty:
            return self.refuse(500, text)
        delta = {"role": "assistant", "content": ""} if self._head.rules.v1_role_always else {"content": ""}
        self._event([self._head.piece(delta, None)], model="")
        return self.stop()

    def refuse(self, status: int, text: str) -> None:
        refuse_v1(self._http, status, text, self._head.rules)

    def note(self, reason: str, debug: Mapping[str, Any] | None = None) -> None:
        _note(self._http, self._head, reason, debug)

    def _add(self, delta: Mapping[str, Any], *tokens: str) -> None:
        self._next()
        role = {"role": "assistant"} if self._chunks == 1 or self._head.rules.v1_role_always else {}
        self._event([self._head.piece({**role, **delta}, None, tokens)])

    def _event(self, choices: Sequence[Mapping[str, Any]], *, model: str | None = None) -> None:
        usage = {"usage": self._head.usage({})} if self._usage and self._head.text else {}
        self._lines.append(self._head.chunk(choices, model=model, **usage))


class CompletionWriter(Collector):
    """Sends one completion."""

    def __init__(self, http: HttpRequest, head: Head, fault: Fault | None) -> None:
        super().__init__(http, fault)
        self._head = head

    def finish(self, reason: str, metrics: Mapping[str, Any], late: Sequence[Mapping[str, Any]] = ()) -> None:
        self._close(late)
        self._send("tool_calls" if self._calls else reason, metrics)

    def refuse(self, status: int, text: str) -> None:
        refuse_v1(self._http, status, text, self._head.rules)

    def note(self, reason: str, debug: Mapping[str, Any] | None = None) -> None:
        _note(self._http, self._head, reason, debug)

    def stop(self) -> None:
        self._send(None, {})

    def _send(self, reason: str | None, metrics: Mapping[str, Any]) -> None:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._texts)}
        if self._thoughts:
            message["reasoning"] = "".join(self._thoughts)
        if self._calls:
            message["tool_calls"] = [_call(call) for call in self._calls]
        self._http.reply(200, self._head.whole(message, reason, self._head.usage(metrics), self._tokens), V1_JSON)
