"""Reads a streamed reply of `/chat/completions`: server-sent events, or one object from a server that does not stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from mmos.errors import HostError
from mmos.hosts import faults, reading
from mmos.hosts.face import OnToken
from mmos.hosts.growing import MAX_ANSWER, Growing, Source
from mmos.hosts.patience import Patience
from mmos.messages import Reply, ToolCall, Usage

_LAST_WORDS_SECONDS = 2.0
"""How long a finished answer waits for its count of tokens."""

_MAX_PAYLOAD = 256 << 10
"""Of an event on several lines; each of them is read together with all before it."""
_MAX_REREAD = MAX_ANSWER
"""What all such events of an answer may come to, each byte counted as often as it is read."""

_BLANK = b"\xef\xbb\xbf \t\r\n"
_REASONS = {
    "tool_calls": "stop", "function_call": "stop", "tool_use": "stop", "end_turn": "stop", "stop_sequence": "stop", "eos": "stop",
    "max_tokens": "length", "model_length": "length",
}  # fmt: skip
"""Where the words differ from those of an Ollama."""
_FAILED = ("error", "abort", "cancelled", "failed")


class OpenAIStream(Growing):
    """The answer of an OpenAI-shaped server; what it does not tell of time is told by our clock."""

    __slots__ = ("_clock", "_drafts", "_finish", "_first", "_is_error", "_payload", "_plain", "_reread", "_start", "_timings", "_usage")

    def __init__(self, site: faults.Site, ids: Callable[[], str], on_token: OnToken | None, clock: Callable[[], float]) -> None:
        super().__init__(site, ids, on_token)
        self._clock = clock
        self._start = clock()
        self._first: float | None = None
        self._plain: bool | None = None
        self._payload = b""
        self._reread = 0
        self._is_error = False
        self._finish = ""
        self._drafts = Drafts()
        self._usage: Mapping[str, Any] = {}
        self._timings: Mapping[str, Any] = {}

    @property
    def has_begun(self) -> bool:
        return self._first is not None

    async def read(self, source: Source, patience: Patience) -> None:
        while not self._finish and (data := await source.readany()):
            if self.feed(data):
                return
            if self._first is None:
                patience.alive()  # comments and empty deltas keep the line open while the prompt is still being read
            else:
                patience.progress()
        if self._finish and await self._ended_after_finish(source):
            return
        if not self.end():
            raise self._unfinished()

    async def _ended_after_finish(self, source: Source) -> bool:
        """The answer is whole; its count may follow, or its end, and nobody waits long for them."""
        try:
            while True:
                async with asyncio.timeout(_LAST_WORDS_SECONDS):
                    data = await source.readany()
                if not data:
                    return False
                if self.feed(data):
                    return True
        except (TimeoutError, aiohttp.ClientError):
            return True

    def feed(self, data: bytes) -> bool:
        if self._plain is None and (start := data.lstrip(_BLANK)):
            self._plain = start[:1] in (b"{", b"[")
        if not self._plain:
            return super().feed(data)
        self._count(data)
        self._hold(data)
        return False

    def end(self) -> bool:
        if self._plain:
            return self._end_plain(b"".join(self._rest).strip(_BLANK))
        lines = self._released().replace(b"\r", b"\n").split(b"\n")
        return any(self._take(line) for line in lines if line) or bool(self._finish)

    def _end_plain(self, data: bytes) -> bool:
        whole = reading.parsed_or_none(data)
        if whole is None:
            return False
        self._released()
        self._hear(whole)
        return bool(self._finish) or self._first is not None

    def reply(self) -> Reply:
        for draft in self._drafts:
            self._calls.append(ToolCall(self._id(draft.id), draft.name, self._arguments(draft.name, draft.arguments)))
        cost = _cost(self._usage, self._timings, (self._start, self._first, self._clock()))
        return self._reply(cost, _REASONS.get(self._finish, self._finish or "stop"))

    # ---------------------------------------------------------------- events

    def _take(self, line: bytes) -> bool:
        line = line.strip(_BLANK)
        name, _, value = line.partition(b":")
        if name == b"data":
            return self._data(value.strip())
        if name == b"event":
            self._is_error = value.strip() == b"error"
        elif name == b"error" or line.startswith(b"{"):  # said by some in the middle of their events
            self._is_error = self._is_error or name == b"error"
            return self._data(value.strip() if name == b"error" else line)
        return False

    def _data(self, value: bytes) -> bool:
        """An event's data may stand on several lines; that they belong together shows in that they make JSON together."""
        if value == b"[DONE]":
            if not self._finish and self._first is None:
                raise faults.cut(self._site, "it ended before it began")
            return True
        payload = self._payload + b"\n" + value if self._payload else value
        chunk = reading.parsed_or_none(payload)
        if chunk is None and value:
            self._reread += len(payload)
            too_much = len(payload) > _MAX_PAYLOAD or self._reread > _MAX_REREAD
            if too_much or not payload.startswith(b"{") or (self._payload and reading.parsed_or_none(value) is not None):
                raise faults.garbled(self._site, "an event that is no JSON")
            self._payload = payload
            return False
        self._payload = b""
        if value:
            self._hear(chunk)
        return False

    def _hear(self, chunk: Any) -> None:
        if not isinstance(chunk, dict):
            raise faults.garbled(self._site, "an event that is no JSON object")
        error = chunk.get("error")
        if error or self._is_error or chunk.get("object") == "error":
            raise self._failed(error or chunk)
        if counted := chunk.get("usage") or reading.part(chunk.get("x_groq")).get("usage"):
            self._usage = reading.part(counted)
        if timed := chunk.get("timings"):
            self._timings = reading.part(timed)
        choices = chunk.get("choices")
        if isinstance(choices, list):
            self._known = True
            if choices:
                self._choose(choices[0])

    def _choose(self, choice: Any) -> None:
        if not isinstance(choice, dict):
            raise faults.garbled(self._site, "a choice that is no object")
        self._grow(reading.part(choice.get("delta")) or reading.part(choice.get("message")))
        finish = choice.get("finish_reason")
        if isinstance(finish, str) and finish:
            if finish in _FAILED:
                raise faults.cut(self._site, f"the server gives the reason {finish!r} for its end")
            self._finish = finish

    def _grow(self, delta: Mapping[str, Any]) -> None:
        thought = delta.get("reasoning_content") or delta.get("reasoning")  # one of them: some servers send the same under both names
        if isinstance(thought, str) and thought:
            self._think(thought)
        content = delta.get("content") or delta.get("refusal")
        if isinstance(content, list):
            self._parts(content)
        elif content:
            self._begin()
            self._say(content)
        calls = delta.get("tool_calls")
        for piece in calls if isinstance(calls, list) else ():
            if not isinstance(piece, dict):
                raise faults.garbled(self._site, "a tool call that is no object")
            self._begin()
            self._name(self._drafts.take(piece).name)
            self._count_calls(len(self._drafts))

    def _parts(self, parts: list[Any]) -> None:
        """Content in parts, as some clouds send it."""
        for part in parts:
            if not isinstance(part, dict):
                raise faults.garbled(self._site, "a part of a text that is no object")
            if part.get("type") == "thinking":
                inner = part.get("thinking")
                thoughts = [one.get("text") for one in inner if isinstance(one, dict)] if isinstance(inner, list) else [inner]
                self._think("".join(thought for thought in thoughts if isinstance(thought, str)))
            elif part.get("text"):
                self._begin()
                self._say(part["text"])

    def _think(self, thought: str) -> None:
        self._begin()
        self._thoughts.append(thought)

    def _begin(self) -> None:
        if self._first is None:
            self._first = self._clock()

    def _failed(self, error: Any) -> HostError:
        """An error that stands where an event is due; it may tell which status it would have had."""
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(code, int) and 400 <= code < 600:
            return faults.spoken(self._site, error, code)
        return faults.spoken(self._site, error)


# ---------------------------------------------------------------- calls that arrive in pieces


@dataclass
class Brackets:
    """Counts the brackets of JSON as it comes, so that no piece makes all before it be read again."""

    depth: int = 0
    opened: bool = False
    quoted: bool = False
    escaped: bool = False

    def take(self, text: str) -> None:
        for sign in text:
            if self.escaped:
                self.escaped = False
            elif sign == '"':
                self.quoted = not self.quoted
            elif self.quoted:
                self.escaped = sign == "\\"
            elif sign in "{[":
                self.depth, self.opened = self.depth + 1, True
            elif sign in "}]":
                self.depth -= 1

    @property
    def closed(self) -> bool:
        return self.opened and self.depth == 0


@dataclass
class Draft:
    """A call that is still being written."""

    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    as_object: Mapping[str, Any] | None = None
    """Arguments that came as an object, against the custom."""
    _brackets: Brackets = field(default_factory=Brackets)
    _counted: int = 0
    """Pieces whose brackets are counted."""

    @property
    def arguments(self) -> Any:
        return "".join(self.pieces) if self.as_object is None else self.as_object

    @property
    def is_whole(self) -> bool:
        for piece in self.pieces[self._counted :]:
            self._brackets.take(piece)
        self._counted = len(self.pieces)
        return self.as_object is not None or self._brackets.closed


class Drafts:
    """All calls of an answer, in the order in which they began."""

    def __init__(self) -> None:
        self._drafts: list[Draft] = []
        self._newest: dict[object, Draft] = {}
        """Of each index; of none, the newest of all."""

    def __iter__(self) -> Iterator[Draft]:
        return iter(self._drafts)

    def __len__(self) -> int:
        return len(self._drafts)

    def take(self, piece: Mapping[str, Any]) -> Draft:
        """One piece; its parts may be missing, empty, or said again."""
        function = reading.part(piece.get("function"))
        id_, name = _text(piece.get("id")), _text(function.get("name"))
        index = _index(piece.get("index"))
        draft = self._continued(index, id_, name)
        if draft is None:
            draft = Draft()
            self._drafts.append(draft)
            self._newest[index] = self._newest[None] = draft
        draft.id = draft.id or id_
        if name != draft.name and not draft.pieces:
            draft.name += name
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            draft.as_object = arguments
        elif isinstance(arguments, str) and arguments:
            draft.pieces.append(arguments)
        return draft

    def _continued(self, index: object, id_: str, name: str) -> Draft | None:
        """The draft that the piece belongs to; None for the beginning of another."""
        last = self._newest.get(index)
        if last is None:
            return None
        if id_ and last.id:
            # Servers that number all their calls 0 tell them apart by id; those that make up an id for each piece send no name with it.
            return last if id_ == last.id or not name else None
        begins_anew = bool(name) and (index is None or last.is_whole)
        return None if begins_anew else last


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _index(value: object) -> object:
    return value if isinstance(value, int | float | str) else None


# ---------------------------------------------------------------- what it cost

_MILLI = 1000.0


def _cost(counts: Mapping[str, Any], timings: Mapping[str, Any], times: tuple[float, float | None, float]) -> Usage:
    """`timings` is what llama.cpp's server adds; `times` are our begin, first piece and end."""
    start, first, end = times
    first = end if first is None else first
    prompt_ms, output_ms = reading.number(timings.get("prompt_ms")), reading.number(timings.get("predicted_ms"))
    return Usage(
        prompt_tokens=reading.tokens(counts.get("prompt_tokens")),
        output_tokens=reading.tokens(counts.get("completion_tokens")) or reading.tokens(timings.get("predicted_n")),
        prompt_seconds=first - start if prompt_ms is None else prompt_ms / _MILLI,
        output_seconds=end - first if output_ms is None else output_ms / _MILLI,
        total_seconds=end - start,
        cached_tokens=_cached(counts, timings),
    )


def _cached(counts: Mapping[str, Any], timings: Mapping[str, Any]) -> int | None:
    details = reading.part(counts.get("prompt_tokens_details"))
    places = (details.get("cached_tokens"), counts.get("prompt_cache_hit_tokens"), timings.get("cache_n"))
    return next((found for place in places if (found := reading.count(place, reading.TOKENS)) is not None), None)
