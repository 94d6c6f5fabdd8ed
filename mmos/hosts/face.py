"""The interface that every kind of host implements."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from mmos.messages import Message, Reply

OnToken = Callable[[str], None]
"""Called with each piece of the text when it arrives: a hint, not an event."""


Options = Mapping[str, Any]
NO_OPTIONS: Options = MappingProxyType({})


@dataclass(frozen=True)
class Timeouts:
    """How long each part of a call may take, in seconds. `total` None: as long as there is progress."""

    connect: float = 5.0
    load: float = 300.0
    """Added to `first_byte` if the host may have to load the model first."""
    first_byte: float = 180.0
    between_chunks: float = 60.0
    total: float | None = None

    def scaled(self, factor: float) -> Timeouts:
        """The same timeouts for a host whose clock runs `factor` times as fast."""
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
    """One call to a model: the messages, and the frame that stays the same from turn to turn."""

    model: str
    messages: Sequence[Message]
    num_ctx: int
    tools: bytes = b""
    """The JSON list of the tools. Empty: none. Never together with `format`."""
    format: bytes = b""
    """A JSON Schema that the reply must fit. Empty: none."""
    options: Mapping[str, Any] = field(default_factory=dict)
    think: bool | str | None = None
    keep_alive: str | float | None = None
    """Sent only if the user set it, because it can block the host's scheduler."""
    cold: bool = False
    """Whether the host may have to load the model first. Then the first byte may take longer."""
    on_progress: Callable[[], None] | None = None
    """Called whenever a part of the reply arrives, be it text, thoughts or calls."""
    guarded: bool = False
    """Whether to stop a reply that repeats itself word for word. Then the call raises Repetition."""


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
    """None: the host does not list them. Ask `show`."""
    remote: bool = False
    """Whether it is a stub that forwards to a cloud."""


@dataclass(frozen=True)
class Loaded:
    """A model in the memory of a host."""

    name: str
    digest: str = ""
    size: int = 0
    size_vram: int = 0
    context_length: int | None = None
    expires_at: str = ""


@dataclass(frozen=True)
class Card:
    """What a host reports about one model."""

    name: str
    capabilities: frozenset[str] | None = frozenset()
    """None: the host does not report them."""
    context_length: int | None = None
    family: str = ""
    parameters: str = ""
    quantization: str = ""
    template: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    """`model_info`, unchanged: layers, heads, lengths of keys and values."""


@dataclass(frozen=True)
class Progress:
    """One step of a pull."""

    status: str
    completed: int = 0
    total: int = 0


@dataclass(frozen=True)
class Abilities:
    """What a kind of host can do."""

    sets_window: bool = True
    """It uses `num_ctx`. If not, the start of its server sets the window."""
    tells_loaded: bool = True
    """It reports which models are in memory."""
    loads: bool = True
    """It can load and unload models on demand."""
    pulls: bool = True
    """It can fetch models on demand."""
    lists_all: bool = True
    """It lists all models that it serves."""
    tells_window: bool = True
    """It reports the size of a model's window."""
    tells_cached: bool = False
    """It reports how many tokens of a prompt were in its cache."""


class Host(Protocol):
    """A server that runs models."""

    name: str
    url: str
    abilities: Abilities

    async def chat(self, request: ChatRequest, *, timeouts: Timeouts, on_token: OnToken | None = None) -> Reply: ...
    async def embed(self, model: str, texts: Sequence[str], *, num_ctx: int | None = None, timeouts: Timeouts) -> list[list[float]]: ...
    async def version(self) -> str: ...
    async def tags(self) -> list[Installed]: ...
    async def ps(self) -> list[Loaded]: ...
    async def show(self, model: str) -> Card: ...
    async def preload(
        self, model: str, *, num_ctx: int, options: Options = NO_OPTIONS, keep_alive: str | float | None = None, timeouts: Timeouts
    ) -> float: ...
    async def unload(self, model: str) -> None: ...
    def pull(self, model: str) -> AsyncIterator[Progress]: ...
    async def close(self) -> None: ...
