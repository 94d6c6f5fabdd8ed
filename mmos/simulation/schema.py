"""Defines the schema of a fleet file: frozen, strict, with a description of every key."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Annotated, Any, get_type_hints

from pydantic import BeforeValidator, Field, create_model

from mmos.config.schema import Orchestration
from mmos.config.section import Section
from mmos.config.values import Gigabytes, KeepAlive, ModelName, Parallel, Positive, ServerName, Text, TimeScale, allowed
from mmos.rehearsal.faults import Fault
from mmos.rehearsal.personas import Capability, Template, ToolPath
from mmos.rehearsal.profiles import Version, Weights

Rate = Annotated[float, Field(gt=0, le=10_000_000), allowed("tokens a second, more than 0")]
Factor = Annotated[float, Field(gt=0, le=10_000), allowed("a number more than 0 and at most 10000")]
Port = Annotated[int, Field(ge=1, le=65535), allowed("a port from 1 to 65535; without one, MMOS takes a free port")]
Wait = Annotated[float, Field(ge=0, le=86_400), allowed("seconds, 0 or more")]
Queue = Annotated[int, Field(ge=0), allowed("a whole number >= 0")]


def _as_text(value: Any) -> Any:
    """The version as text, because YAML reads 0.33 as a number."""
    return str(value) if isinstance(value, float) else value


def as_persona(value: Any) -> Any:
    return {"like": value} if isinstance(value, str) else value


def _fault_spec() -> type[Section]:
    """The schema of a fault, made from the class `Fault`."""
    hints = get_type_hints(Fault)
    shape: dict[str, Any] = {field.name: (hints[field.name], ... if field.default is MISSING else field.default) for field in fields(Fault)}
    return create_model("FaultSpec", __base__=Section, **shape)


FaultSpec = _fault_spec()


class Persona(Section):
    """A model on a host: a built-in persona, a model like one, or a new model."""

    name: ModelName | None = Field(default=None, description="The model's name. Default: the name of the persona that it is like.")
    like: ModelName | None = Field(default=None, description="The built-in persona that supplies all keys that are not given.")
    family: Text | None = Field(default=None, description="The model family that the host reports, like qwen2.")
    parameter_size: Text | None = Field(default=None, description="The parameter size that the host reports, like 14.8B.")
    quantization: Text | None = Field(default=None, description="The quantization that the host reports, like Q4_K_M.")
    size_gb: Gigabytes | None = Field(default=None, description="Size of its file, in gigabytes of 10^9 bytes.")
    context_length: Positive | None = Field(default=None, description="The longest window.")
    layers: Positive | None = Field(
        default=None, description="Layers. The size of the KV cache follows from layers, kv_heads and head_size."
    )
    heads: Positive | None = Field(default=None, description="Attention heads.")
    kv_heads: Positive | None = Field(default=None, description="Attention heads of the KV cache.")
    head_size: Positive | None = Field(default=None, description="Length of a key and of a value.")
    embedding_length: Positive | None = Field(default=None, description="Length of a vector.")
    load_seconds: Wait | None = Field(default=None, description="Seconds to load it, when the host has no disk_gbps.")
    prefill: Rate | None = Field(default=None, description="Tokens of the prompt that it reads in a second.")
    decode: Rate | None = Field(default=None, description="Tokens of the answer that it writes in a second.")
    capabilities: list[Capability] | None = Field(default=None, description="completion, tools, thinking, embedding, vision, insert.")
    default: Text | None = Field(default=None, description="The answer when no rule fits.")
    signature: Text | None = Field(default=None, description="A text at the end of every answer.")
    path: ToolPath | None = Field(default=None, description="Which parser finds tool calls in its text.")
    template: Template | None = Field(default=None, description="How its template writes tools and calls.")
    system: Text | None = Field(default=None, description="The system text of its Modelfile.")
    named_tools: bool | None = Field(default=None, description="Whether it calls tools that the user names.")
    broken: Weights | None = Field(default=None, description="What is wrong with its file: truncated, garbage, missing.")
    rules: list[dict[str, Any]] | None = Field(default=None, description="Rules as in a persona file.")


class HostSpec(Section):
    """A simulated host."""

    models: list[Annotated[Persona, BeforeValidator(as_persona)]] = Field(
        min_length=1, description="The models on its disk: names of built-in personas, or mappings."
    )
    vram_gb: Gigabytes | None = Field(default=None, description="Memory for models, in GiB. Default: no limit.")
    gpus: list[Gigabytes] = Field(default=[], description="GiB of each GPU, when there are several.")
    disk_gbps: Factor | None = Field(
        default=None, description="Gigabytes of a model that it reads in a second. Default: each model's load_seconds."
    )
    prefill: Rate | None = Field(
        default=None, description="Tokens of a prompt that a model reads in a second, for models without their own figure."
    )
    decode: Rate | None = Field(default=None, description="Tokens that a model writes in a second, for models without their own figure.")
    speed: Factor = Field(default=1.0, description="A factor for the speed of all its models, in reading and writing.")
    parallel: Parallel = Field(default=1, description="Requests that one model serves at once (OLLAMA_NUM_PARALLEL).")
    max_loaded: Positive | None = Field(default=None, description="Models in memory at once (OLLAMA_MAX_LOADED_MODELS).")
    max_queue: Queue = Field(default=512, description="Requests that may wait (OLLAMA_MAX_QUEUE).")
    keep_alive: KeepAlive | None = Field(default=None, description="How long an idle model stays in memory (OLLAMA_KEEP_ALIVE).")
    profile: Annotated[Version, BeforeValidator(_as_text)] = Field(default="0.33", description="The Ollama version that it imitates.")
    time_scale: TimeScale | None = Field(default=None, description="How many times as fast as real time its clock runs.")
    port: Port | None = Field(default=None, description="The port where it listens. Default: a free one.")
    faults: list[FaultSpec] = Field(default=[], description="Faults of this host.")  # type: ignore[valid-type]


class FleetSpec(Section):
    """A fleet file."""

    hosts: dict[ServerName, HostSpec] = Field(min_length=1, description="The hosts by name.")
    time_scale: TimeScale | None = Field(default=None, description="The time_scale of all hosts without their own.")
    orchestration: Orchestration | None = Field(
        default=None, description="The roles for `mmos run`, as in orchestration.yaml. The hosts of this file are the servers."
    )
