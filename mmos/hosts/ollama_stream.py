"""Reads a streamed reply of `/api/chat`: one object per line, tool calls in any chunk, and `done` at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from mmos.hosts import faults, reading
from mmos.hosts.face import OnToken
from mmos.hosts.growing import Growing
from mmos.messages import Reply, ToolCall, Usage

PLAIN = "model", "created_at", "message", "done"
"""The keys of a line with a piece of the text and no more."""
PLAIN_MESSAGE = "role", "content"
_parts, _parts_of_message = itemgetter(*PLAIN), itemgetter(*PLAIN_MESSAGE)


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
        """Nearly all lines are only pieces of the text. Such lines before the last one are read together."""
        pieces = () if self._veiled else _plain(reading.parsed_together(lines[:-1]))
        if not pieces:
            return super()._take_all(lines)
        self._known = True
        if self._on_token is None:
            self._pieces += pieces
        else:
            take, show = self._pieces.append, self._on_token
            for piece in pieces:
                take(piece)
                if piece:
                    show(piece)
        return super()._take_all(lines[-1:])

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


def _plain(chunks: Sequence[dict[str, Any]]) -> Sequence[str]:
    """The pieces of the text, if that is all these lines have. Empty: a line has more, or something else."""
    # Each step is for all lines, because a step for each line is most of the work on a reply.
    size = len(chunks)
    if [*map(len, chunks)].count(len(PLAIN)) < size:
        return ()
    try:
        _, _, messages, done = zip(*map(_parts, chunks), strict=True)
        roles, pieces = zip(*map(_parts_of_message, messages), strict=True)
    except (KeyError, TypeError, ValueError):  # other keys, a message that is no object, no lines
        return ()
    is_plain = (
        done.count(False) == size
        and roles.count("assistant") == size
        and [*map(type, pieces)].count(str) == size
        and [*map(len, messages)].count(len(PLAIN_MESSAGE)) == size
    )
    return pieces if is_plain else ()


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
