"""Defines what is known of a model, from the configuration, its hosts and measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CAPABILITIES = (
    "FAST_INFERENCE",
    "HIGH_QUALITY",
    "CODE_SPECIALIZED",
    "LARGE_CONTEXT",
    "SECURITY_FOCUSED",
    "REASONING",
    "TOOL_CALLING",
    "VISION",
    "EMBEDDING",
)
"""What a model can be good at."""


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
    """Such as qwen2 or llama. Models of one family make like mistakes."""
    parameters: float | None = None
    """In billions."""
    window: int | None = None
    """The most tokens that it was made for."""
    max_tokens: int | None = None
    """The longest answer that the configuration allows it."""
    memory_gb: float | None = None
    hosts: tuple[str, ...] = ()
    """The hosts that have it."""
    loaded: tuple[str, ...] = ()
    """The hosts that hold it in memory now."""
    reads: float | None = None
    """Tokens of a prompt that it reads in a second, measured."""
    writes: float | None = None
    """Tokens of an answer that it writes in a second, measured."""
    load_seconds: float | None = None
    calls: float | None = None
    """The share of right tool calls in its fitness test."""
