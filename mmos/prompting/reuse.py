"""Measures how much of each prompt repeats the beginning of the one before it. A host does not read that part again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from mmos.events import Entry, LaneOpened, ModelAsked, ModelReplied
from mmos.hosts.face import ChatRequest
from mmos.prompting.request import requests_of

SHARED = ("thread", "conversation")
"""Memories that several lanes continue."""


@dataclass
class Reuse:
    """What a role's prompts for one model repeat. The first prompt of a conversation has nothing to repeat, and does not count."""

    role: str
    model: str
    requests: int = 0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    told: bool = False
    """Whether hosts said how many tokens they did not read again. Otherwise MMOS compared the texts."""

    @property
    def share(self) -> float:
        return min(1.0, self.reused_tokens / self.prompt_tokens) if self.prompt_tokens else 0.0

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "share": round(self.share, 3)}


def reuse_of(entries: Iterable[Entry], run: str = "") -> list[Reuse]:
    """What was reused in a thread, by role and model. `run`: only requests of this run count."""
    entries = list(entries)
    replies = {(entry.run, entry.event.ask): entry.event for entry in entries if isinstance(entry.event, ModelReplied)}
    places, newest, found = _places(entries), dict[tuple[str, ...], list[bytes]](), dict[tuple[str, str], Reuse]()
    for entry, request in requests_of(entries):
        asked = entry.event
        if not isinstance(asked, ModelAsked):
            continue
        key = (asked.role, asked.model, *places.get((entry.run, asked.lane), (entry.run, asked.lane)))
        before, pieces = newest.get(key), [] if request is None else _pieces(request)
        reply = replies.get((entry.run, asked.ask))
        if before and pieces and reply is not None and not reply.cached and run in ("", entry.run):
            use = found.setdefault((asked.role, asked.model), Reuse(asked.role, asked.model))
            _add(use, reply, asked.estimate, _common(before, pieces) / max(1, sum(map(len, pieces))))
        newest[key] = pieces
    return list(found.values())


def _places(entries: Iterable[Entry]) -> dict[tuple[str, str], tuple[str, str]]:
    """For each lane, the conversation that its prompts continue: that of its memory, or its own."""
    places: dict[tuple[str, str], tuple[str, str]] = {}
    for entry in entries:
        if isinstance(event := entry.event, LaneOpened):
            kind, _, name = event.memory.partition(":")
            own = (entry.run, event.lane)
            continued = ("", event.memory) if kind in SHARED else own
            places[own] = places.get((entry.run, name), own) if kind in ("lane", "past") else continued
    return places


def _add(use: Reuse, reply: ModelReplied, estimate: int, share: float) -> None:
    tokens = reply.usage.prompt_tokens or estimate
    use.requests += 1
    use.prompt_tokens += tokens
    use.told = use.told or reply.usage.cached_tokens is not None
    use.reused_tokens += round(tokens * share) if reply.usage.cached_tokens is None else reply.usage.cached_tokens


def _pieces(request: ChatRequest) -> list[bytes]:
    """What a host reads, in its order: the system text, the tools, the other messages."""
    wires = [message.wire for message in request.messages]
    head = 1 if request.messages and request.messages[0].role == "system" else 0
    return [*wires[:head], request.tools, *wires[head:]]


def _common(before: list[bytes], now: list[bytes]) -> int:
    """How many bytes two requests have in common from their beginning on."""
    length = 0
    for one, other in zip(before, now, strict=False):
        if one != other:
            return length + _prefix(one, other)
        length += len(one)
    return length


def _prefix(one: bytes, other: bytes) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low
