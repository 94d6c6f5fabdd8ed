"""Defines the keys of `orchestration.yaml` as strict, frozen models, and describes each key once."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from mmos.config.cache_schema import Cache
from mmos.config.conversation_schema import Conversation
from mmos.config.defaults_schema import Defaults
from mmos.config.instruction_schema import Instructions
from mmos.config.library_schema import Rag
from mmos.config.models_schema import Model, ModelKey
from mmos.config.patterns_schema import Pattern, PatternName
from mmos.config.phase_schema import PhaseEntry
from mmos.config.quality_schema import Quality
from mmos.config.routing_schema import Routing
from mmos.config.section import Section
from mmos.config.selection_schema import Selection
from mmos.config.tools_schema import ToolList
from mmos.config.values import (
    Address,
    Broadcast,
    ConsultFirst,
    Flag,
    Gigabytes,
    GpuIndex,
    HeaderName,
    HeaderValue,
    KeepAlive,
    MacAddress,
    ModelChoice,
    ModelName,
    OptionValue,
    Parallel,
    Percent,
    PhaseName,
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
Memory = Literal["thread", "none", "fork"]
Policy = Literal["completion_time", "round_robin", "least_busy", "fastest", "resource"]
Step = Literal["wait", "same_class", "remote", "refuse"]
Beyond = Literal["wait", "refuse"]
Remedy = Literal[
    "suggest_retry_with_changes", "suggest_phase_change", "request_user_input", "suggest_rollback", "suggest_alternative_approach"
]  # fmt: skip
WarmUp = Literal[False, "plan", "predict"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
Strategy = Literal["auto", "round_robin", "pack", "spread", "manual"]


def _filled(kind: type[Section], description: str) -> Any:
    return Field(default_factory=kind, description=description)


class Server(Section):
    """A host that runs models."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["url"]}, {"required": ["kind"], "properties": {"kind": {"const": "embedded"}}}]}
    )

    url: Address = Field(default="", description="Address of the host, like http://ollama01:11434. An embedded server has none.")
    kind: Annotated[Kind, one_of("ollama", "openai", "embedded", "rehearsal")] = Field(
        default="ollama",
        description="The kind of the host: ollama; openai (LM Studio, vLLM, llama-server and similar); embedded "
        "(llama.cpp in a process of MMOS); rehearsal (scripted models).",
    )
    vram_gb: Gigabytes | None = Field(
        default=None, description="GPU memory of the host in gigabytes, all GPUs together. MMOS uses it to place models."
    )
    gpus: list[GpuIndex] = Field(default=[], description="Numbers of the GPUs that the host uses.")
    parallel: Parallel = Field(
        default=1, description="Calls that the host serves at once (OLLAMA_NUM_PARALLEL). Default: 1, or 4 for the kind openai."
    )
    api_key_env: VariableName | None = Field(
        default=None, description="The environment variable that holds the API key; never the key itself."
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default={}, description="HTTP headers for every request. Write secrets as ${NAME}. MMOS never shows the values."
    )
    models: dict[ModelName, Text] = Field(
        default={}, description="Only for embedded: models by name, each 'builtin' or the path of a GGUF file."
    )
    wake: MacAddress | None = Field(
        default=None,
        description="The address of the host's network card, like aa:bb:cc:dd:ee:ff. MMOS wakes the host (Wake-on-LAN) when a call needs it and it does not answer.",
    )
    wake_address: Broadcast = Field(default="255.255.255.255:9", description="Where the packet that wakes the host goes.")
    wake_seconds: Seconds = Field(
        default=90.0, description="How long a call waits for the host to wake up, when no other host can serve it."
    )
    allow_cloud: Flag = Field(
        default=False,
        description="Whether MMOS may ask models of this Ollama that run in a cloud, like gpt-oss:120b-cloud. Prompts leave the house then.",
    )
    time_scale: TimeScale = Field(default=1.0, description="How many times faster than real time the host's clock runs; for rehearsals.")

    @model_validator(mode="before")
    @classmethod
    def _fill_parallel(cls, value: Any) -> Any:
        """Servers of this kind, above all clouds, serve several calls at once by default."""
        return {"parallel": 4, **value} if isinstance(value, dict) and value.get("kind") == "openai" else value

    def __repr_args__(self) -> Any:
        # Secrets stay out of tracebacks and logs, too.
        for name, value in super().__repr_args__():
            yield name, masked(value) if name == "url" else "***" if name == "headers" and value else value


class Toolrules(Section):
    """Which tools a role may hold."""

    allow: list[Text] | None = Field(
        default=None, description="Names of the tools that this role may hold. Default: the arbiter all tools, a specialist none."
    )
    deny: list[Text] = Field(default=[], description="Names of tools that this role may not hold.")
    ask: list[Text] = Field(default=[], description="Names of tools that this role may call only when the user approves the call.")


def _read_toolrules(value: Any) -> Any:
    return {"allow": value} if isinstance(value, list) else value


class Role(Instructions):
    """A named job, and the model that does it."""

    model: ModelChoice = Field(
        description="The model, as its host calls it, like qwen2.5:14b; or a list of models. MMOS uses the next one only when no host can serve the one before."
    )
    server: ServerChoice | None = Field(
        default=None,
        description="Where the model runs: one server or a list of servers. Default: any server that has the model. "
        "If 'servers' does not define a name, MMOS uses http://NAME:11434.",
    )
    role: Text | None = Field(default=None, description="One or two words that say what this role is, like coordinator; a note for people.")
    description: Text | None = Field(
        default=None, description="What this specialist is good for. The arbiter reads it when it chooses a specialist."
    )
    context_window: Window | None = Field(
        default=None,
        description="Tokens that the model sees at once. One model on one server has one window for all roles: the largest that any of them asks for.",
    )
    channel: Annotated[Channel, one_of("tools", "schema")] | None = Field(
        default=None,
        description="How the model calls tools: tools (its host's tool calls) or schema (JSON that a grammar enforces). "
        "Default: what `mmos models test` found, or what the host can do.",
    )
    options: dict[Text, OptionValue] = Field(
        default={},
        description="Sampling options for the model, like temperature, top_p, seed or stop. For the window, use context_window, not num_ctx.",
        json_schema_extra={"propertyNames": {"not": {"const": "num_ctx"}}},
    )
    think: Thinking | None = Field(
        default=None, description="Whether, or how much, the model thinks before it answers. Default: the model's own."
    )
    keep_alive: KeepAlive | None = Field(
        default=None, description='How long the host keeps the model loaded, like "10m"; -1 means forever. Default: as the host is set.'
    )
    pin: Flag = Field(
        default=False,
        description="Whether the model stays in memory: MMOS never unloads it for another one, loads it first when a chat begins, and tells the host to keep it.",
    )
    system: Text | None = Field(default=None, description="Text that MMOS adds to this role's system text.")
    tools: Annotated[Toolrules, BeforeValidator(_read_toolrules, json_schema_input_type=Toolrules | list[Text])] = _filled(
        Toolrules, "Which tools this role may hold: allow, deny and ask, or a plain list that means allow."
    )
    gpu_id: GpuIndex | None = Field(
        default=None, description="The GPU that the model must have: only servers whose gpus name it are used. Default: any."
    )
    gpu_ids: list[GpuIndex] = Field(
        default=[], description="Several GPUs that the model must have: only servers whose gpus name all of them are used."
    )
    vram_required_gb: Gigabytes | None = Field(
        default=None, description="GPU memory that the model needs, in gigabytes. A server with a smaller vram_gb is not used."
    )
    timeout: Seconds | None = Field(
        default=None, description='The longest time that one consultation of this role may take, like 90 or "5m". Default: no limit.'
    )


class Specialist(Role):
    """A role that others may consult."""

    memory: Annotated[Memory, one_of("thread", "none", "fork")] = Field(
        default="thread",
        description="What the role remembers when it is consulted: thread (its earlier consultations in the same conversation), none (only what it is asked), "
        "or fork (all that the role has read and written that consults it).",
    )


class Arbiter(Role):
    """The role that talks with the user and consults the others."""

    consult: Annotated[Consult, one_of("each", "one", "both")] = Field(
        default="each",
        description="The tools that it consults with: each (one tool for each specialist), one (consult_specialist for all) or both.",
    )
    consult_first: ConsultFirst = Field(
        default=False,
        description="Whether the arbiter must consult before it may answer, and must answer by its last turn. This helps small models. "
        "A number says how many specialists it must consult.",
    )


class Limits(Section):
    turns: Positive = Field(default=24, description="Turns that a participant may take for one question.")
    calls: Positive = Field(default=64, description="Tool calls of the whole run, including those of specialists.")
    depth: Positive = Field(default=3, description="How many levels of consultation are allowed below the arbiter.")
    total_turns: Positive | None = Field(
        default=300, description="Requests to models in one run, by all participants together; null means no limit."
    )
    tokens: Positive | None = Field(default=10_000_000, description="Tokens in one run, read and written; null means no limit.")
    seconds: Seconds | None = Field(default=None, description='The longest time that a run may take, like 600 or "10m". Default: no limit.')
    idle: Seconds | None = Field(
        default=1800.0,
        description='The longest time without progress, like 600 or "10m"; null means no limit. '
        "A model at work counts as progress; timeouts limits how long a host may take to answer.",
    )
    repetition: Flag = Field(
        default=False,
        description="Whether a model may write the same text over and over. If false, MMOS stops an answer that repeats itself word for word.",
    )
    repeats: Positive = Field(
        default=3,
        description="How often a model may make the same call in one run before it counts as a loop, and how often a run may make the same change of phase.",
    )
    tools: Positive = Field(
        default=24,
        description="Of a role's tools that are not built in, how many a prompt offers: those that fit the task. With more, the role also gets the tool find_tools.",
    )
    answer_chars: Positive = Field(
        default=6000,
        description="The longest answer of a specialist, in characters, that the arbiter gets whole. Of a longer answer it gets a digest and a reference.",
    )


class Timeouts(Section):
    connect: Seconds = Field(default=5.0, description="Until a host accepts the connection.")
    load: Seconds = Field(default=300.0, description="Added to first_byte when the host may have to load the model first.")
    first_byte: Seconds = Field(default=180.0, description="Until the first piece of the answer.")
    between_chunks: Seconds = Field(default=60.0, description="Between two pieces of the answer.")
    total: Seconds | None = Field(default=None, description="For the whole call. Default: no limit.")


class Share(Section):
    """The quota of a role or of each thread."""

    gpu_seconds_per_hour: Seconds | None = Field(
        default=None, description="Seconds of hosts' work in any hour: loading, reading and writing. Default: no limit."
    )
    models: Positive | None = Field(
        default=None, description="Models at work at once. A model counts once for each host that it works on. Default: no limit."
    )
    vram_percent: Percent | None = Field(
        default=None, description="The part of the memory of all hosts that the models at work may take, in percent. Default: no limit."
    )
    beyond: Annotated[Beyond, one_of("wait", "refuse")] = Field(
        default="wait",
        description="What to do with a call beyond the quota: wait (behind the calls of all others) or refuse (fail, with the time when it frees).",
    )


class Placement(Section):
    """The key `fleet`."""

    policy: Annotated[Policy, one_of(*POLICIES)] = Field(
        default="completion_time",
        description="How MMOS chooses a host for a call: completion_time (where it ends first; calls wait in MMOS's own queue), or a simple policy that "
        "sends each call at once: round_robin (in turn), least_busy (fewest calls), fastest (shortest calls so far), resource (most free memory).",
    )
    degrade: list[Annotated[Step, one_of(*get_args(Step))]] = Field(
        default=list(get_args(Step)),
        description="What to do with a call of a run that would have to wait, in this order: wait (if its time is enough), same_class (another model of the role that is "
        "in memory), remote (another model of the role on a server of kind openai), refuse (fail with the estimated seconds).",
    )
    warm_up: Annotated[WarmUp, one_of("off", "plan", "predict")] = Field(
        default="plan",
        description="Which models MMOS loads before they are asked, where that delays nobody: off (none), plan "
        "(the arbiter's when a chat begins, a specialist's when the arbiter begins to write to it) or predict (also by what earlier runs asked next, and at this hour).",
    )
    allow_cloud: Flag = Field(default=False, description="The same as allow_cloud of a server, for all servers.")
    quotas: dict[RoleName, Share] = Field(
        default={},
        description="What roles may use: GPU-seconds, models at once and a share of the memory, by role. The name each_thread is for a quota that each thread has for itself.",
    )


class Gpu(Section):
    strategy: Annotated[Strategy, one_of("auto", "round_robin", "pack", "spread", "manual")] = Field(
        default="auto",
        description="Which GPU a reservation or a model gets: auto (the one with the most free memory; for a model, the one where its calls end first), "
        "round_robin (the one with the fewest models), pack (the lowest that has room), spread (the least used) or manual (as the role says, "
        "and where it says nothing the first server that has the model).",
    )
    vram_threshold_percent: Percent = Field(default=85.0, description="A GPU whose memory is fuller than this is not chosen.")
    allow_shared_gpu: Flag = Field(default=True, description="Whether a GPU that somebody holds may be chosen.")
    auto_unload: Flag = Field(
        default=True,
        description="Whether MMOS may unload a model to make room for another. What an Ollama unloads by itself is its own choice.",
    )


class Recovery(Section):
    enabled: Flag = Field(default=True, description="Whether MMOS tries to cure an exchange or a tool call that fails.")
    role: RoleName = Field(
        default="reasoning",
        description="The role that is asked what to do when rules know nothing. If there is no such role, or if it has failed itself, the arbiter is asked.",
    )
    attempts: Positive = Field(
        default=2, description="How many cures MMOS tries for one kind of failure of one exchange, or of one tool in it."
    )
    ask_before: list[Annotated[Remedy, one_of(*get_args(Remedy))]] = Field(
        default=["suggest_rollback"], description="Suggestions that MMOS carries out only when the user approves them."
    )


class Orchestration(Section):
    """A fleet of hosts and the roles that work on it."""

    servers: dict[ServerName, Server] = Field(default={}, description="The hosts by name. Optional: roles may name other hosts, too.")
    arbiter: Arbiter = Field(description="The model that talks with the user and consults the specialists.")
    specialists: dict[RoleName, Specialist] = Field(
        default={},
        description="Roles by name. Each becomes the tool consult_NAME_specialist, except 'interpreter' and 'synthesizer', which have special jobs.",
    )
    routing: Routing = _filled(Routing, "Which specialist or model suits a task.")
    conversation: Conversation = _filled(Conversation, "How models work together.")
    limits: Limits = _filled(Limits, "Limits of one run.")
    timeouts: Timeouts = _filled(Timeouts, 'How long MMOS waits for a host, in seconds or like "30s" and "5m".')
    phases: dict[PhaseName, PhaseEntry] = Field(
        default={},
        description="The phases of a run by name, and initial: the name of the first one. Default: none. Each says which may follow, "
        "what the model reads, and which tools may be called.",
        json_schema_extra={
            "properties": {"initial": {"type": "string", "description": "The first phase. Default: the first one in the file."}}
        },
    )
    fleet: Placement = _filled(Placement, "How MMOS chooses a host for each call.")
    gpu: Gpu = _filled(Gpu, "How MMOS chooses among the GPUs of this machine.")
    recovery: Recovery = _filled(Recovery, "What a run does about failures.")
    defaults: Defaults = _filled(Defaults, "What holds for each run that does not say otherwise.")
    models: dict[ModelKey, Model] = Field(default={}, description="What is known of models. A role may name a model by its key here.")
    patterns: dict[PatternName, Pattern] = Field(default={}, description="Ready forms, by name, in which several models work on one task.")
    selection: Selection = _filled(Selection, "How the strategy intelligent chooses among roles and models.")
    quality: Quality = _filled(Quality, "When a model judges the answers, and which one.")
    cache: Cache = _filled(Cache, "Whether MMOS keeps the answers of models.")
    rag: Rag = _filled(Rag, "Which documents of the library models read, and how they are found.")
    tools: ToolList = Field(
        default=[],
        description="Your functions that become tools, as module:function; MMOS looks in this file's folder first. "
        "And the tools that MMOS has ready: files, shell and web, each alone or with its settings.",
    )
    constraints: list[Text] = Field(
        default=[], description="What no role must break, one sentence each. It becomes a part of each system text."
    )
    preferences: Text | None = Field(
        default=None, description="What you like in answers, like 'German; short; metric units'. It becomes a part of each system text."
    )
    tell_mistakes: Flag = Field(
        default=True,
        description="Whether the system text of a role names up to three mistakes that its first model made in earlier runs, such as a call that could not be read.",
    )
    prompts: Text | None = Field(
        default=None,
        description="A folder with prompts that replace the built-in ones, relative to this file; or 'small', a built-in set for small models. "
        "Default: the built-in prompts.",
    )


class File(Section):
    """The whole file."""

    orchestration: Orchestration = Field(description="Everything is under this key.")
