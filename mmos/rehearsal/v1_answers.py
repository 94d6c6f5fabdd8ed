"""The answers of a model under `/v1`: events of a stream, or one completion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mmos.rehearsal.answers import GARBAGE, Gathered, StruckError, encode
from mmos.rehearsal.faults import MID_STREAM, Fault
from mmos.rehearsal.profiles import Profile
from mmos.rehearsal.wire import Exchange

V1_JSON = "application/json"
EVENTS = "text/event-stream"


def refuse_v1(exchange: Exchange, status: int, text: str, rules: Profile, content_type: str = V1_JSON) -> None:
    kinds = {400: "invalid_request_error", 404: rules.v1_missing}
    error = {"message": text, "type": kinds.get(status, "api_error"), "param": None, "code": None}
    exchange.reply(status, encode({"error": error}), content_type)


@dataclass(frozen=True)
class Head:
    """What every part of an answer begins with."""

    id: str
    created: int
    model: str
    rules: Profile

    def line(self, kind: str, rest: Mapping[str, Any], *, model: str | None = None) -> bytes:
        told = {"id": self.id, "object": kind, "created": self.created, "model": self.model if model is None else model}
        return encode({**told, "system_fingerprint": "fp_ollama", **rest})

    def usage(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        prompt, output = metrics.get("prompt_eval_count", 0), metrics.get("eval_count", 0)
        told: dict[str, Any] = {"prompt_tokens": prompt}
        if "prompt_eval_cached_count" in metrics:
            told["prompt_tokens_details"] = {"cached_tokens": metrics["prompt_eval_cached_count"]}
        return told | {"completion_tokens": output, "total_tokens": prompt + output}


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    told = {"name": function["name"], "arguments": orjson.dumps(function["arguments"]).decode()}
    return {"id": call["id"], "index": function["index"], "type": "function", "function": told}


class StreamedV1:
    """Events; an engine's error in the middle is lost."""

    def __init__(self, exchange: Exchange, head: Head, fault: Fault | None, usage: bool) -> None:
        self._exchange = exchange
        self._head = head
        self._fault = fault if fault is not None and fault.kind in MID_STREAM else None
        self._usage = usage
        self._chunks = 0
        self._called = False
        self._lines: list[bytes] = []
        self._open = False

    def say(self, text: str) -> None:
        self._add({"content": text})

    def think(self, text: str) -> None:
        self._add({"content": "", "reasoning": text})

    def call(self, call: Mapping[str, Any]) -> None:
        self._called = True
        self._add({"content": "", "tool_calls": [_call(call)]})

    def finish(self, reason: str, metrics: Mapping[str, Any], late: Sequence[Mapping[str, Any]] = ()) -> None:
        for call in late:
            self.call(call)
        if self._fault is not None:
            raise StruckError(self._fault)
        last = {"role": "assistant", "content": ""} if self._head.rules.v1_role_always else {}
        self._event({"choices": [{"index": 0, "delta": last, "finish_reason": "tool_calls" if self._called else reason}]})
        if self._usage:
            self._event({"choices": [], "usage": self._head.usage(metrics)})
        self._lines.append(b"data: [DONE]\n\n")
        self.stop()

    def fail(self, text: str) -> None:
        if not self._open and not self._lines:
            return self.refuse(500, text)
        delta = {"role": "assistant", "content": ""} if self._head.rules.v1_role_always else {"content": ""}
        self._event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}, model="")
        return self.stop()

    def refuse(self, status: int, text: str) -> None:
        refuse_v1(self._exchange, status, text, self._head.rules)

    def stop(self) -> None:
        self.flush(held=True)
        if not self._open:
            self._exchange.open(200, EVENTS)
        self._exchange.close()

    def garble(self) -> None:
        self._lines.append(GARBAGE)
        self.stop()

    def flush(self, *, held: bool = False) -> None:
        if self._lines and not self._open:
            self._exchange.open(200, EVENTS)
            self._open = True
        for line in self._lines:
            self._exchange.send(line)
        self._lines.clear()
        if not held:
            self._exchange.flush()

    def _add(self, delta: Mapping[str, Any]) -> None:
        if self._fault is not None and self._chunks >= self._fault.place:
            raise StruckError(self._fault)
        role = {"role": "assistant"} if self._chunks == 0 or self._head.rules.v1_role_always else {}
        self._chunks += 1
        self._event({"choices": [{"index": 0, "delta": {**role, **delta}, "finish_reason": None}]})

    def _event(self, rest: Mapping[str, Any], *, model: str | None = None) -> None:
        self._lines.append(b"data: %b\n\n" % self._head.line("chat.completion.chunk", rest, model=model))


class WholeV1(Gathered):
    """One completion."""

    def __init__(self, exchange: Exchange, head: Head, fault: Fault | None) -> None:
        super().__init__(fault)
        self._exchange = exchange
        self._head = head

    def finish(self, reason: str, metrics: Mapping[str, Any], late: Sequence[Mapping[str, Any]] = ()) -> None:
        self._close(late)
        self._send("tool_calls" if self._calls else reason, metrics)

    def fail(self, text: str) -> None:
        self.refuse(500, text)

    def refuse(self, status: int, text: str) -> None:
        refuse_v1(self._exchange, status, text, self._head.rules)

    def stop(self) -> None:
        self._send(None, {})

    def garble(self) -> None:
        self._exchange.reply(200, GARBAGE)

    def _send(self, reason: str | None, metrics: Mapping[str, Any]) -> None:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._said)}
        if self._thought:
            message["reasoning"] = "".join(self._thought)
        if self._calls:
            message["tool_calls"] = [_call(call) for call in self._calls]
        choice = {"index": 0, "message": message, "finish_reason": reason}
        rest = {"choices": [choice], "usage": self._head.usage(metrics)}
        self._exchange.reply(200, self._head.line("chat.completion", rest), V1_JSON)
