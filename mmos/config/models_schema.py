"""Defines the keys of `models`: what the user says about models beside what their hosts report."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mmos.config.capabilities import CAPABILITIES, Capability, spelled
from mmos.config.scalars import gigabytes
from mmos.config.section import Section
from mmos.config.values import (
    CallsAtOnce,
    Gigabytes,
    ModelName,
    OptionValue,
    Positive,
    Text,
    Thinking,
    Window,
    allowed,
    one_of,
)


def _read_capability(value: Any) -> Any:
    return spelled(str(value)) if isinstance(value, str) else value


def _read_memory(value: Any) -> Any:
    size = gigabytes(str(value)) if isinstance(value, str) else None
    return value if size is None else size


ModelKey = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"),
    allowed("a name of letters, digits, '.', '_' and '-'; write the model's own name under 'model'"),
]
CapabilityName = Annotated[Capability, allowed(f"one of {', '.join(CAPABILITIES)}", read=_read_capability, choices=CAPABILITIES)]
Memory = Annotated[
    Gigabytes,
    Field(json_schema_extra={"sizes": True}),
    allowed('gigabytes, more than 0 and at most 4096, as a number or like "2GB" or "512MB"', read=_read_memory),
]


class Model(Section):
    """What is known of one model. Roles may name it by its key."""

    model: ModelName = Field(description="The model, as its host calls it, like deepseek-coder:1.3b.")
    description: Text | None = Field(default=None, description="What the model is good for, in a few words.")
    capabilities: list[CapabilityName] = Field(
        default=[], description=f"What the model is good at, beside what MMOS finds out: {', '.join(CAPABILITIES)}."
    )
    lacks: list[CapabilityName] = Field(default=[], description="What the model is not good at, whatever its host, its name or a test say.")
    family: Text | None = Field(
        default=None, description="The family of the model, like qwen. Models of one family make like mistakes. Default: by its name."
    )
    context_window: Window | None = Field(
        default=None, description="The window of a role that names the model by this key and has no context_window itself."
    )
    max_tokens: Positive | None = Field(
        default=None,
        description="The longest answer, in tokens, where a role or a member of a pattern names the model by this key (num_predict).",
    )
    memory_usage: Memory | None = Field(
        default=None,
        description='The memory that the model takes when it is loaded, like "2GB". MMOS believes it, and places the model by it. Default: as computed and as hosts show it.',
    )
    options: dict[Text, OptionValue] = Field(
        default={},
        description="Sampling options where a role or a member of a pattern names the model by this key. Their own options win.",
        json_schema_extra={"propertyNames": {"not": {"const": "num_ctx"}}},
    )
    think: Thinking | None = Field(
        default=None, description="Whether the model thinks, where a role names it by this key and does not say it."
    )
    prompts: Annotated[Literal["small"], one_of("small")] | None = Field(
        default=None,
        description="small: a role that names the model first, by this key, has the short built-in prompts. Default: the prompts of the configuration.",
    )
    calls_at_once: CallsAtOnce | None = Field(
        default=None,
        description="The most tool calls in one reply of the model, on the channel schema, where a role names it by this key. Default: 8, and 1 for a model whose name says that it has fewer than a billion parameters.",
    )
