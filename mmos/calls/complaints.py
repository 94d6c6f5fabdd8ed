"""Writes the errors in arguments for the model: the field, the value, and what is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import orjson

from mmos.calls.fitting import Fit
from mmos.calls.patience import Patience
from mmos.calls.references import resolved

MOST = 5
LONGEST = 80
DEEPEST = 2
"""Levels of alternatives and lists whose allowed values an error names."""
_NAMES = {"string": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false", "array": "a list", "object": "an object", "null": "null"}  # fmt: skip


def complaints(value: Any, schema: Mapping[str, Any], patience: Patience) -> list[str]:
    """Sentences about the first values that do not fit. Empty: all fit."""
    return list(islice(_complaints(value, schema, Fit(schema, patience), "", 0), MOST))


def _complaints(value: Any, schema: Any, fit: Fit, where: str, depth: int) -> Iterator[str]:
    if fit.value(value, schema, depth):
        return
    schema = resolved(schema, fit.root)
    inner = list(islice(_inside(value, schema, fit, where, depth), MOST))
    yield from inner
    if not inner:
        allowed = allowed_by(schema, fit.root)
        yield f"{where or 'the arguments'}: {shown(value)} is not allowed" + (f"; it takes {allowed}" if allowed else "")


def _inside(value: Any, schema: Mapping[str, Any], fit: Fit, where: str, depth: int) -> Iterator[str]:
    """The errors inside an object or a list."""
    if isinstance(value, Mapping) and ("properties" in schema or "required" in schema):
        known = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                allowed = allowed_by(resolved(known.get(name), fit.root), fit.root)
                yield f"{step(where, name)} is missing" + (f"; it takes {allowed}" if allowed else "")
        more = schema.get("additionalProperties", True)
        for name, each in value.items():
            if name in known:
                yield from _complaints(each, known[name], fit, step(where, name), depth + 1)
            elif more is False and "patternProperties" not in schema:
                yield f"{step(where, str(name)[:LONGEST])} is not known; known are: {', '.join(known) or 'none'}"
            elif isinstance(more, Mapping):
                yield from _complaints(each, more, fit, step(where, str(name)[:LONGEST]), depth + 1)
    elif isinstance(value, list) and isinstance(schema.get("items"), Mapping) and "prefixItems" not in schema:
        for place, each in enumerate(value):
            yield from _complaints(each, schema["items"], fit, step(where, str(place)), depth + 1)


def allowed_by(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int = 0) -> str:
    """What a schema allows, in a few words."""
    if depth > DEEPEST:
        return ""
    if "const" in schema:
        return shown(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(shown(each) for each in schema["enum"][:20])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " or ".join(
                dict.fromkeys(text for each in schema[word][:5] if (text := allowed_by(resolved(each, root), root, depth + 1)))
            )
    kinds = schema.get("type", ())
    text = " or ".join(_NAMES.get(kind, kind) for kind in ((kinds,) if isinstance(kinds, str) else kinds))
    limits = [
        f"{word} {schema[key]}"
        for key, word in (
            ("minimum", "at least"), ("maximum", "at most"), ("exclusiveMinimum", "more than"), ("exclusiveMaximum", "less than"),
            ("minLength", "signs: at least"), ("maxLength", "signs: at most"), ("minItems", "entries: at least"), ("maxItems", "entries: at most"),
            ("multipleOf", "a multiple of"), ("pattern", "of the form"),
        )
        if key in schema
    ]  # fmt: skip
    entries = schema.get("items")
    if isinstance(entries, Mapping) and (inner := allowed_by(resolved(entries, root), root, depth + 1)):
        text = f"{text}, each entry {inner}"
    return ", ".join([text, *limits] if text else limits)


def shown(value: Any) -> str:
    """The beginning of the value as JSON. A model may write a value of any length."""
    text = encode(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def encode(value: Any) -> str:
    try:
        return orjson.dumps(value, default=str).decode()
    except orjson.JSONEncodeError:
        return f"a {type(value).__name__} that no JSON holds"


def step(where: str, name: object) -> str:
    """The place of a part, like `filter.city`."""
    return f"{where}.{name}" if where else str(name)
