"""The shape of a final answer: a JSON Schema that is checked before anybody is asked, and what is wrong with an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from mmos.calls.references import points
from mmos.calls.spec import sentences
from mmos.errors import UsageError

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_FENCED = re.compile(r"\A\s*(`{3,}|~{3,})[^\n]*\n(.*?)\n?[ \t]*\1\s*\Z", re.DOTALL)
_NAMES = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose keys are names that the user chose."""
_DATA = frozenset({"enum", "const", "default", "examples"})
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_CURE = "See https://json-schema.org for what a schema may say."


@dataclass(frozen=True)
class Shape:
    """One schema, ready to be held to."""

    format: bytes
    """As it goes to hosts."""
    validator: Validator

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> Shape:
        """Raises UsageError for what is no schema, and for one whose references leave it: nothing is ever fetched."""
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import validator_for

        if not isinstance(schema, Mapping):
            raise UsageError("The schema is not a JSON object.", next_step=_CURE)
        plain = dict(schema)
        kind = validator_for(plain)
        try:
            form = orjson.dumps(plain)
            kind.check_schema(plain)
            _check_references(plain)
            made = cls(form, kind(plain))
            sentences(made.validator, None)
        except SchemaError as error:
            where = ".".join(map(str, error.absolute_path))
            raise UsageError(f"The schema is not a JSON Schema: {where or 'its root'}: {error.message}.", next_step=_CURE) from None
        except RecursionError:
            raise UsageError("The schema refers to itself without an end, or is nested too deeply.", next_step=_CURE) from None
        except TypeError as error:  # from Python: a value that JSON does not know
            raise UsageError(f"The schema cannot be written as JSON: {error}.") from None
        return made

    def problems(self, text: str) -> list[str]:
        """What is wrong with an answer, in sentences for its model; empty when it fits."""
        try:
            value = orjson.loads(bare(text))
            orjson.dumps(value)  # what is nested too deeply for this could not be handed on
            return sentences(self.validator, value)
        except orjson.JSONDecodeError as error:
            return [f"It is not JSON: {error}"]
        except (RecursionError, TypeError):
            return ["It is nested too deeply."]


def read_schema(text: str, name: str) -> Mapping[str, Any]:
    """A schema that somebody wrote down."""
    try:
        schema = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{name} is not JSON: {error}.", next_step=_CURE) from None
    if not isinstance(schema, dict):
        raise UsageError(f"{name} holds no JSON object, so it is no schema.", next_step=_CURE)
    return schema


def bare(text: str) -> str:
    """The text without the fence that is all around it, where there is one."""
    fenced = _FENCED.match(text)
    return fenced.group(2).strip() if fenced else text.strip()


def _check_references(schema: Mapping[str, Any]) -> None:
    for word, target in _references(schema):
        if word == "$id" and target != schema.get("$id"):
            raise UsageError(f"The schema names a schema within itself ($id {target}); that is not supported.", next_step="Leave it out.")
        if word != "$id" and not points(schema, target):
            raise UsageError(
                f"The schema refers to {target}, which is no place in it; nothing is fetched.",
                next_step="Put what it refers to under $defs, and refer to it as #/$defs/NAME.",
            )


def _references(part: Any, *, names: bool = False) -> Iterator[tuple[str, str]]:
    if isinstance(part, list):
        for each in part:
            yield from _references(each)
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if not names and isinstance(value, str) and (key in _REFERENCES or key == "$id"):
            yield key, value
        elif names or key not in _DATA:
            yield from _references(value, names=not names and key in _NAMES)
