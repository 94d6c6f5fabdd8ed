"""Turns errors of the schema into plain sentences: what was found, what is allowed, and how to fix it."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mmos.config.document import Document
from mmos.config.schema import File, Orchestration
from mmos.config.wording import FromEnvironment, Place, perhaps, shown, unknown_key, with_type
from mmos.errors import Problem

_CONTAINERS = {
    "model_type": "a mapping of keys",
    "dict_type": "a mapping of names",
    "list_type": "a list",
    "too_long": "fewer entries",
    "too_short": "at least one entry",
}


def translate(error: ValidationError, document: Document, unset: Mapping[Place, str]) -> list[Problem]:
    """Every problem in `error`. `unset` has the variables that left a place empty."""
    return [_problem(fault, document, unset) for fault in error.errors(include_url=False)]


def _problem(fault: ErrorDetails, document: Document, unset: Mapping[Place, str]) -> Problem:
    place: Place = tuple(step for step in fault["loc"] if step not in ("[one]", "[many]"))
    if place[-1] == "[key]":
        return document.problem(place[:-1], f"'{shown(str(place[-2]))}' cannot be a name here, allowed: {fault['ctx']['allowed']}")
    if fault["type"] == "extra_forbidden":
        return document.problem(place, _unknown(place))
    if fault["type"] == "missing":
        variable = unset.get(place)
        cure = f"${{{variable}}} is not set in the environment" if variable else "it is required here"
        return document.problem(place, f"'{place[-1]}' is missing; {cure}")
    if fault["type"] == "condition" and not isinstance(fault["input"], FromEnvironment):
        return document.problem(place, str(fault["ctx"]["fault"]))
    return document.problem(place, _wrong_value(fault, place))


def _unknown(place: Place) -> str:
    key = str(place[-1])
    if len(place) == 1 and key in Orchestration.model_fields:
        return f"'{key}' stands at the top; put it under 'orchestration:'"
    return unknown_key(key, _keys_at(place[:-1]))


def _wrong_value(fault: ErrorDetails, place: Place) -> str:
    value = fault["input"]
    context = fault.get("ctx", {})
    sentence = context.get("allowed") or _CONTAINERS.get(fault["type"], "a value of another type")
    near = perhaps(value, context.get("choices", ())) if isinstance(value, str) and not isinstance(value, FromEnvironment) else ""
    cure = "; leave the key out instead" if value is None and _has_default(place) else ""
    description = "a value that is not shown" if _is_secret(place) and isinstance(value, str) else with_type(value)
    return f"found {description}, allowed: {sentence}{near}{cure}"


def _is_secret(place: Place) -> bool:
    return "headers" in place or place[-1] == "api_key_env"


def _has_default(place: Place) -> bool:
    field = _fields_at(place[:-1]).get(str(place[-1]))
    return field is not None and not field.is_required()


def _keys_at(place: Place) -> list[str]:
    return list(_fields_at(place))


def _fields_at(place: Place) -> Mapping[str, Any]:
    kind: Any = File
    for step in place:
        kind = _within(kind, step)
    return kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}


def _within(kind: Any, step: str | int) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _bare(kind.model_fields[str(step)].annotation) if str(step) in kind.model_fields else None
    if get_origin(kind) in (dict, list):
        return _bare(get_args(kind)[-1])
    return None


def _bare(kind: Any) -> Any:
    """The type without its annotations, and without None."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return _bare(get_args(kind)[0])
    return kind
