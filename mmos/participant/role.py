"""A role as a participant: its model, its system text, its tools, and the frame that its prompts share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Protocol

from mmos.calls.channels import Channel, SchemaChannel, ShapedChannel, ToolsChannel
from mmos.calls.tool_choice import AUTO, ToolChoice
from mmos.messages import Message
from mmos.prompting.budget import estimate
from mmos.prompting.templates import Templates
from mmos.toolbox import Toolbox


class Role(Protocol):
    """What the loop needs to know of a role. The configuration's resolved role provides it."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def servers(self) -> tuple[str, ...]: ...
    @property
    def window(self) -> int: ...
    @property
    def channel(self) -> str | None: ...
    @property
    def options(self) -> Mapping[str, Any]: ...
    @property
    def think(self) -> bool | str | None: ...
    @property
    def keep_alive(self) -> str | float | None: ...
    @property
    def timeout(self) -> float | None: ...
    @property
    def system(self) -> str | None:
        """What the configuration adds to the system text."""
        ...


@dataclass(frozen=True)
class Frame:
    """What stays the same from turn to turn: the channel, the system text, their length and their digest."""

    channel: Channel
    system: Message
    overhead: float
    digest: str
    images: int = 0
    """Tokens that MMOS plans for the images of the prompt."""


@dataclass(frozen=True)
class Participant:
    """A role with its texts and its tools."""

    role: Role
    system: str
    box: Toolbox
    templates: Templates = field(default_factory=Templates)
    """Its texts on the schema channel."""
    first: ToolChoice | None = None
    """The calls that must come before an answer. None: the model decides."""
    consults: tuple[str, ...] = ()
    """The roles that it can consult."""
    _frames: dict[tuple[str, tuple[str, ...], ToolChoice], Frame] = field(default_factory=dict, init=False, repr=False, compare=False)

    def frame(self, channel: str, box: Toolbox, choice: ToolChoice = AUTO) -> Frame:
        """The frame for a channel, a set of tools and what a reply may contain. It is made once, so every turn sends the same bytes."""
        key = (channel, box.names, choice)
        if key not in self._frames:
            self._frames[key] = self._framed(self._channel(channel, box, choice))
        return self._frames[key]

    def shaped(self, channel: str, box: Toolbox, format_: bytes) -> Frame:
        """A frame for a final answer in this format. The system text stays the same."""
        return self._framed(ShapedChannel(self._channel(channel, box, AUTO), format_))

    def _channel(self, name: str, box: Toolbox, choice: ToolChoice) -> Channel:
        if name != "schema":
            return ToolsChannel(box.specs, choice=choice)
        limit, texts = self.role.options.get("num_predict"), self.templates
        tokens = limit if isinstance(limit, int) else None
        return SchemaChannel(box.specs, texts.text("schema"), choice=choice, tokens=tokens, none=texts.fill("no_tools"))

    def _framed(self, channel: Channel) -> Frame:
        text = f"{self.system}\n\n{channel.prompt}".strip()
        digest = blake2b(b"\0".join((text.encode(), channel.tools, channel.format)), digest_size=8).hexdigest()
        return Frame(channel, Message("system", text), estimate(channel.tools.decode()), digest)
