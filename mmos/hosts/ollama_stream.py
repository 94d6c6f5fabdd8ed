"""Reads a streamed reply of `/api/chat`: one object per line, tool calls in any chunk, and `done` at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mmos.hosts import faults, reading
from mmos.hosts.face import OnToken
from mmos.hosts.growing import Growing
from mmos.messages import Reply, ToolCall, Usage

PLAIN_KEYS = 4
"""A line with a piece of the text has `model`, `created_at`, `message` and `done`, and no more."""
PLAIN_MESSAGE_KEYS = 2
"""Its message has `role` and `content`."""


class OllamaStream(Growing):
    """The answer of an Ollama."""

    __slots__ = ("_final",)

    def __init__(self, site: faults.Site, ids: Callable[[], str], on_token: OnToken | None = None) -> None:
        super().__init__(site, ids, on_token)
        self._final: dict[str, Any] = {}

    def end(self) -> bool:
        line = b"".join(self._rest).strip()
        if not line or (line.startswith(b"{") and reading.parsed_or_none(line) is None):
            return False
        self._released()
        return self._take(line)

    def reply(self) -> Reply:
        reason = self._final.get("done_reason")
        return self._reply(_usage(self._final), reason if isinstance(reason, str) and reason else "stop")

    def _take_all(self, lines: list[bytes]) -> bool:
        """Nearly all lines are only pieces of the text: those before the first other one are read together."""
        taken = 0
        for chunk in () if self._veiled else reading.parsed_together(lines[:-1]):
            if len(chunk) != PLAIN_KEYS or "error" in chunk or chunk.get("done") is not False:
                break
            message = chunk.get("message")
            if type(message) is not dict or len(message) != PLAIN_MESSAGE_KEYS or message.get("role") != "assistant":
                break
            content = message.get("content")
            if type(content) is not str:
                break
            self._pieces.append(content)
            if content and self._on_token is not None:
                self._on_token(content)
            taken += 1
        self._known = self._known or taken > 0
        return super()._take_all(lines[taken:])

    def _take(self, line: bytes) -> bool:
        try:
            chunk = reading.parsed(line)
        except ValueError:
            raise faults.garbled(self._site, "a line that is no JSON") from None
        if not isinstance(chunk, dict):
            raise faults.garbled(self._site, "a line that is no JSON object")
        if message := chunk.get("message"):
            self._known = True
            self._hear(message)
        if error := chunk.get("error"):
            self._stutters()  # then the host has stopped it, and says so
            raise faults.spoken(self._site, error)
        if chunk.get("done") is not True:
            return False
        self._final = chunk
        return True

    def _hear(self, message: Mapping[str, Any]) -> None:
        if not isinstance(message, dict):
            raise faults.garbled(self._site, "a message that is no object")
        if content := message.get("content"):
            self._say(content)
        if thinking := message.get("thinking"):
            self._thoughts.append(self._text(thinking))
        # Hosts send calls in chunks of their own, in the last chunk, or in both: all of them count, in their order.
        if calls := message.get("tool_calls"):
            self._take_calls(calls)

    def _take_calls(self, calls: Any) -> None:
        if not isinstance(calls, list):
            raise faults.garbled(self._site, "tool calls that are no list")
        self._count_calls(len(self._calls) + len(calls))
        for raw in calls:
            self._calls.append(self._call(raw))

    def _call(self, raw: Any) -> ToolCall:
        function = raw.get("function") if isinstance(raw, dict) else None
        if not isinstance(function, dict):
            raise faults.garbled(self._site, "a tool call that is no object")
        name = self._name(function.get("name"))
        return ToolCall(self._id(raw.get("id")), name, self._arguments(name, function.get("arguments")))


def _usage(final: Mapping[str, Any]) -> Usage:
    return Usage(
        prompt_tokens=reading.tokens(final.get("prompt_eval_count")),
        output_tokens=reading.tokens(final.get("eval_count")),
        load_seconds=reading.seconds(final.get("load_duration")),
        prompt_seconds=reading.seconds(final.get("prompt_eval_duration")),
        output_seconds=reading.seconds(final.get("eval_duration")),
        total_seconds=reading.seconds(final.get("total_duration")),
        cached_tokens=reading.count(final.get("prompt_eval_cached_count"), reading.TOKENS),
    )
