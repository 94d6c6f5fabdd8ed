"""The shape of `orchestration.yaml`: frozen, strict, every key described once."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mmos.config.values import (
    Address,
    Condition,
    ConsultFirst,
    Flag,
    FunctionName,
    Gigabytes,
    GpuIndex,
    HeaderName,
    HeaderValue,
    KeepAlive,
    ModelName,
    OptionValue,
    Parallel,
    Positive,
    RoleName,
    Seconds,
    ServerChoice,
    ServerName,
    Text,
    Thinking,
    TimeScale,
    VariableName,
    Window,
    one_of,
)
from mmos.config.wording import masked

Kind = Literal["ollama", "openai", "embedded", "rehearsal"]
Channel = Literal["tools", "schema"]
Consult = Literal["each", "one", "both"]


def _filled(kind: type[Section], description: str) -> Any:
    return Field(default_factory=kind, description=description)


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Server(Section):
    """A host that runs models."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["url"]}, {"required": ["kind"], "properties": {"kind": {"const": "embedded"}}}]}
    )

    url: Address = Field(default="", description="Address of the host, like http://ollama01:11434. An embedded server has none.")
    kind: Annotated[Kind, one_of("ollama", "openai", "embedded", "rehearsal")] = Field(
        default="ollama",
        description="What answers there: ollama; openai (LM Studio, vLLM, llama-server and the like); embedded "
        "(llama.cpp in a process of ours); rehearsal (scripted models).",
    )
    vram_gb: Gigabytes | None = Field(
        default=None, description="GPU memory of the host in gigabytes, all GPUs together; placement uses it."
    )
    gpus: list[GpuIndex] = Field(default=[], description="Numbers of the GPUs that the host uses.")
    parallel: Parallel = Field(
        default=1, description="Calls that the host serves at once (OLLAMA_NUM_PARALLEL); left out: 1, or 4 for the kind openai."
    )
    api_key_env: VariableName | None = Field(
        default=None, description="The variable in the environment that holds the API key; never the key itself."
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default={}, description="HTTP headers for every request; write secrets as ${NAME}. Their values are never shown."
    )
    models: dict[ModelName, Text] = Field(
        default={}, description="Embedded only: models by name, each 'builtin' or the path of a GGUF file."
    )
    time_scale: TimeScale = Field(default=1.0, description="How many times as fast as ours the host's clock runs; for rehearsals.")

    @model_validator(mode="before")
    @classmethod
    def _fill_parallel(cls, value: Any) -> Any:
        """Servers of this kind, clouds above all, serve several at once unless told otherwise."""
        return {"parallel": 4, **value} if isinstance(value, dict) and value.get("kind") == "openai" else value

    def __repr_args__(self) -> Any:
        # What is secret stays out of tracebacks and logs, too.
        for name, value in super().__repr_args__():
            yield name, masked(value) if name == "url" else "***" if name == "headers" and value else value


class Toolrules(Section):
    """Which tools a role may hold."""

    allow: list[Text] | None = Field(
        default=None, description="Names of the only tools that this role may hold; left out: all that it is offered."
    )
    deny: list[Text] = Field(default=[], description="Names of tools that this role must not hold.")


def _read_toolrules(value: Any) -> Any:
    return {"allow": value} if isinstance(value, list) else value


class Role(Section):
    """A named job, and the model that does it."""

    model: ModelName = Field(description="The model, as its host calls it, like qwen2.5:14b.")
    server: ServerChoice | None = Field(
        default=None,
        description="Where the model runs: one server, a list of them, or left out for any that has the model. "
        "A name that 'servers' does not define means http://NAME:11434.",
    )
    role: Text | None = Field(default=None, description="What this role is, in a word or two, like coordinator; a note for people.")
    description: Text | None = Field(default=None, description="What this specialist is good for; the arbiter reads it when it chooses.")
    context_window: Window | None = Field(
        default=None,
        description="Tokens that the model sees at once. One model on one server has one window for all roles: the largest asked for.",
    )
    channel: Annotated[Channel, one_of("tools", "schema")] | None = Field(
        default=None,
        description="How the model calls tools: tools (its host's tool calls) or schema (JSON by grammar); left out: what the host can do.",
    )
    options: dict[Text, OptionValue] = Field(
        default={},
        description="Sampling options for the model, like temperature, top_p, seed or stop. The window is context_window, not num_ctx.",
        json_schema_extra={"propertyNames": {"not": {"const": "num_ctx"}}},
    )
    think: Thinking | None = Field(
        default=None, description="Whether, or how hard, the model thinks before it answers; left out: its own habit."
    )
    keep_alive: KeepAlive | None = Field(default=None, description='How long the host keeps the model loaded, like "10m" or -1 for ever.')
    system: Text | None = Field(default=None, description="Text that is added to what this role is told about its job.")
    tools: Annotated[Toolrules, BeforeValidator(_read_toolrules, json_schema_input_type=Toolrules | list[Text])] = _filled(
        Toolrules, "Which tools this role may hold: allow and deny, or a plain list of the allowed."
    )
    timeout: Seconds | None = Field(default=None, description='The longest that one consultation of this role may take, like 90 or "5m".')


class Arbiter(Role):
    """The role that talks with the user and consults the others."""

    consult: Annotated[Consult, one_of("each", "one", "both")] = Field(
        default="each", description="The tools it consults with: each (one tool a specialist), one (consult_specialist for all) or both."
    )
    consult_first: ConsultFirst = Field(
        default=False,
        description="Whether it has to consult before it may answer, and then answers by its last turn: what a small model needs. "
        "A number says how many specialists at least.",
    )


class Rule(Section):
    condition: Condition = Field(description="When the rule holds, like task.complexity > 7 and task.type == 'bug_fixing'.")
    specialist: RoleName = Field(description="The specialist that it points to.")


class Routing(Section):
    rules: list[Rule] = Field(default=[], description="Rules that point to a specialist; the first that holds counts.")


class Conversation(Section):
    max_models_per_conversation: Positive = Field(default=3, description="How many models may talk with each other at once.")
    include_full_history: Flag = Field(
        default=False, description="Whether a consulted specialist gets the whole conversation beside its task."
    )
    allow_model_to_model: Flag = Field(default=True, description="Whether specialists may consult each other.")
    arbiter_reviews_all: Flag = Field(default=True, description="Whether the arbiter reads every message between models.")


class Limits(Section):
    turns: Positive = Field(default=24, description="Turns that a participant may take on one question.")
    calls: Positive = Field(default=64, description="Tool calls of the whole run, those of specialists included.")
    depth: Positive = Field(default=3, description="How deep consultations may lead to further consultations.")
    total_turns: Positive | None = Field(
        default=300, description="Questions to models in one run, by all participants together; null: no limit."
    )
    tokens: Positive | None = Field(default=10_000_000, description="Tokens in one run, read and written; null: no limit.")
    seconds: Seconds | None = Field(default=None, description='The longest that a run may take, like 600 or "10m"; left out: no limit.')
    idle: Seconds | None = Field(
        default=1800.0,
        description='The longest that a run may go on without progress, like 600 or "10m"; null: no limit. '
        "A model at work is progress; how long a host may be silent is said under timeouts.",
    )
    repetition: Flag = Field(
        default=False,
        description="Whether a model may write the same text over and over; false: an answer that repeats itself word for word is ended.",
    )
    repeats: Positive = Field(default=3, description="How often the same call may be made in one run before it counts as a loop.")
    answer_chars: Positive = Field(
        default=6000,
        description="Characters of a specialist's answer that the arbiter gets whole; a longer one reaches it as digest and reference.",
    )


class TimeoutsConfig(Section):
    connect: Seconds = Field(default=5.0, description="Until a host accepts the connection.")
    load: Seconds = Field(default=300.0, description="Added to first_byte while the model may still have to be loaded.")
    first_byte: Seconds = Field(default=180.0, description="Until the first piece of the answer.")
    between_chunks: Seconds = Field(default=60.0, description="Between two pieces of the answer.")
    total: Seconds | None = Field(default=None, description="The whole call; left out: as long as it gets on.")


class Orchestration(Section):
    """A fleet of hosts and the roles that work on it."""

    servers: dict[ServerName, Server] = Field(
        default={}, description="The hosts by name. Optional: roles may name hosts that are not listed here."
    )
    arbiter: Arbiter = Field(description="The model that talks with the user and consults the specialists.")
    specialists: dict[RoleName, Role] = Field(
        default={},
        description="Roles by name; each becomes the tool consult_NAME_specialist. 'interpreter' and 'synthesizer' have jobs of their own.",
    )
    routing: Routing = _filled(Routing, "Advice on which specialist suits a task.")
    conversation: Conversation = _filled(Conversation, "How models work together.")
    limits: Limits = _filled(Limits, "Budgets of one run.")
    timeouts: TimeoutsConfig = _filled(TimeoutsConfig, 'Patience with a host, in seconds or like "30s" and "5m".')
    tools: list[FunctionName] = Field(
        default=[], description="Functions of yours that become tools, as module:function; this file's folder is searched first."
    )
    prompts: Text | None = Field(
        default=None,
        description="Folder with templates that replace the built-in ones, relative to this file; or 'small', a built-in set for small models.",
    )


class File(Section):
    """The whole file."""

    orchestration: Orchestration = Field(description="Everything stands under this key.")
