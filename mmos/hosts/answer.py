"""A streamed answer of `/api/chat` as it grows: lines, pieces of text, tool calls from every chunk, and the end that makes it one."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson

from mmos.errors import HostError
from mmos.hosts import faults
from mmos.hosts.face import OnToken
from mmos.hosts.patience import Patience
from mmos.messages import Message, Reply, ToolCall, Usage

MAX_LINE = 8 << 20
MAX_ANSWER = 64 << 20
_NANO = 1_000_000_000
_ID_SIGNS = string.ascii_lowercase + string.digits


class Source(Protocol):
    """Bytes as they come; empty bytes are the end."""

    async def readany(self) -> bytes: ...


def call_ids(chance: random.Random) -> Callable[[], str]:
    """Makes ids of the kind that newer hosts give: older ones give none."""
    return lambda: "call_" + "".join(chance.choices(_ID_SIGNS, k=8))


class Answer:
    """Grows by `feed`; whole once that returned True, and nothing but a fault before."""

    __slots__ = ("_calls", "_final", "_held", "_ids", "_known", "_on_token", "_pieces", "_rest", "_site", "_size", "_thoughts")

    def __init__(self, site: faults.Site, ids: Callable[[], str], on_token: OnToken | None = None) -> None:
        self._site = site
        self._ids = ids
        self._on_token = on_token
        self._pieces: list[str] = []
        self._thoughts: list[str] = []
        self._calls: list[ToolCall] = []
        self._final: dict[str, Any] = {}
        self._rest: list[bytes] = []
        self._held = 0
        self._size = 0
        self._known = False

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    async def read(self, source: Source, patience: Patience) -> None:
        while data := await source.readany():
            patience.progress()
            if self.feed(data):
                return
        if not self.end():
            raise self._unfinished()

    def feed(self, data: bytes) -> bool:
        """Takes what came, cut anywhere; True once `done: true` was seen."""
        self._size += len(data)
        if self._size > MAX_ANSWER:
            raise faults.garbled(self._site, f"an answer of more than {MAX_ANSWER >> 20} MiB")
        cut = data.rfind(b"\n")
        if cut < 0:
            self._hold(data)
            return False
        block, rest = data[:cut], data[cut + 1 :]
        if self._held:
            self._hold(block)
            block = b"".join(self._rest)
            self._rest.clear()
            self._held = 0
        if rest:
            self._hold(rest)
        return any(self._take(line) for line in block.split(b"\n") if line)

    def end(self) -> bool:
        """No more will come; a last line may lack its line break, or its end."""
        line = b"".join(self._rest).strip()
        if not line or (line.startswith(b"{") and _json_or_none(line) is None):
            return False
        self._rest.clear()
        self._held = 0
        return self._take(line)

    def reply(self) -> Reply:
        message = Message("assistant", self.text, tuple(self._calls), "".join(self._thoughts))
        reason = self._final.get("done_reason") or "stop"
        return Reply(message, self._site.model, self._site.host, _usage(self._final), reason)

    def _hold(self, data: bytes) -> None:
        self._rest.append(data)
        self._held += len(data)
        if self._held > MAX_LINE:
            raise faults.garbled(self._site, f"a line of more than {MAX_LINE >> 20} MiB")

    def _take(self, line: bytes) -> bool:
        try:
            chunk = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise faults.garbled(self._site, "a line that is no JSON") from None
        if not isinstance(chunk, dict):
            raise faults.garbled(self._site, "a line that is no JSON object")
        if message := chunk.get("message"):
            self._known = True
            self._hear(message)
        if error := chunk.get("error"):
            raise faults.spoken(self._site, error)
        if chunk.get("done") is not True:
            return False
        self._final = chunk
        return True

    def _hear(self, message: Mapping[str, Any]) -> None:
        if not isinstance(message, dict):
            raise faults.garbled(self._site, "a message that is no object")
        if content := message.get("content"):
            self._pieces.append(self._text(content))
            if self._on_token is not None:
                self._on_token(content)
        if thinking := message.get("thinking"):
            self._thoughts.append(self._text(thinking))
        # Hosts send calls in chunks of their own, in the last chunk, or in both: all of them count, in their order.
        for raw in message.get("tool_calls") or ():
            self._calls.append(self._call(raw))

    def _text(self, value: object) -> str:
        if not isinstance(value, str):
            raise faults.garbled(self._site, "a text that is no string")
        return value

    def _call(self, raw: Any) -> ToolCall:
        function = raw.get("function") if isinstance(raw, dict) else None
        if not isinstance(function, dict):
            raise faults.garbled(self._site, "a tool call that is no object")
        name = self._text(function.get("name") or "")
        return ToolCall(self._id(raw.get("id")), name, self._arguments(name, function.get("arguments")))

    def _id(self, given: object) -> str:
        taken = {call.id for call in self._calls}
        while not isinstance(given, str) or not given or given in taken:
            given = self._ids()
        return given

    def _arguments(self, name: str, given: Any) -> Mapping[str, Any]:
        text = given.strip() if isinstance(given, str) else None
        read = given if text is None else _json_or_none(text)
        if isinstance(read, dict):
            return read
        if given is None or given == [] or text in ("", "null"):
            return {}
        raise faults.malformed_call(self._site, name, given if isinstance(given, str) else orjson.dumps(given).decode())

    def _unfinished(self) -> HostError:
        if self._size and not self._known and not self._held:
            return faults.garbled(self._site, "no line of what came is a message")
        return faults.cut(self._site, "it ended without saying that it is done")


def _json_or_none(text: str | bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _usage(final: Mapping[str, Any]) -> Usage:
    def number(name: str) -> int:
        value = final.get(name)
        return value if isinstance(value, int) else 0

    cached = final.get("prompt_eval_cached_count")
    return Usage(
        prompt_tokens=number("prompt_eval_count"),
        output_tokens=number("eval_count"),
        load_seconds=number("load_duration") / _NANO,
        prompt_seconds=number("prompt_eval_duration") / _NANO,
        output_seconds=number("eval_duration") / _NANO,
        total_seconds=number("total_duration") / _NANO,
        cached_tokens=cached if isinstance(cached, int) else None,
    )
