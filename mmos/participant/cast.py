"""Defines the members of a cast: each is a role with its system text, its tools, and what its model is offered in a turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

from mmos.calls.channels import TOOLS, Channel, SchemaChannel, ShapedChannel, ToolsChannel
from mmos.calls.spec import encode_offer
from mmos.calls.tool_choice import AUTO, ToolChoice
from mmos.context import Answer, Participant, Question
from mmos.messages import Message
from mmos.prompting.attachments import wording_of
from mmos.prompting.frame import Frame
from mmos.prompting.relevance import Shortlist
from mmos.prompting.templates import Templates, fill
from mmos.scope import Scope
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
    def pattern(self) -> str:
        """The pattern that answers in place of its model, or advises it. Empty: its model answers."""
        ...

    @property
    def system(self) -> str | None:
        """What the configuration adds to the system text."""
        ...


@dataclass(frozen=True)
class PlainRole:
    """A role by its values."""

    name: str
    model: str
    servers: tuple[str, ...]
    window: int
    channel: str | None
    options: Mapping[str, Any]
    think: bool | str | None
    keep_alive: str | float | None
    timeout: float | None
    system: str | None = None
    pattern: str = ""


def _no_limit(_model: str) -> None:
    return None


@dataclass(frozen=True)
class Offer:
    """What a model is offered in a turn, and how MMOS reads its reply."""

    channel: Channel
    frame: Frame


@dataclass(frozen=True)
class Member:
    """A role with its system text and its tools. A `mmos.Participant` of a tool becomes a member when it is asked."""

    role: Role
    system: str
    box: Toolbox
    templates: Templates = field(default_factory=Templates)
    """The texts for the schema channel and for attached files."""
    first: ToolChoice | None = None
    """The calls that must come before an answer. None: the model decides."""
    consults: tuple[str, ...] = ()
    """The roles that it can consult."""
    others: tuple[Role, ...] = ()
    """The role with other models. Each answers when no host can serve the ones before it."""
    rules: Mapping[str, Any] = field(default_factory=dict)
    """Which tools the configuration allows it, denies it, and lets it call with the approval of the user."""
    most_calls: Callable[[str], int | None] = _no_limit
    """The most calls in one reply of a model, by its name. None: it has no limit of its own. Only the channel `schema` asks."""
    shortlist: Shortlist | None = None
    """Which of its tools a prompt offers. None: all, because they are not too many."""
    _offers: dict[tuple[object, ...], Offer] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def choices(self) -> tuple[Member, ...]:
        """The member with each of its models, in the order of preference."""
        return (self, *(replace(self, role=role, others=()) for role in self.others))

    def changed(self, changes: Mapping[str, Any], models: Mapping[str, Role]) -> Member:
        """The member with another model, temperature or timeout. `models`: a role for each model, which says where the model runs."""
        if not changes.keys() & {"model", "temperature", "timeout"}:
            return self
        role, other = self.role, models.get(changes.get("model", ""), self.role)
        warmth = {"temperature": changes["temperature"]} if "temperature" in changes else {}
        moved = PlainRole(
            role.name, other.model, other.servers, other.window, other.channel, {**role.options, **warmth}, other.think,
            other.keep_alive, changes.get("timeout", role.timeout), role.system,
        )  # fmt: skip
        return replace(self, role=moved, others=self.others if other is role else ())

    def moved(self, model: str, servers: tuple[str, ...], window: int) -> Member:
        """The member with a model that its role does not have."""
        role = self.role
        moved = PlainRole(
            role.name, model, servers, window, None, role.options, None, role.keep_alive, role.timeout, role.system,
        )  # fmt: skip
        return replace(self, role=moved, others=())

    @cached_property
    def terms(self) -> Mapping[str, Any]:
        """What an approval of its calls holds for, beside the call itself."""
        return {"role": {"name": self.role.name, "model": self.role.model}, "rules": self.rules}

    def offer(
        self, channel: str, box: Toolbox, window: int, *, choice: ToolChoice = AUTO, files: bool = False, format_: bytes = b""
    ) -> Offer:
        """What the model gets on a channel, with these tools. With a `format_`, it may only answer, in this format.

        Without one it is made once, so every turn sends the same bytes. Formats come with runs, so an app would keep more and more of them.
        """
        key = (channel, box.names, window, choice, files)
        if format_:
            return self._make(ShapedChannel(self._channel(channel, box, choice), format_), channel, box, window, files)
        if key not in self._offers:
            self._offers[key] = self._make(self._channel(channel, box, choice), channel, box, window, files)
        return self._offers[key]

    def _make(self, reader: Channel, channel: str, box: Toolbox, window: int, files: bool) -> Offer:
        system = Message("system", f"{self.system}\n\n{reader.prompt}".strip())
        own, specs = self.system if reader.prompt else "", encode_offer(box.specs) if box else b""
        options = {"num_predict": window, **self.role.options}
        wording = wording_of(self.templates) if files else {}
        frame = Frame(
            system, channel, reader.tools, reader.format, options, self.role.think, self.role.keep_alive, wording,
            own, specs if specs != reader.tools else b"",
        )  # fmt: skip
        return Offer(reader, frame)

    def _channel(self, name: str, box: Toolbox, choice: ToolChoice) -> Channel:
        if name != "schema":
            return ToolsChannel(box.specs, choice=choice)
        limit, texts = self.role.options.get("num_predict"), self.templates
        tokens = limit if isinstance(limit, int) else None
        return SchemaChannel(
            box.specs,
            fill(texts.text("schema"), tools=TOOLS),
            choice=choice.at_most(self.most_calls(self.role.model)),
            tokens=tokens,
            none=texts.fill("no_tools"),
        )


def in_other_words(role: Role, system: str, others: Iterable[Role] = ()) -> Participant:
    """A participant that works as a role does, with another system text and without its tools. `others`: the role with other models."""
    return Participant(
        role.name, role.model, system, role.servers, (), role.options, role.window, role.channel, role.think, role.keep_alive,
        role.timeout, tuple(other.model for other in others),
    )  # fmt: skip


Cast = Mapping[str, Member]
"""All members of a run, by role."""


class Asking(Protocol):
    """Through whom the members of a cast can be asked."""

    @property
    def cast(self) -> Cast: ...
    async def ask(self, scope: Scope, question: Question, *, call: str) -> Answer: ...


def models_of(cast: Cast) -> dict[str, Role]:
    """Every model of a cast, with the first role that has it."""
    roles: dict[str, Role] = {}
    for member in cast.values():
        for choice in member.choices:
            roles.setdefault(choice.role.model, choice.role)
    return roles
