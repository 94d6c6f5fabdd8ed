"""Translates names of types into JSON Schema: `dict`, `STRING`, `List[int]`, `Optional[str]`, `ArrayList<String>`, `string[]`."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

LONGEST = 200
"""A longer text is not the name of a type."""
DEEPEST = 8

_KINDS = {
    "string": "string str text char varchar character charsequence date datetime time timestamp uuid url uri email path file filepath bytes",
    "integer": "integer int int8 int16 int32 int64 uint uint8 uint16 uint32 uint64 long short byte bigint biginteger",
    "number": "number float double float32 float64 decimal bigdecimal numeric real",
    "boolean": "boolean bool",
    "array": "array list tuple set frozenset sequence iterable vector slice collection arraylist linkedlist hashset",
    "object": "object dict map mapping hashmap linkedhashmap treemap dictionary struct record json jsonobject",
    "null": "null none nonetype nil void",
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_ANY = {"any", "anything", "mixed", "unknown", "var", "object?", "*"}
_NAME = re.compile(r"(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*)$")
_GENERIC = re.compile(r"(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*)\s*(?:\[(.*)\]|<(.*)>)$", re.DOTALL)

_CHECKS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, Mapping),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "integer": lambda value: (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer()),
}


def is_kind(value: Any, kinds: Any) -> bool:
    """Whether a value has the type, or one of the types, of a schema."""
    if isinstance(kinds, str):
        return kinds in _CHECKS and _CHECKS[kinds](value)
    return any(is_kind(value, kind) for kind in kinds)


def schema_of(name: str) -> dict[str, Any] | None:
    """The schema of a type's name. `{}` allows anything. None: it is no known type."""
    return _schema_of(name, 0) if len(name) <= LONGEST else None


def _schema_of(name: str, depth: int) -> dict[str, Any] | None:
    name = re.sub(r"[,;(]\s*optional\)?$", "", name.strip().strip("'\"` "), flags=re.IGNORECASE).strip()
    if depth > DEEPEST or not name:
        return None
    if name.lower() in _ANY:
        return {}
    if name.endswith("?"):
        return _either([name[:-1], "null"], depth)
    if name.endswith("[]"):
        return _listing([name[:-2]], depth)
    choices = _split(name, "|") if "|" in name else [part for part in re.split(r"\s+or\s+", name) if part]
    if len(choices) > 1:
        return _either(choices, depth)
    if (generic := _GENERIC.fullmatch(name)) and (inner := generic[2] if generic[2] is not None else generic[3]):
        return _generic(generic[1].lower(), inner, depth)
    found = _NAME.fullmatch(name)
    kind = _KIND_OF.get(found[1].lower()) if found else None
    return {"type": kind} if kind else None


def _generic(outer: str, inner: str, depth: int) -> dict[str, Any] | None:
    parts = _split(inner, ",")
    if outer == "optional":
        return _either([inner, "null"], depth)
    if outer == "union":
        return _either(parts, depth)
    if outer == "literal":
        return _literal(parts)
    if outer in ("annotated", "required", "notrequired", "final", "readonly"):
        return _schema_of(parts[0], depth + 1)
    kind = _KIND_OF.get(outer)
    if kind == "array":
        return _listing(parts, depth)
    if kind == "object":
        values = _schema_of(parts[1], depth + 1) if len(parts) == 2 else None
        return {"type": "object", "additionalProperties": values} if values else {"type": "object"}
    return {"type": kind} if kind else None


def _listing(parts: list[str], depth: int) -> dict[str, Any]:
    """A list with entries of one type. A tuple of several types is a list of anything."""
    kinds = [_schema_of(part, depth + 1) for part in parts if part.strip() != "..."]
    same = bool(kinds) and all(kind == kinds[0] for kind in kinds)
    return {"type": "array", "items": kinds[0]} if same and kinds[0] else {"type": "array"}


def _either(names: list[str], depth: int) -> dict[str, Any] | None:
    kinds = [_schema_of(name, depth + 1) for name in names]
    known = [kind for kind in kinds if kind is not None]
    if not known or any(not kind for kind in known):
        return {} if known else None
    if all(kind.keys() == {"type"} for kind in known):
        types = list(dict.fromkeys(kind["type"] for kind in known))
        return {"type": types if len(types) > 1 else types[0]}
    return {"anyOf": known}


def _literal(parts: list[str]) -> dict[str, Any] | None:
    try:
        values = [ast.literal_eval(part.strip()) for part in parts]
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return {"enum": values} if all(isinstance(value, (str, int, float)) for value in values) else None


def _split(text: str, sign: str) -> list[str]:
    """The parts of a text between these signs, except for signs in brackets."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "[<(") - (letter in "]>)")
        if letter == sign and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]
