"""Lists the settings that a user can change for a run in chat, and checks their values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from mmos.config.routing_schema import Answering
from mmos.config.scalars import plain
from mmos.config.values import Seconds, allowed
from mmos.config.wording import shown, with_type
from mmos.errors import UsageError

_MOST = 1_000_000
_LARGEST_SEED = 2**32 - 1
"""The largest seed that llama.cpp accepts."""

_Count = Annotated[int, Field(ge=1, le=_MOST), allowed(f"a whole number from 1 to {_MOST}")]
_Share = Annotated[float, Field(ge=0, le=1), allowed("a number from 0 to 1")]

LIMITS: Mapping[str, Any] = {
    "timeout": Seconds,
    "max_turns": _Count,
    "max_calls": _Count,
    "on_question": Annotated[Literal["ask", "fail", "default", "wait"], allowed("ask, fail, default or wait")],
    "strategy": Annotated[Answering, allowed("single or intelligent")],
    "validate": Annotated[bool, allowed("true or false")],
    "quality_threshold": _Share,
}
"""Settings of the whole run."""

OPTIONS: Mapping[str, Any] = {
    "temperature": Annotated[float, Field(ge=0, le=2), allowed("a number from 0 to 2")],
    "top_p": _Share,
    "top_k": Annotated[int, Field(ge=0, le=_MOST), allowed(f"a whole number from 0 to {_MOST}")],
    "min_p": _Share,
    "seed": Annotated[int, Field(ge=0, le=_LARGEST_SEED), allowed(f"a whole number from 0 to {_LARGEST_SEED}")],
    "num_predict": Annotated[_Count | Literal[-1], allowed(f"a whole number from 1 to {_MOST}, or -1 for no limit")],
    "repeat_penalty": Annotated[float, Field(gt=0, le=10), allowed("a number more than 0 and at most 10")],
}
"""Settings of the models that answer."""


def setting_value(name: str, value: Any) -> Any:
    """The value of a setting, `temperature` or `coding.temperature`, as a run uses it. A text is read as the user types it: `60`, `5m`, `0.2`."""
    try:
        return _adapter(name.rpartition(".")[2]).validate_python(plain(value) if isinstance(value, str) else value)
    except ValidationError as error:
        (first, *_) = error.errors()
        text = f"'{shown(value)}'" if isinstance(value, str) else with_type(value)
        raise UsageError(f"{name} cannot be {text}.", next_step=f"Allowed: {first['msg']}.") from None


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter({**LIMITS, **OPTIONS}[name], config=ConfigDict(strict=True, allow_inf_nan=False))
