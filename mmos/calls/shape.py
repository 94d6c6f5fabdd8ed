"""Checks the JSON Schema of a final answer, and answers against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from mmos.calls.checking import Checker
from mmos.calls.patience import Misread
from mmos.calls.patterns import UnknownPattern, parse
from mmos.calls.references import points
from mmos.errors import UsageError

_NAMES = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose keys are names from the user."""
_DATA = frozenset({"enum", "const", "default", "examples"})
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_CURE = "See https://json-schema.org for what a schema may say."


@dataclass(frozen=True)
class Shape:
    """The schema of a final answer."""

    format: bytes
    """The schema as hosts get it."""
    checker: Checker

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> Shape:
        """Prepare a schema. Raises UsageError if it is none, or if a reference leads out of it. MMOS fetches nothing."""
        from jsonschema.exceptions import SchemaError

        if not isinstance(schema, Mapping):
            raise UsageError("The schema is not a JSON object.", next_step=_CURE)
        plain = dict(schema)
        try:
            form = orjson.dumps(plain)
            shape = cls(form, Checker(plain))
            _check_words(plain)
            shape.checker.problems(None)
        except SchemaError as error:
            where = ".".join(map(str, error.absolute_path))
            raise UsageError(f"The schema is not a JSON Schema: {where or 'its root'}: {error.message}.", next_step=_CURE) from None
        except Misread:
            raise UsageError("The schema is too large to be checked.", next_step="Make it smaller.") from None
        except RecursionError:
            raise UsageError("The schema refers to itself without an end, or is nested too deeply.", next_step=_CURE) from None
        except TypeError as error:  # from Python: a value that JSON does not have
            raise UsageError(f"The schema cannot be written as JSON: {error}.") from None
        return shape

    def problems(self, text: str) -> list[str]:
        """The problems of an answer, in sentences for its model. Empty: it fits."""
        try:
            value = orjson.loads(bare(text))
            orjson.dumps(value)  # a value that is nested too deeply could not be passed on
            return self.checker.problems(value)
        except orjson.JSONDecodeError as error:
            return [f"It is not JSON: {error}"]
        except (RecursionError, TypeError):
            return ["It is nested too deeply."]


def read_schema(text: str, name: str) -> Mapping[str, Any]:
    """The schema in a text."""
    try:
        schema = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{name} is not JSON: {error}.", next_step=_CURE) from None
    if not isinstance(schema, dict):
        raise UsageError(f"{name} holds no JSON object, so it is no schema.", next_step=_CURE)
    return schema


def bare(text: str) -> str:
    """The text without a fence around the whole of it."""
    stripped = text.strip()
    first, _, rest = stripped.partition("\n")
    fence = first[:3]
    return rest.rstrip(fence[0]).strip() if fence in ("```", "~~~") and rest.endswith(fence) else stripped


def _check_words(schema: Mapping[str, Any]) -> None:
    for word, target in _words(schema):
        if word == "pattern":
            _check_pattern(target)
        elif word == "$id" and target != schema.get("$id"):
            raise UsageError(f"The schema names a schema within itself ($id {target}); that is not supported.", next_step="Leave it out.")
        elif word != "$id" and not points(schema, target):
            raise UsageError(
                f"The schema refers to {target}, which is no place in it; nothing is fetched.",
                next_step="Put what it refers to under $defs, and refer to it as #/$defs/NAME.",
            )


def _check_pattern(pattern: str) -> None:
    try:
        parse(pattern)
    except UnknownPattern as error:
        raise UsageError(
            f"The schema holds the pattern {pattern!r}, which MMOS cannot check within a limit: {error}.",
            next_step="Write it without flags, references to groups, and possessive or atomic groups.",
        ) from None


def _words(part: Any, *, names: bool = False) -> Iterator[tuple[str, str]]:
    """The references, the ids and the patterns of a schema."""
    if isinstance(part, list):
        for each in part:
            yield from _words(each)
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if not names and isinstance(value, str) and (key in _REFERENCES or key in ("$id", "pattern")):
            yield key, value
        elif names or key not in _DATA:
            if key == "patternProperties" and not names and isinstance(value, dict):
                yield from (("pattern", pattern) for pattern in value)
            yield from _words(value, names=not names and key in _NAMES)
