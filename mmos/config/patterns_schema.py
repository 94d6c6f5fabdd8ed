"""Defines the keys of `patterns`: ready forms in which several models work on one task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from mmos.config.library_schema import PatternRag
from mmos.config.section import Section
from mmos.config.values import (
    Flag,
    Gigabytes,
    GpuIndex,
    ModelName,
    Portion,
    Positive,
    RoleName,
    Seconds,
    ServerChoice,
    Text,
    Weight,
    allowed,
    one_of,
)

Shape = Literal["sequential", "ensemble", "voting", "parallel", "specialized"]
Aggregate = Literal["synthesize", "vote", "best", "weighted", "best_of_n", "consensus"]
Voting = Literal["auto", "majority", "weighted", "ranked"]
Provider = Literal["ollama", "lmstudio", "openai", "embedded"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)
VOTINGS: tuple[Voting, ...] = get_args(Voting)
USUAL_AGGREGATION = "Synthesize these responses into the best single answer:"


_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"
PatternName = Annotated[
    str,
    Field(pattern=_NAME),
    allowed("a name of at most 80 letters, digits, '.', '_' and '-'"),
]
StrategyName = Annotated[str, Field(pattern=_NAME), allowed("single, intelligent, or the name of a pattern")]
FORMS_GROUP = "mmos.patterns"
"""The entry point group in which installed packages offer forms of their own, by name."""


def _check_shape(value: str) -> str:
    if value in SHAPES or ":" in value:
        return value
    from importlib.metadata import entry_points  # nearly all patterns have one of our forms

    if not entry_points(group=FORMS_GROUP, name=value):
        raise ValueError
    return value


ShapeName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][\w-]*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*)?$"),
    AfterValidator(_check_shape),
    allowed(f"one of {', '.join(SHAPES)}, your own class as module:Class, or the name of a form that a package offers", choices=SHAPES),
]
Temperature = Annotated[float, Field(ge=0, le=10), allowed("a number from 0 to 10")]


class PatternMember(Section):
    """A model, or a role of this file, that takes part in a pattern."""

    model: ModelName | None = Field(default=None, description="The model, a key under models, or pattern:NAME for another pattern.")
    role: RoleName | None = Field(default=None, description="A role of this file in place of a model, with its own text and tools.")
    name: Text | None = Field(
        default=None, description="What it is called in lines and documents. Default: the model or the role, as written here."
    )
    server: ServerChoice | None = Field(default=None, description="Where the model may run. Default: on any host that has it.")
    provider: Annotated[Provider, one_of(*get_args(Provider))] | None = Field(
        default=None, description="In place of server: any server of this kind (ollama, lmstudio, openai, embedded)."
    )
    system_prompt: Text | None = Field(default=None, description="The system text of the member.")
    temperature: Temperature = Field(default=0.7, description="How freely it writes. Default: as `models` says of the model, else 0.7.")
    max_tokens: Positive = Field(
        default=4096, description="The longest answer, in tokens. Default: as `models` says of the model, else 4096."
    )
    task: Text | None = Field(
        default=None,
        description="What it does: analyze_and_plan, implement_changes, validate_and_refine, analyze, generate, plan, implement, validate, review, "
        "refine, or an instruction in your own words.",
    )
    prompt: Text | None = Field(
        default=None,
        description="What it reads in place of the usual text: {{ input }} is the task, {{ previous_output }} the result before it.",
    )
    weight: Weight = Field(
        default=1.0, description="What its vote counts with voting: weighted, and how much it counts with aggregate: weighted."
    )
    gpu_id: GpuIndex | None = Field(default=None, description="The GPU that the model must have.")
    gpu_ids: list[GpuIndex] = Field(default=[], description="Several GPUs that the model must have.")
    vram_required_gb: Gigabytes | None = Field(default=None, description="GPU memory that the model needs, in gigabytes.")
    timeout: Seconds | None = Field(default=None, description="The longest time that its answer may take. Default: no limit.")


def _read_member(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


def _read_rag(value: Any) -> Any:
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


Member = Annotated[PatternMember, BeforeValidator(_read_member, json_schema_input_type=PatternMember | Text)]


class Pattern(Section):
    """A form in which several models work on one task."""

    pattern: ShapeName = Field(
        description="sequential (each goes on from the one before), ensemble (all answer, and the answers become one), voting (the answers are counted), "
        "parallel (each has its own part), specialized (the member that fits the task answers), your own class as module:Class, or a form that a package offers."
    )
    enabled: Flag = Field(default=True, description="If false, the pattern is listed, and nobody can use it.")
    description: Text | None = Field(default=None, description="What it is good for. Models read it.")
    models: list[Member] = Field(min_length=1, description="The members, each a name or a mapping.")
    aggregate: Annotated[Aggregate, one_of(*AGGREGATES)] = Field(
        default="synthesize",
        description="How the answers of an ensemble become one: synthesize (a model writes one answer of them), vote (they are counted), best (a judge chooses), "
        "weighted (synthesize, by the weights of the members), best_of_n (the best of several answers of each member) or consensus (rounds until they agree).",
    )
    aggregator_model: ModelName | None = Field(
        default=None, description="The model that writes or chooses the answer. Default: the first member's."
    )
    aggregation_prompt: Text = Field(default=USUAL_AGGREGATION, description="What the aggregator is told before the answers.")
    voting: Annotated[Voting, one_of(*VOTINGS)] = Field(
        default="auto",
        description="How votes are counted: auto (two are asked first, and others only while they disagree), majority, weighted (by learned reliability, "
        "or the weights of the members) or ranked.",
    )
    samples: Positive = Field(default=1, description="With best_of_n: so many answers of each member.")
    min_members: Positive = Field(default=1, description="With fewer answers than this, the pattern fails.")
    deadline: Seconds | None = Field(
        default=None, description="When the answers that there are must be enough. Default: all are waited for."
    )
    max_steps: Positive | None = Field(default=None, description="The most steps of a sequence. Default: all members.")
    validate_: Flag = Field(
        default=False, alias="validate", description="Whether the result of each step is checked, and a step that makes it worse is undone."
    )
    quality_threshold: Portion | None = Field(
        default=None, description="The score that a step needs with validate. Default: that of defaults."
    )
    rag: Annotated[PatternRag | None, BeforeValidator(_read_rag, json_schema_input_type=PatternRag | bool | None)] = Field(
        default=None, description="What its members read of the library: the keys of `rag`, or true for those. Default: nothing."
    )
    announce: Flag = Field(
        default=False,
        description="Whether a run that the pattern answers begins each step with a line on stdout: [INFO] Pipeline Step 1/3: Using model 'NAME'... "
        "The lists of backends in files of Camus have it.",
    )
    advise: Flag = Field(
        default=False, description="Whether the members only advise the model that acts. It keeps its tools and reads their advice once."
    )


def own_forms(patterns: Mapping[str, Pattern]) -> dict[str, str]:
    """The classes of the user that patterns are made of, by pattern, as module:Class."""
    return {name: one.pattern for name, one in patterns.items() if ":" in one.pattern}
