"""Defines the frame of a participant's prompts: everything in a request that stays the same from turn to turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

from mmos.encoding import encode
from mmos.events import FrameKept
from mmos.messages import Message
from mmos.prompting.budget import estimate


@dataclass(frozen=True)
class Frame:
    """The system text, the tools and the options. It is made once, so every turn sends the same bytes."""

    system: Message
    channel: str = "tools"
    tools: bytes = b""
    format: bytes = b""
    options: Mapping[str, Any] = field(default_factory=dict)
    think: bool | str | None = None
    keep_alive: str | float | None = None
    wording: Mapping[str, str] = field(default_factory=dict)
    """The texts around attached files, by name. Empty if there are no files."""

    @cached_property
    def overhead(self) -> float:
        """The tokens of the tools, by estimate."""
        return estimate(self.tools.decode())

    @cached_property
    def fact(self) -> FrameKept:
        """The event that keeps the frame. Its digest names the frame in each request."""
        kept = FrameKept(
            "", self.system.content, self.channel, self.tools.decode(), self.format.decode(),
            self.options, self.think, self.keep_alive, self.wording,
        )  # fmt: skip
        return FrameKept(blake2b(encode(kept), digest_size=8).hexdigest(), *list(vars(kept).values())[1:])

    @classmethod
    def of(cls, kept: FrameKept) -> Frame:
        return cls(
            Message("system", kept.system), kept.channel, kept.tools.encode(), kept.format.encode(),
            kept.options, kept.think, kept.keep_alive, kept.wording,
        )  # fmt: skip
