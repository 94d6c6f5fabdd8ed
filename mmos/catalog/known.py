"""Defines what is known of a model, from the configuration, its hosts and measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mmos.config.capabilities import CAPABILITIES

__all__ = ["CAPABILITIES", "KnownModel"]


@dataclass(frozen=True)
class KnownModel:
    """A model, and what is known of it. None: not known."""

    name: str
    """As its hosts call it."""
    capabilities: frozenset[str] = frozenset()
    """Some of `CAPABILITIES`."""
    why: Mapping[str, str] = field(default_factory=dict)
    """Where each capability comes from: the configuration, the name, its hosts, or a measurement."""
    keys: tuple[str, ...] = ()
    """Its keys under `models` of the configuration."""
    family: str = ""
    """Such as qwen or llama. Models of one family make like mistakes."""
    parameters: float | None = None
    """In billions."""
    window: int | None = None
    """The most tokens that it was made for."""
    max_tokens: int | None = None
    """The longest answer that the configuration allows it."""
    memory_gb: float | None = None
    hosts: tuple[str, ...] = ()
    """The hosts that answer and have it. Empty: no call can be sent to it now."""
    loaded: tuple[str, ...] = ()
    """The hosts that hold it in memory now."""
    reads: float | None = None
    """Tokens of a prompt that it reads in a second, measured."""
    writes: float | None = None
    """Tokens of an answer that it writes in a second, measured."""
    load_seconds: float | None = None
    calls: float | None = None
    """The share of right tool calls in its fitness test."""
    description: str = ""
    """What the configuration says that it is good for."""
    remote: bool = False
    """Whether its hosts forward the prompts to a cloud."""
    disputed: Mapping[str, str] = field(default_factory=dict)
    """Capabilities that the configuration claims or denies against a measurement, each with what was measured."""

    @property
    def is_chat(self) -> bool:
        """Whether it answers. A model for embeddings does not."""
        return "EMBEDDING" not in self.capabilities
