"""Keeps a bounded log of a host's requests and their outcomes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

MOST_REQUESTS = 10_000
MOST_BODY_BYTES = 64 * 1024 * 1024
KEEPS_BODY = ("/api/chat", "/api/generate", "/api/embed")


@dataclass(eq=False)
class LogEntry:
    """One request."""

    method: str
    path: str
    model: str = ""
    body: bytes = b""
    """The body of a request to a model. Emptied when newer requests need the space."""
    num_ctx: int | None = None
    status: int = 0
    """The status of the answer. 0: still open, or no answer. 499: the client left before the answer."""
    ms: float = 0.0
    bytes: int = 0
    """Length of the answer's body."""
    cancelled: bool = False
    """Whether the client left before the answer was complete."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    load_seconds: float = 0.0
    """In the host's time, like the next field."""
    queue_seconds: float = 0.0
    fault: str = ""
    """The kind of fault that affected it."""

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    def to_json(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "body"}
        return fields | {"ms": round(self.ms, 3), "received": len(self.body)}


class Log:
    """The newest requests, oldest first."""

    def __init__(self) -> None:
        self._rows: deque[LogEntry] = deque(maxlen=MOST_REQUESTS)
        self._with_body: deque[LogEntry] = deque()
        self._bytes = 0
        self.total = 0

    def add(self, entry: LogEntry) -> None:
        self._rows.append(entry)
        self.total += 1
        if entry.path not in KEEPS_BODY:
            entry.body = b""
            return
        self._with_body.append(entry)
        self._bytes += len(entry.body)
        while self._bytes > MOST_BODY_BYTES or len(self._with_body) > MOST_REQUESTS:
            oldest = self._with_body.popleft()
            self._bytes -= len(oldest.body)
            oldest.body = b""

    def to(self, path: str, model: str = "") -> list[LogEntry]:
        """The requests to a route. With `model`, only those to that model."""
        return [entry for entry in self._rows if entry.path == path and model in ("", entry.model)]

    def __iter__(self) -> Iterator[LogEntry]:
        return iter(list(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: int) -> LogEntry:
        return self._rows[place]
