"""A fast check whether a value fits a schema, for the keywords that tools use; for other keywords it answers "not sure"."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from typing import Any

from mmos.calls.patience import Patience
from mmos.calls.patterns import fits
from mmos.calls.references import resolved
from mmos.calls.type_names import is_kind

DEEPEST = 60
"""Only the validator checks deeper values."""
VALUES_A_STEP = 4
"""Values that one step can check."""

_NOTES = frozenset(
    ("description", "title", "default", "examples", "format", "$defs", "definitions", "$comment", "contentEncoding", "contentMediaType", "$schema",
     "nullable", "deprecated", "readOnly", "writeOnly", "required", "additionalProperties")
)  # fmt: skip
"""Keywords that do not limit the value, or that another keyword handles."""
_OF_TEXT = frozenset(("type", "description", "title", "default", "examples"))
"""Each text fits a schema for texts that has only these keywords."""


class Fit:
    """Checks values against the schema of one tool."""

    def __init__(self, root: Mapping[str, Any], patience: Patience) -> None:
        self.root = root
        self._patience = patience
        self.unsure = False
        """Whether the schema has a keyword that only the validator knows."""

    def value(self, value: Any, schema: Any, depth: int = 0) -> bool:
        if isinstance(schema, bool):
            return schema
        if depth > DEEPEST or not isinstance(schema, Mapping):
            self.unsure = True
            return True
        if type(value) is str and schema.get("type") == "string" and schema.keys() <= _OF_TEXT:  # like most arguments
            return True
        if "$ref" in schema:
            schema = resolved(schema, self.root)
        if (
            ("required" in schema or "additionalProperties" in schema)
            and "properties" not in schema
            and not self._object(value, schema, depth)
        ):
            return False
        for word, want in schema.items():
            if word == "pattern":
                if isinstance(value, str) and not fits(want, value, self._patience):
                    return False
            elif (plain := _PLAIN.get(word)) is not None:
                if not plain(value, want):
                    # for the validator 5.0 is a whole number; this matters if exactly one alternative may fit
                    self.unsure = self.unsure or (word == "type" and isinstance(value, float) and is_kind(value, want))
                    return False
            elif (deep := _DEEP.get(word)) is not None:
                if not deep(self, value, schema, depth + 1):
                    return False
            elif word not in _NOTES:
                self.unsure = True
        return True

    def _object(self, value: Any, schema: Mapping[str, Any], depth: int) -> bool:
        if not isinstance(value, Mapping):
            return True
        self._patience.spend((len(value) + len(schema)) / VALUES_A_STEP)
        known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        if any(name not in value for name in schema.get("required", ())):
            return False
        if more is False and "patternProperties" not in schema and not value.keys() <= known.keys():
            return False
        return all(self.value(each, known.get(name, more is False or more), depth) for name, each in value.items())

    def _items(self, value: Any, schema: Mapping[str, Any], depth: int) -> bool:
        if "prefixItems" in schema:
            self.unsure = True
            return True
        if not isinstance(value, list):
            return True
        self._patience.spend(len(value) / VALUES_A_STEP)
        return all(self.value(each, schema["items"], depth) for each in value)

    def _any_of(self, value: Any, schema: Mapping[str, Any], depth: int) -> bool:
        return any(self.value(value, each, depth) for each in self._each(schema["anyOf"]))

    def _all_of(self, value: Any, schema: Mapping[str, Any], depth: int) -> bool:
        return all(self.value(value, each, depth) for each in self._each(schema["allOf"]))

    def _one_of(self, value: Any, schema: Mapping[str, Any], depth: int) -> bool:
        return sum(self.value(value, each, depth) for each in self._each(schema["oneOf"])) == 1

    def _enum(self, value: Any, schema: Mapping[str, Any], _: int) -> bool:
        self._patience.spend(len(schema["enum"]) / VALUES_A_STEP)
        return any(same(value, each) for each in schema["enum"])

    def _each(self, alternatives: Sequence[Any]) -> Iterator[Any]:
        for each in alternatives:
            self._patience.spend()
            yield each


LARGEST = 1e18
"""A float from here on stays a float, even where a whole number is wanted: as an integer it may not fit into 64 bits."""


def same(one: Any, other: Any) -> bool:
    """Equal as in JSON: `true` is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _of_kind(value: Any, want: Any) -> bool:
    """Whether the value has the type. A whole number has no decimal point, so that `5.0` is changed to `5`."""
    if isinstance(value, float) and abs(value) < LARGEST and "number" not in ((want,) if isinstance(want, str) else want):
        return False
    return is_kind(value, want)


def _number(holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, want: not is_kind(value, "number") or holds(value, want)


def _length(kind: type[Sized], holds: Callable[[int, int], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, want: not isinstance(value, kind) or holds(len(value), want)


_PLAIN: Mapping[str, Callable[[Any, Any], bool]] = {
    "type": _of_kind,
    "const": same,
    "minimum": _number(operator.ge),
    "maximum": _number(operator.le),
    "exclusiveMinimum": _number(operator.gt),
    "exclusiveMaximum": _number(operator.lt),
    "minLength": _length(str, operator.ge),
    "maxLength": _length(str, operator.le),
    "minItems": _length(list, operator.ge),
    "maxItems": _length(list, operator.le),
}
_DEEP: Mapping[str, Callable[[Fit, Any, Mapping[str, Any], int], bool]] = {
    "properties": Fit._object,
    "items": Fit._items,
    "anyOf": Fit._any_of,
    "allOf": Fit._all_of,
    "oneOf": Fit._one_of,
    "enum": Fit._enum,
}
