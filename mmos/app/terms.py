"""Checks the values of run options by the rules of the configuration: the same words, the same durations, the same errors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from mmos.config.values import OptionValue, Positive, Seconds, allowed, one_of
from mmos.config.wording import found
from mmos.errors import UsageError
from mmos.participant.questions import OnQuestion

_Word = Annotated[str, Field(min_length=1)]

_RULES: dict[str, Any] = {
    "timeout": Seconds,
    "max_turns": Positive,
    "max_calls": Positive,
    "system": Annotated[str, allowed("a text")],
    "schema": Annotated[dict[str, Any], allowed("a JSON Schema, as a mapping")],
    "role_only": Annotated[str, allowed("the name of a role")],
    "model": Annotated[str, allowed("the name of a model, or MODEL@HOST")],
    "on_question": Annotated[OnQuestion, one_of(*get_args(OnQuestion))],
    "roles": Annotated[dict[_Word, _Word], allowed('roles with their models, like {"coding": "qwen2.5-coder:7b@ollama01"}')],
    "sampling": Annotated[
        dict[_Word, OptionValue], allowed('options with their values, like {"temperature": 0.2} or {"coding.temperature": 0.2}')
    ],
}


def checked(name: str, value: Any) -> Any:
    """The value of an option as a run uses it; a wrong one raises `UsageError`, which says what is allowed."""
    if value is None or name not in _RULES:
        return value
    given = dict(value) if isinstance(value, Mapping) else value
    try:
        made = _adapter(name).validate_python(given)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise UsageError(f"RunOptions: {name}: found {found(fault['input'])}, allowed: {fault['msg']}.") from None
    if name == "sampling" and any(key.rpartition(".")[2] == "num_ctx" for key in made):
        raise UsageError("RunOptions: sampling: num_ctx is not an option.", next_step="Set context_window in the configuration.")
    return made


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(_RULES[name], config=ConfigDict(strict=True))
