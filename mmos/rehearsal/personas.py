"""The format of a persona: a model with its details, its speed, and its rules or script."""

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
"""Who finds the tool calls in what a model writes."""
Capability = Literal["completion", "tools", "thinking", "embedding", "vision", "insert"]
Template = Literal["whole", "either", "structs", "plain"]
"""What a model's template does with tools and calls: writes them; loses the calls of a turn with text; prints tools as Go structs besides; knows neither."""
Whose = Literal["itself", "result", "message"]
"""Whose words are contradicted: its own last ones, the last result, or what the newest message of the user holds."""
Turn: TypeAlias = str | Piece | Sequence["str | Piece"] | Callable[[Prompt], "Turn"]
"""One turn of a script: a text, a piece, a list of them, or a function of the prompt that gives one."""

DEFAULT = "I am a scripted rehearsal model and have no answer of my own to this: {topic}"
SIGNATURE = "(rehearsed)"


def unfold(turn: Turn, prompt: Prompt) -> list[Piece]:
    """A turn as the pieces that it comes to."""
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
    """Tokens of the prompt read in a second."""
    decode: float = 40.0
    """Tokens of the answer written in a second."""


@dataclass(frozen=True)
class Architecture:
    """The figures of `model_info` from which the size of a KV cache follows."""

    layers: int = 32
    heads: int = 32
    kv_heads: int = 8
    head_size: int = 128
    embedding_length: int = 4096

    @property
    def kv_bytes(self) -> int:
        """KV cache for one token, in f16."""
        return 2 * self.layers * self.kv_heads * self.head_size * 2


@dataclass(frozen=True)
class When:
    """Conditions of a rule; every one that is given must hold."""

    last_role: str | None = None
    user_matches: re.Pattern[str] | None = None
    """Found in the newest message of the user; named groups become templates."""
    user_contains: Sequence[str] = ()
    """One of these stands in it, in any case."""
    system_contains: Sequence[str] = ()
    tools_offered: bool | Sequence[str] | None = None
    """Any tool at all, none, or all of these."""
    arbiter: bool | None = None
    """Specialists can be consulted, or not."""
    after_results: bool | None = None
    results: int | None = None
    result_contains: Sequence[str] = ()
    format: bool | None = None
    turn: int | None = None


@dataclass(frozen=True)
class Leak:
    """A call that is written as text, in one of the ways that models do it."""

    call: Piece
    style: Literal["fence", "bare", "tagged"] = "fence"


@dataclass(frozen=True)
class Skill:
    """A small true piece of work, by its registered name; a rule whose skill finds nothing to do does not match."""

    name: str


@dataclass(frozen=True)
class Contradict:
    """Says the opposite of what was said before; with a text of its own, that text and its opposite in turn."""

    text: str | None = None
    of: Whose | None = None
    """None: the first of these that there is; a rule that finds nothing to contradict does not match."""


Step: TypeAlias = Piece | Leak | Skill | Contradict


@dataclass(frozen=True)
class Rule:
    when: When
    do: Sequence[Step]


@dataclass(frozen=True)
class Model:
    """A scripted model: what a host tells of it, how fast it is, and what it does."""

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
    """What it says when nothing else fits."""
    signature: str = SIGNATURE
    """Stands after every answer that rules or built-in behaviour gave: a rehearsed answer says so."""
    named_tools: bool = True
    """Call any offered tool that the user names, before any rule."""
    turns: Sequence[Turn] | None = None
    """A script instead of rules: the n-th answer is the n-th turn."""
    repeat: bool = False
    """After the last turn comes the first again."""
    path: ToolPath = "go-template"
    tag: str = "<tool_call>"
    """What stands before a call that the model writes; `{`: nothing, the answer begins with the call."""
    template: Template | None = None
    """None: `whole` for a model with tools, `plain` for one without."""
    special_escape: bool = False
    """For functiongemma: `<escape>` is a special token of its file."""
    think_levels: bool = False
    """It thinks as hard as it is told to."""
    system: str = ""
    """The system text of its Modelfile, for talks that begin without one."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Options that its Modelfile sets."""
    blob: str | None = None
    """Models with the same one share their file, and so their place in memory."""
    broken: Weights | None = None
    """What is wrong with its file."""

    @classmethod
    def scripted(cls, name: str, turns: Sequence[Turn], *, repeat: bool = False, **card: Any) -> Model:
        """A model that plays these turns, one for each answer, as they stand; `card` holds any other field."""
        return cls(name, turns=tuple(turns), repeat=repeat, **card)

    @cached_property
    def full_name(self) -> str:
        return full_name(self.name)

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
    """The models of a persona file and what the file says of its host."""

    models: Sequence[Model] = ()
    host: Mapping[str, Any] = field(default_factory=dict)


def full_name(name: str, *, suffixes: bool = True) -> str:
    """A model's name with its tag: `:latest` is implied; `:local` is no tag where suffixes are known."""
    if suffixes:
        name = name.removesuffix(":local")
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"
