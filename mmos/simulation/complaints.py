"""Words the errors in a fleet file like those in a configuration."""

from __future__ import annotations

import re
import types
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mmos.config.document import Document
from mmos.config.wording import Place, perhaps, shown, unknown_key, with_type
from mmos.errors import Problem

_SENTENCES = {
    "model_type": "a mapping of keys",
    "dict_type": "a mapping of names",
    "list_type": "a list",
    "too_short": "at least one entry",
    "string_type": "text; put it in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
}


def complaints(error: ValidationError, document: Document, root: type[BaseModel]) -> list[Problem]:
    """Every problem in `error`. `root` is the model that raised it."""
    return [_problem(fault, document, root) for fault in error.errors(include_url=False)]


def _problem(fault: ErrorDetails, document: Document, root: type[BaseModel]) -> Problem:
    place: Place = tuple(step for step in fault["loc"] if step not in ("[one]", "[many]"))
    if place and place[-1] == "[key]":
        return document.problem(place[:-1], f"'{shown(str(place[-2]))}' cannot be a name here, allowed: {fault['ctx']['allowed']}")
    if fault["type"] == "extra_forbidden":
        return document.problem(place, unknown_key(str(place[-1]), keys_at(root, place[:-1])))
    if fault["type"] == "missing":
        return document.problem(place, f"'{place[-1]}' is missing; it is required here")
    if fault["type"] == "condition":
        return document.problem(place, str(fault["ctx"]["fault"]))
    return document.problem(place, _wrong(fault))


def _wrong(fault: ErrorDetails) -> str:
    value, context = fault["input"], fault.get("ctx", {})
    choices = context.get("choices") or re.findall(r"'([^']*)'", str(context.get("expected", "")))
    sentence = context.get("allowed") or ", ".join(choices) or _SENTENCES.get(fault["type"]) or "another kind of value"
    near = perhaps(value, choices) if isinstance(value, str) and any(map(str.isalpha, value)) else ""
    return f"found {with_type(value)}, allowed: {sentence}{near}"


def keys_at(root: type[BaseModel], place: Place) -> list[str]:
    """The keys that are allowed at a place."""
    kind: Any = root
    for step in place:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = _bare(kind.model_fields[str(step)].annotation) if str(step) in kind.model_fields else None
        else:
            kind = _bare(get_args(kind)[-1]) if get_origin(kind) in (dict, list) else None
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _bare(kind: Any) -> Any:
    """The type without annotations and without None."""
    if get_origin(kind) is Annotated or get_origin(kind) in (Union, types.UnionType):
        return _bare(get_args(kind)[0])
    return kind
