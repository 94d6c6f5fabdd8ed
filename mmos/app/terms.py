"""Checks the values of run options by the rules of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from mmos.config.library_schema import CollectionName
from mmos.config.schema import Strategy
from mmos.config.settings import LIMITS, OPTIONS
from mmos.config.values import GpuIndex, OptionValue, Positive, allowed, check_model, one_of
from mmos.config.wording import with_type
from mmos.errors import UsageError

_Word = Annotated[str, Field(min_length=1)]
_Model = Annotated[str, Field(min_length=1), AfterValidator(check_model)]
_Words = Annotated[list[_Word], BeforeValidator(lambda value: list(value) if isinstance(value, tuple) else value)]

_RULES: dict[str, Any] = {
    **LIMITS,
    "system": Annotated[str, allowed("a text")],
    "schema": Annotated[dict[str, Any], allowed("a JSON Schema, as a mapping")],
    "role_only": Annotated[str, allowed("the name of a role")],
    "model": Annotated[str, AfterValidator(check_model), allowed("the name of a model, or MODEL@HOST")],
    "pattern": Annotated[str | dict[str, Any], allowed("the name of a pattern, or its keys as a mapping")],
    "stand_ins": Annotated[_Words, allowed("names of roles")],
    "tools": Annotated[_Words, allowed('names of tools, like "files"')],
    "folder": Annotated[str, allowed("the path of a folder")],
    "rag": Annotated[bool, allowed("true or false")],
    "rag_collection": Annotated[CollectionName | Literal[""], allowed("the name of a collection")],
    "rag_top_k": Positive,
    "consult": Annotated[str, allowed("the name of a role")],
    "gpu": GpuIndex,
    "gpu_strategy": Annotated[Strategy, one_of(*get_args(Strategy))],
    "cache": Annotated[bool, allowed("true or false")],
    "urgency": Annotated[str, one_of("interactive", "batch")],
    "roles": Annotated[dict[_Word, _Model], allowed('roles with their models, like {"coding": "qwen2.5-coder:7b@ollama01"}')],
    "mistakes": Annotated[dict[_Word, _Words], allowed("models with the kinds of their mistakes, or {}")],
    "sampling": Annotated[
        dict[_Word, OptionValue], allowed('options with their values, like {"temperature": 0.2} or {"coding.temperature": 0.2}')
    ],
}


def valid(name: str, value: Any) -> Any:
    """The value of an option as a run uses it. A wrong value raises `UsageError`, which says what is allowed."""
    if value is None or name not in _RULES:
        return value
    value = _fitting(name, name, dict(value) if isinstance(value, Mapping) else value)
    return {key: _option(key, each) for key, each in value.items()} if name == "sampling" else value


def _option(key: str, value: Any) -> Any:
    """The value of an option of models. MMOS passes options that it does not know on to the hosts."""
    option = key.rpartition(".")[2]
    if option == "num_ctx":
        raise UsageError("RunOptions: sampling: num_ctx is not an option.", next_step="Set context_window in the configuration.")
    return _fitting(f"sampling: {key}", option, value) if option in OPTIONS else value


def _fitting(name: str, rule: str, value: Any) -> Any:
    try:
        return _adapter(rule).validate_python(value)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise UsageError(f"RunOptions: {name}: found {with_type(fault['input'])}, allowed: {fault['msg']}.") from None


@cache
def _adapter(rule: str) -> TypeAdapter[Any]:
    return TypeAdapter({**OPTIONS, **_RULES}[rule], config=ConfigDict(strict=True, allow_inf_nan=False))


def check_text(name: str, value: object) -> None:
    """Raise for an argument that must be a text, and is none."""
    if not isinstance(value, str):
        raise UsageError(f"{name}: found {with_type(value)}, allowed: a text.")
