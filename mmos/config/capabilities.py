"""Names what a model can be good at."""

from __future__ import annotations

from typing import Literal, get_args

Capability = Literal[
    "FAST_INFERENCE",
    "HIGH_QUALITY",
    "CODE_SPECIALIZED",
    "LARGE_CONTEXT",
    "SECURITY_FOCUSED",
    "REASONING",
    "TOOL_CALLING",
    "VISION",
    "EMBEDDING",
]
CAPABILITIES: tuple[Capability, ...] = get_args(Capability)


def spelled(text: str) -> str:
    """The one spelling of a capability: capitals do not count, and `fast-inference` is `FAST_INFERENCE`."""
    return text.strip().upper().replace("-", "_")
