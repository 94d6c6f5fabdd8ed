"""The interface that every kind of host implements."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mmos.messages import Message, Reply

OnToken = Callable[[str], None]
"""Called with each piece of the answer's text as it arrives: a hint, not an event."""


@dataclass(frozen=True)
class Timeouts:
    """How long each part of a call may take, in seconds. `total` None: as long as there is progress."""

    connect: float = 5.0
    load: float = 300.0
    """Added to `first_byte` while the model may still have to be loaded."""
    first_byte: float = 180.0
    between_chunks: float = 60.0
    total: float | None = None

    def scaled(self, factor: float) -> Timeouts:
        """The same patience with a host whose clock runs `factor` times as fast."""
        if factor == 1.0:
            return self
        return Timeouts(
            self.connect,  # connecting is the network's time, not the host's
            self.load / factor,
            self.first_byte / factor,
            self.between_chunks / factor,
            None if self.total is None else self.total / factor,
        )


@dataclass(frozen=True)
class ChatRequest:
    """One call to a model: the messages as they are, and the frame that stays the same from turn to turn."""

    model: str
    messages: Sequence[Message]
    num_ctx: int
    tools: bytes = b""
    """The JSON list of offered tools, encoded once by the toolbox; empty for none. Never together with `format`."""
    format: bytes = b""
    """A JSON schema that the answer must fit, encoded once; empty for none."""
    options: Mapping[str, Any] = field(default_factory=dict)
    think: bool | str | None = None
    keep_alive: str | float | None = None
    """Left out unless the user set it: on a hot request it can wedge the host's scheduler."""
    cold: bool = False
    """The model may have to be loaded first: the first byte may take the load's time, too."""
    guarded: bool = False
    """An answer that repeats itself word for word is ended: the call raises Repetition."""


@dataclass(frozen=True)
class Installed:
    """A model that a host has on its disk."""

    name: str
    digest: str = ""
    size: int = 0
    family: str = ""
    parameters: str = ""
    quantization: str = ""
    context_length: int | None = None
    capabilities: frozenset[str] | None = None
    """None where the host does not list them (older servers): ask `show`."""
    remote: bool = False
    """A stub that forwards to a cloud."""


@dataclass(frozen=True)
class Loaded:
    """A model that a host holds in memory."""

    name: str
    digest: str = ""
    size: int = 0
    size_vram: int = 0
    context_length: int | None = None
    expires_at: str = ""


@dataclass(frozen=True)
class Card:
    """What a host tells about one model."""

    name: str
    capabilities: frozenset[str] | None = frozenset()
    """None where the host does not tell."""
    context_length: int | None = None
    family: str = ""
    parameters: str = ""
    quantization: str = ""
    template: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    """`model_info` as it came: layers, heads, key and value lengths."""


@dataclass(frozen=True)
class Progress:
    """One step of a pull."""

    status: str
    completed: int = 0
    total: int = 0


@dataclass(frozen=True)
class Abilities:
    """Where kinds of hosts differ in a way that matters to those who use them."""

    sets_window: bool = True
    """It heeds `num_ctx`; else a model's window is what its server was started with."""
    tells_loaded: bool = True
    """It says which models are in memory."""
    loads: bool = True
    """Models can be loaded and unloaded on demand."""
    pulls: bool = True
    """Models can be fetched on demand."""
    lists_all: bool = True
    """It serves no model that it does not list."""
    tells_window: bool = True
    """It says how many tokens a model's window holds."""
    tells_cached: bool = False
    """Its usage says how many tokens of the prompt came from its cache."""


class Host(Protocol):
    """A server that runs models."""

    name: str
    url: str
    abilities: Abilities

    async def chat(self, request: ChatRequest, *, timeouts: Timeouts, on_token: OnToken | None = None) -> Reply: ...
    async def embed(self, model: str, texts: Sequence[str], *, timeouts: Timeouts) -> list[list[float]]: ...
    async def version(self) -> str: ...
    async def tags(self) -> list[Installed]: ...
    async def ps(self) -> list[Loaded]: ...
    async def show(self, model: str) -> Card: ...
    async def preload(self, model: str, *, num_ctx: int, keep_alive: str | float | None = None, timeouts: Timeouts) -> float: ...
    async def unload(self, model: str) -> None: ...
    def pull(self, model: str) -> AsyncIterator[Progress]: ...
    async def close(self) -> None: ...
