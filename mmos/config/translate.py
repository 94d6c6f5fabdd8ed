"""Makes plain sentences of the errors of a schema: what was found, what is allowed, and how to fix it."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mmos.config.document import Document
from mmos.config.schema import File, Orchestration
from mmos.config.wording import FromEnvironment, Place, perhaps, shown, unknown_key, with_type
from mmos.errors import Problem

_ALLOWED = {
    "model_type": "a mapping of keys",
    "dict_type": "a mapping of names",
    "list_type": "a list",
    "too_long": "fewer entries",
    "too_short": "at least one entry",
    "string_type": "text; put it in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
}


def translate(error: ValidationError, document: Document, unset: Mapping[Place, str], root: type[BaseModel] = File) -> list[Problem]:
    """Every problem in `error`. `unset` has the variables that left a place empty. `root` is the model that raised the error."""
    return [_problem(fault, document, unset, root) for fault in error.errors(include_url=False)]


def _problem(fault: ErrorDetails, document: Document, unset: Mapping[Place, str], root: type[BaseModel]) -> Problem:
    place: Place = tuple(step for step in fault["loc"] if step not in ("[one]", "[many]"))
    if place[-1] == "[key]":
        return document.problem(place[:-1], f"'{shown(str(place[-2]))}' cannot be a name here, allowed: {fault['ctx']['allowed']}")
    if fault["type"] == "extra_forbidden":
        return document.problem(place, _unknown(place, root))
    if fault["type"] == "missing":
        variable = unset.get(place)
        cure = f"${{{variable}}} is not set in the environment" if variable else "it is required here"
        return document.problem(place, f"'{place[-1]}' is missing; {cure}")
    if fault["type"] == "condition" and not isinstance(fault["input"], FromEnvironment):
        return document.problem(place, str(fault["ctx"]["fault"]))
    return document.problem(place, _wrong_value(fault, place, root))


def _unknown(place: Place, root: type[BaseModel]) -> str:
    key = str(place[-1])
    if root is File and len(place) == 1 and key in Orchestration.model_fields:
        return f"'{key}' stands at the top; put it under 'orchestration:'"
    return unknown_key(key, _fields_at(root, place[:-1]))


def _wrong_value(fault: ErrorDetails, place: Place, root: type[BaseModel]) -> str:
    value = fault["input"]
    context = fault.get("ctx", {})
    choices = context.get("choices") or re.findall(r"'([^']*)'", str(context.get("expected", "")))
    sentence = context.get("allowed") or ", ".join(choices) or _ALLOWED.get(fault["type"], "a value of another type")
    is_word = isinstance(value, str) and not isinstance(value, FromEnvironment) and any(map(str.isalpha, value))
    near = perhaps(value, choices) if is_word else ""
    cure = "; leave the key out instead" if value is None and _has_default(root, place) else ""
    description = "a value that is not shown" if _is_secret(place) and isinstance(value, str) else with_type(value)
    return f"found {description}, allowed: {sentence}{near}{cure}"


def _is_secret(place: Place) -> bool:
    return "headers" in place or place[-1] == "api_key_env"


def _has_default(root: type[BaseModel], place: Place) -> bool:
    field = _fields_at(root, place[:-1]).get(str(place[-1]))
    return field is not None and not field.is_required()


def _fields_at(root: type[BaseModel], place: Place) -> Mapping[str, Any]:
    kind: Any = root
    for step in place:
        kind = _within(kind, step)
    forms = [_bare(form) for form in get_args(kind)] if get_origin(kind) in (Union, types.UnionType) else [kind]
    return next((form.model_fields for form in forms if isinstance(form, type) and issubclass(form, BaseModel)), {})


def _within(kind: Any, step: str | int) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _bare(kind.model_fields[str(step)].annotation) if str(step) in kind.model_fields else None
    if get_origin(kind) is dict or (get_origin(kind) is list and isinstance(step, int)):
        return _bare(get_args(kind)[-1])
    if get_origin(kind) in (Union, types.UnionType):  # a value of several forms
        forms = (_within(_bare(form), step) for form in get_args(kind))
        return next((form for form in forms if form is not None), None)
    return None


def _bare(kind: Any) -> Any:
    """The type without its annotations, and without None."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType) and len(forms := [form for form in get_args(kind) if form is not type(None)]) == 1:
        return _bare(forms[0])
    return kind
