"""The schema of a fleet file: frozen, strict, with a description of every key."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Annotated, Any, get_type_hints

from pydantic import BeforeValidator, Field, create_model

from mmos.config.schema import Orchestration, Section
from mmos.config.values import Gigabytes, KeepAlive, ModelName, Parallel, Positive, ServerName, Text, TimeScale, allowed
from mmos.rehearsal.faults import Fault
from mmos.rehearsal.personas import Capability, Template, ToolPath
from mmos.rehearsal.profiles import Version, Weights

Rate = Annotated[float, Field(gt=0, le=10_000_000), allowed("tokens a second, more than 0")]
Factor = Annotated[float, Field(gt=0, le=10_000), allowed("a number more than 0 and at most 10000")]
Port = Annotated[int, Field(ge=1, le=65535), allowed("a port from 1 to 65535, or left out for a free one")]
Wait = Annotated[float, Field(ge=0, le=86_400), allowed("seconds, 0 or more")]
Queue = Annotated[int, Field(ge=0), allowed("a whole number >= 0")]


def _as_text(value: Any) -> Any:
    """YAML reads 0.33 as a number."""
    return str(value) if isinstance(value, float) else value


def as_persona(value: Any) -> Any:
    return {"like": value} if isinstance(value, str) else value


def _fault_spec() -> type[Section]:
    """What a fault may say, read off the fault itself."""
    hints = get_type_hints(Fault)
    shape: dict[str, Any] = {field.name: (hints[field.name], ... if field.default is MISSING else field.default) for field in fields(Fault)}
    return create_model("FaultSpec", __base__=Section, **shape)


FaultSpec = _fault_spec()


class Persona(Section):
    """A model on a host: a built-in persona by its name, one that is like it, or one of the file's own."""

    name: ModelName | None = Field(default=None, description="The model's name; left out: that of the persona it is like.")
    like: ModelName | None = Field(default=None, description="The built-in persona that it takes all else from.")
    family: Text | None = Field(default=None, description="As its card says it, like qwen2.")
    parameter_size: Text | None = Field(default=None, description="As its card says it, like 14.8B.")
    quantization: Text | None = Field(default=None, description="As its card says it, like Q4_K_M.")
    size_gb: Gigabytes | None = Field(default=None, description="Size of its file, in gigabytes of 10^9 bytes.")
    context_length: Positive | None = Field(default=None, description="The longest window.")
    layers: Positive | None = Field(default=None, description="Layers; with kv_heads and head_size they give the size of the KV cache.")
    heads: Positive | None = Field(default=None, description="Attention heads.")
    kv_heads: Positive | None = Field(default=None, description="Attention heads of the KV cache.")
    head_size: Positive | None = Field(default=None, description="Length of a key and of a value.")
    embedding_length: Positive | None = Field(default=None, description="Length of a vector.")
    load_seconds: Wait | None = Field(default=None, description="Seconds to load it, where the host has no disk_gbps.")
    prefill: Rate | None = Field(default=None, description="Tokens of the prompt read in a second.")
    decode: Rate | None = Field(default=None, description="Tokens of the answer written in a second.")
    capabilities: list[Capability] | None = Field(default=None, description="completion, tools, thinking, embedding, vision, insert.")
    default: Text | None = Field(default=None, description="What it says when no rule fits.")
    signature: Text | None = Field(default=None, description="Stands after every answer.")
    path: ToolPath | None = Field(default=None, description="Who finds tool calls in what it writes.")
    template: Template | None = Field(default=None, description="What its template does with tools and calls.")
    system: Text | None = Field(default=None, description="The system text of its Modelfile.")
    named_tools: bool | None = Field(default=None, description="Call tools that the user names.")
    broken: Weights | None = Field(default=None, description="What is wrong with its file: truncated, garbage, missing.")
    rules: list[dict[str, Any]] | None = Field(default=None, description="Rules as in a persona file.")


class HostSpec(Section):
    """A pretended machine."""

    models: list[Annotated[Persona, BeforeValidator(as_persona)]] = Field(
        min_length=1, description="What it has on its disk: names of built-in personas, or mappings."
    )
    vram_gb: Gigabytes | None = Field(default=None, description="Memory for models, in GiB; left out: without end.")
    gpus: list[Gigabytes] = Field(default=[], description="GiB of each GPU, where there are several.")
    disk_gbps: Factor | None = Field(
        default=None, description="Gigabytes of a model read in a second; left out: each model's load_seconds."
    )
    prefill: Rate | None = Field(default=None, description="Tokens of a prompt read in a second, for each model that does not say its own.")
    decode: Rate | None = Field(default=None, description="Tokens written in a second, for each model that does not say its own.")
    speed: Factor = Field(default=1.0, description="How many times as fast as they say its models read and write.")
    parallel: Parallel = Field(default=1, description="Requests that one model serves at once (OLLAMA_NUM_PARALLEL).")
    max_loaded: Positive | None = Field(default=None, description="Models in memory at once (OLLAMA_MAX_LOADED_MODELS).")
    max_queue: Queue = Field(default=512, description="Requests that may wait (OLLAMA_MAX_QUEUE).")
    keep_alive: KeepAlive | None = Field(default=None, description="How long an idle model stays (OLLAMA_KEEP_ALIVE).")
    profile: Annotated[Version, BeforeValidator(_as_text)] = Field(default="0.33", description="Which line of Ollama it behaves like.")
    time_scale: TimeScale | None = Field(default=None, description="How many times as fast as ours its time runs.")
    port: Port | None = Field(default=None, description="Where it listens; left out: a free one.")
    faults: list[FaultSpec] = Field(default=[], description="What goes wrong there.")  # type: ignore[valid-type]


class FleetSpec(Section):
    """The whole file."""

    hosts: dict[ServerName, HostSpec] = Field(min_length=1, description="The machines by name.")
    time_scale: TimeScale | None = Field(default=None, description="The time of all hosts that do not say their own.")
    orchestration: Orchestration | None = Field(
        default=None, description="The roles for `mmos run`, as in orchestration.yaml; its servers are these hosts."
    )
