"""Defines the frame of a participant's prompts: everything in a request that stays the same from turn to turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

import orjson

from mmos.encoding import encode
from mmos.events import FrameKept
from mmos.messages import Message
from mmos.prompting.budget import Counts, count


@dataclass(frozen=True)
class Frame:
    """The system text, the tools, the format and the options. A member makes it once, so every turn sends the same bytes."""

    system: Message
    channel: str = "tools"
    tools: bytes = b""
    format: bytes = b""
    options: Mapping[str, Any] = field(default_factory=dict)
    think: bool | str | None = None
    keep_alive: str | float | None = None
    wording: Mapping[str, str] = field(default_factory=dict)
    """The texts around attached files, by name. Empty if there are no files."""
    own: str = ""
    """The text of the role itself, if the system text has more."""
    specs: bytes = b""
    """All tools of the role, if `tools` does not have them."""

    @cached_property
    def overhead(self) -> Counts:
        """What the tools consist of."""
        return count(self.tools.decode())

    @cached_property
    def event(self) -> FrameKept:
        """The event that keeps the frame. Its digest names the frame in each request."""
        event = FrameKept(
            "", self.system.content, self.channel, self.tools.decode(), self.format.decode(),
            self.options, self.think, self.keep_alive, self.wording, self.own, self.specs.decode(),
        )  # fmt: skip
        return FrameKept(blake2b(encode(event), digest_size=4).hexdigest(), *list(vars(event).values())[1:])

    @classmethod
    def of(cls, event: FrameKept) -> Frame:
        """Raises `ValueError` if no version of MMOS can have written the event."""
        orjson.loads(event.format or "null")
        for tools in (event.tools, event.specs):
            if not _are_tools(orjson.loads(tools or "[]")):
                raise ValueError("not a list of tools")
        return cls(
            Message("system", event.system), event.channel, event.tools.encode(), event.format.encode(),
            event.options, event.think, event.keep_alive, event.wording, event.own, event.specs.encode(),
        )  # fmt: skip


def _are_tools(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(tool, dict) and _is_function(tool.get("function")) for tool in value)


def _is_function(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str)
