"""Defines a persona: a model with its details, its speed, and its rules or script."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

from mmos.rehearsal.pieces import Piece, Say
from mmos.rehearsal.profiles import Weights
from mmos.rehearsal.prompt import Prompt

ToolPath = Literal["go-template", "native", "strict", "functiongemma"]
"""Which parser finds the tool calls in a model's text."""
Capability = Literal["completion", "tools", "thinking", "embedding", "vision", "insert"]
Template = Literal["whole", "either", "structs", "plain"]
"""How a model's template writes tools and calls. `whole`: both. `either`: it loses the calls of a turn with text. `structs`: so does it, and it prints tools as Go structs. `plain`: neither."""
Whose = Literal["itself", "result", "message"]
"""What a contradiction is about: the model's own last text, the last result, or the user's newest message."""
Turn: TypeAlias = str | Piece | Sequence["str | Piece"] | Callable[[Prompt], "Turn"]
"""One turn of a script: a text, a piece, a list of them, or a function that makes a turn from the prompt."""

DEFAULT = "I am a scripted rehearsal model and have no answer of my own to this: {topic}"
SIGNATURE = "(rehearsed)"
_IMPLIED = re.compile(r"\A(?:(?:registry\.ollama\.ai/)?library/(?=[^/]*\Z)|registry\.ollama\.ai/(?=[^/]*/[^/]*\Z))", re.IGNORECASE)


def unfold(turn: Turn, prompt: Prompt) -> list[Piece]:
    """The pieces of a turn."""
    while callable(turn):
        turn = turn(prompt)
    if isinstance(turn, str):
        return [Say(turn)]
    if isinstance(turn, Sequence):
        return [Say(part) if isinstance(part, str) else part for part in turn]
    return [turn]


@dataclass(frozen=True)
class Speed:
    """How fast a model is, in the host's own seconds."""

    load_seconds: float = 2.0
    prefill: float = 800.0
    """Tokens of the prompt that it reads in a second."""
    decode: float = 40.0
    """Tokens of the answer that it writes in a second."""


@dataclass(frozen=True)
class Architecture:
    """The figures of `model_info` that give the size of the KV cache."""

    layers: int = 32
    heads: int = 32
    kv_heads: int = 8
    head_size: int = 128
    embedding_length: int = 4096

    @property
    def kv_bytes(self) -> int:
        """Bytes of KV cache for one token, in f16."""
        return 2 * self.layers * self.kv_heads * self.head_size * 2


@dataclass(frozen=True)
class When:
    """The conditions of a rule. All given ones must hold."""

    last_role: str | None = None
    user_matches: re.Pattern[str] | None = None
    """A pattern in the user's newest message. Its named groups can be used in texts as `{name}`."""
    user_contains: Sequence[str] = ()
    """The message contains one of these. Upper and lower case are the same."""
    system_contains: Sequence[str] = ()
    tools_offered: bool | Sequence[str] | None = None
    """Any tool is offered, none is, or all of these are."""
    arbiter: bool | None = None
    """Whether specialists can be consulted."""
    after_results: bool | None = None
    results: int | None = None
    result_contains: Sequence[str] = ()
    format: bool | None = None
    turn: int | None = None


@dataclass(frozen=True)
class Leak:
    """A call that the model writes as text, in one of the usual styles."""

    call: Piece
    style: Literal["fence", "bare", "tagged"] = "fence"


@dataclass(frozen=True)
class Skill:
    """A small real task, by its registered name. A rule does not match when its skill finds nothing to do."""

    name: str


@dataclass(frozen=True)
class Contradict:
    """Says the opposite of an earlier text. With a text of its own, it says that text and its opposite by turns."""

    text: str | None = None
    of: Whose | None = None
    """None: the first of the three that exists. A rule does not match when it finds nothing to contradict."""


Step: TypeAlias = Piece | Leak | Skill | Contradict


@dataclass(frozen=True)
class Rule:
    when: When
    do: Sequence[Step]


@dataclass(frozen=True)
class Model:
    """A scripted model: what a host reports about it, how fast it is, and what it does."""

    name: str
    family: str = "llama"
    parameter_size: str = "8.0B"
    quantization: str = "Q4_K_M"
    size: int = 4_900_000_000
    context_length: int = 32768
    capabilities: Sequence[Capability] = ("completion", "tools")
    speed: Speed = Speed()
    architecture: Architecture = Architecture()
    rules: Sequence[Rule] = ()
    default: str = DEFAULT
    """The answer when no rule fits."""
    signature: str = SIGNATURE
    """A text at the end of every answer from rules or built-in behaviour. It marks rehearsed answers."""
    named_tools: bool = True
    """Whether it calls an offered tool that the user names, before any rule."""
    turns: Sequence[Turn] | None = None
    """A script in place of rules: the n-th answer is the n-th turn."""
    repeat: bool = False
    """Whether the script starts again after its last turn."""
    path: ToolPath = "go-template"
    tag: str = "<tool_call>"
    """The text before a call that the model writes. `{`: none, the answer starts with the call."""
    template: Template | None = None
    """None: `whole` for a model with tools, `plain` for one without."""
    special_escape: bool = False
    """For functiongemma: `<escape>` is a special token of its file."""
    strict_turns: bool = False
    """Whether its template refuses two messages of the user in a row, as some servers' templates do. Ollama's own join them."""
    think_levels: bool = False
    """Whether it supports levels of thinking."""
    system: str = ""
    """The system text of its Modelfile, for conversations that start without one."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Options that its Modelfile sets."""
    blob: str | None = None
    """Models with the same blob share a file, and so their place in memory."""
    broken: Weights | None = None
    """What is wrong with its file."""

    @classmethod
    def scripted(cls, name: str, turns: Sequence[Turn], *, repeat: bool = False, **card: Any) -> Model:
        """A model that plays these turns unchanged, one for each answer. `card` may set any other field."""
        return cls(name, turns=tuple(turns), repeat=repeat, **card)

    @cached_property
    def full_name(self) -> str:
        return full_name(self.name)

    @cached_property
    def key(self) -> str:
        return key(self.name)

    @cached_property
    def weights(self) -> str:
        """The name of its file."""
        return hashlib.sha256(f"{self.blob or self.full_name} {self.size} {self.quantization}".encode()).hexdigest()

    @property
    def digest(self) -> str:
        return self.weights

    def can(self, capability: Capability) -> bool:
        return capability in self.capabilities


@dataclass(frozen=True)
class Cast:
    """The models of a persona file, and the traits of its host."""

    models: Sequence[Model] = ()
    host: Mapping[str, Any] = field(default_factory=dict)


def full_name(name: str, *, suffixes: bool = True) -> str:
    """A model's name as a host lists it: with its tag, and without the registry and the library of Ollama. `:local` is no tag for versions that know suffixes."""
    if suffixes and name.lower().endswith(":local"):
        name = name[: -len(":local")]
    name = _IMPLIED.sub("", name, count=1)
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def key(name: str, *, suffixes: bool = True) -> str:
    """What two names of one model have in common: a host ignores the case."""
    return full_name(name, suffixes=suffixes).lower()
