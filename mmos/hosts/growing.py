"""Builds a reply from the bytes of a stream: its text, its tool calls, and the mark of its end."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson

from mmos.errors import HostError
from mmos.hosts import faults, reading
from mmos.hosts.face import OnToken
from mmos.hosts.patience import Patience
from mmos.hosts.repeating import Repeats
from mmos.messages import Message, Reply, ToolCall, Usage

MAX_LINE = 8 << 20
MAX_ANSWER = 64 << 20
MAX_LINES = 1_000_000
LOOK_BYTES = 32 << 10
"""Bytes between two checks whether the reply repeats itself: some hundred tokens."""
EQUAL_TOKENS = 30
"""After this many equal tokens in a row, older hosts end the stream without an error."""
MAX_CALLS = 1000
"""No turn makes more calls, and each id is compared with all earlier ones."""
REASONS = frozenset({"stop", "length", "load", "unload", "content_filter"})
"""The reasons for the end of a reply that MMOS knows. Any other reason is `other`."""
_ID_SIGNS = string.ascii_lowercase + string.digits


class Source(Protocol):
    """The bytes of a stream. Empty bytes are its end."""

    async def readany(self) -> bytes: ...


def call_ids(chance: random.Random) -> Callable[[], str]:
    """Makes ids in the format of newer hosts. Older hosts send none."""
    return lambda: "call_" + "".join(chance.choices(_ID_SIGNS, k=8))


class RepetitionCheck:
    """Checks whether the pieces of a text repeat themselves."""

    __slots__ = ("_pieces", "_place", "_repeats")

    def __init__(self, pieces: list[str]) -> None:
        self._pieces = pieces
        self._place = 0
        self._repeats = Repeats()

    def look(self) -> int | None:
        """The length of the text before the repetition. None: there is no repetition."""
        new = "".join(self._pieces[self._place :])
        self._place = len(self._pieces)
        return self._repeats.feed(new)


class Growing:
    """A reply that grows with each `feed`. It is complete when `feed` returns True."""

    __slots__ = (
        "_back", "_calls", "_checks", "_held", "_ids", "_known", "_lines", "_next_look", "_on_token", "_pieces", "_rest", "_site", "_size",
        "_thoughts", "_veiled", "on_progress",
    )  # fmt: skip

    def __init__(self, site: faults.Site, ids: Callable[[], str], on_token: OnToken | None = None) -> None:
        self._site = site
        self._veiled = bool(site.keys)
        self._ids = ids
        self._on_token = on_token
        self.on_progress: Callable[[], None] | None = None
        self._pieces: list[str] = []
        self._thoughts: list[str] = []
        self._calls: list[ToolCall] = []
        self._rest: list[bytes] = []
        self._held = 0
        self._size = 0
        self._lines = 0
        self._known = False
        self._back = ""
        self._next_look = MAX_ANSWER
        self._checks: tuple[RepetitionCheck, ...] = ()

    def guard(self) -> None:
        """Stop the reply when its text or its thoughts repeat themselves word for word."""
        self._next_look = LOOK_BYTES

    @property
    def text(self) -> str:
        """The text so far, without keys."""
        return self._site.keys.over("".join(self._pieces))

    async def read(self, source: Source, patience: Patience) -> None:
        while data := await source.readany():
            patience.progress()
            if self.on_progress is not None:
                self.on_progress()
            if self.feed(data):
                return
        if not self.end():
            raise self._unfinished()

    def feed(self, data: bytes) -> bool:
        """Take the next bytes. True: the host sent the mark of the end."""
        self._count(data)
        cut = data.rfind(b"\n")
        if cut < 0:
            self._hold(data)
            return False
        block, rest = data[:cut], data[cut + 1 :]
        if self._held:
            self._hold(block)
            block = self._released()
        if rest:
            self._hold(rest)
        lines = block.split(b"\n")
        self._lines += len(lines)
        if self._lines > MAX_LINES:
            raise faults.garbled(self._site, f"an answer of more than {MAX_LINES:,} lines")
        done = self._take_all(lines)
        if self._size >= self._next_look and not done:
            self._look()
        return done

    def _count(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_ANSWER:
            raise faults.garbled(self._site, f"an answer of more than {MAX_ANSWER >> 20} MiB")

    def end(self) -> bool:
        """Handle the end of the stream. The last line may be incomplete."""
        raise NotImplementedError

    def _take_all(self, lines: list[bytes]) -> bool:
        """Take lines, one after the other. True: one of them is the last."""
        return any(map(self._take, filter(None, lines)))

    def _take(self, line: bytes) -> bool:
        """Take one line. True: it is the last."""
        raise NotImplementedError

    def _look(self) -> None:
        self._next_look = self._size + LOOK_BYTES
        self._checks = self._checks or (RepetitionCheck(self._pieces), RepetitionCheck(self._thoughts))
        tokens = len(self._pieces) + len(self._thoughts)
        content, thoughts = (check.look() for check in self._checks)
        if content is not None:
            self._pieces[:] = [self.text[:content]]
        if content is not None or thoughts is not None:
            raise faults.repeated(self._site, tokens)

    def _stutters(self) -> bool:
        """Whether it ends with the same token many times. Keeps one of them."""
        last = {piece.strip() for piece in self._pieces[-EQUAL_TOKENS:]}
        if len(self._pieces) < EQUAL_TOKENS or len(last) > 1:
            return False
        while len(self._pieces) > 1 and self._pieces[-2].strip() in last:
            self._pieces.pop()
        return True

    def _released(self) -> bytes:
        block = b"".join(self._rest)
        self._rest.clear()
        self._held = 0
        return block

    def _hold(self, data: bytes) -> None:
        self._rest.append(data)
        self._held += len(data)
        if self._held > MAX_LINE:
            raise faults.garbled(self._site, f"a line of more than {MAX_LINE >> 20} MiB")

    def _reply(self, usage: Usage, reason: str) -> Reply:
        keys = self._site.keys
        if self._back:
            self._pass_on(self._back)
        calls = tuple(self._calls)
        if keys:
            calls = tuple(ToolCall(keys.over(call.id), keys.over(call.name), keys.over_all(call.arguments)) for call in calls)
        message = Message("assistant", self.text, calls, keys.over("".join(self._thoughts)))
        return Reply(message, self._site.model, self._site.host, usage, reason if reason in REASONS else "other")

    def _say(self, content: object) -> None:
        text = content if type(content) is str else self._text(content)
        if self._veiled:
            keys = self._site.keys
            text = keys.over(self._back + text)
            length = keys.partial_length(text)
            text, self._back = text[: len(text) - length], text[len(text) - length :]
        self._pass_on(text)

    def _pass_on(self, content: str) -> None:
        self._pieces.append(content)
        if content and self._on_token is not None:
            self._on_token(content)

    def _text(self, value: object) -> str:
        if not isinstance(value, str):
            raise faults.garbled(self._site, "a text that is no string")
        return value

    def _name(self, value: object) -> str:
        name = self._text(value or "")
        if len(name) > reading.LINE:
            raise faults.garbled(self._site, f"a tool call whose name has more than {reading.LINE} signs")
        return name

    def _count_calls(self, calls: int) -> None:
        if calls > MAX_CALLS:
            raise faults.garbled(self._site, f"more than {MAX_CALLS} tool calls in one answer")

    def _id(self, value: object) -> str:
        ids = {call.id for call in self._calls}
        while not isinstance(value, str) or not 0 < len(value) <= reading.LINE or value in ids:
            value = self._ids()
        return value

    def _arguments(self, name: str, value: Any) -> Mapping[str, Any]:
        text = value.strip() if isinstance(value, str) else None
        data = value if text is None else reading.parsed_or_none(text)
        if isinstance(data, dict):
            return data
        if value is None or value == [] or text in ("", "null"):
            return {}
        raise faults.malformed_call(self._site, name, value if isinstance(value, str) else orjson.dumps(value).decode())

    def _unfinished(self) -> HostError:
        tokens = len(self._pieces)
        if self._stutters():
            return faults.repeated(self._site, tokens)
        if self._size and not self._known and not self._held:
            return faults.garbled(self._site, "no line of what came is a message")
        return faults.cut(self._site, "it ended without saying that it is done")
