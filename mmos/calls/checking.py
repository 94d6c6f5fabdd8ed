"""Checks values against a JSON Schema with a limit of work, so that no schema and no value can hang."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from mmos.calls.patience import Misread, Patience
from mmos.calls.patterns import fits

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

MOST_PROBLEMS = 5
MOST_FAULTS = 50
"""Faults that are sorted by their places. The first of them are shown."""
LONGEST = 120
TOO_MUCH = "there is too much in it to be checked"

WORTH = 500_000
"""One check may take as much work as the reading of a text with so many characters."""
KEYWORD = 0.5
REFERENCE = 5.0
"""The steps of one keyword, and of one reference."""
ENTRIES_A_STEP = 32
CHARACTERS_A_STEP = 500
"""Entries that one step can check, and characters of a value that one step can quote."""

_Check = Callable[[Any, Any, Any, Mapping[str, Any]], Iterable["ValidationError"] | None]
"""The function of jsonschema for a keyword. Its arguments: the validator, the value of the keyword, the checked value, and the schema."""


class Checker:
    """Checks values against one schema. Raises SchemaError if it is no schema, and Misread if it is too large."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import extend, validator_for

        base = validator_for(schema)
        self._plain = base.VALIDATORS
        own = {
            "pattern": self._pattern,
            "patternProperties": self._pattern_properties,
            "additionalProperties": self._additional_properties,
            "unevaluatedProperties": self._unevaluated_properties,
            "uniqueItems": _unique_items,
        }
        checks = {**base.VALIDATORS, **{word: check for word, check in own.items() if word in base.VALIDATORS}}
        kind: Any = extend(  # type: ignore[no-untyped-call]
            base,
            {
                word: self._limited(check, REFERENCE if word.endswith("Ref") or word == "$ref" else KEYWORD)
                for word, check in checks.items()
            },
        )
        self._begin(schema)
        self._names_by_pattern = b'"patternProperties"' in encode_sorted(schema)
        for error in kind(base.META_SCHEMA, format_checker=base.FORMAT_CHECKER).iter_errors(schema):
            raise SchemaError.create_from(error)
        self._validator: Validator = kind(dict(schema))

    def problems(self, value: Any) -> list[str]:
        """The first problems of a value. Empty: it fits."""
        self._begin(value)
        try:
            faults = list(islice(self._validator.iter_errors(value), MOST_FAULTS))
        except Misread:
            return [TOO_MUCH]
        faults.sort(key=lambda fault: [str(step) for step in fault.absolute_path])
        return [_sentence(fault) for fault in faults[:MOST_PROBLEMS]]

    # ---------------------------------------------------------------- the limit

    def _begin(self, value: Any) -> None:
        self._patience = Patience(WORTH)
        self._error = len(encode_sorted(value)) / CHARACTERS_A_STEP

    def _limited(self, check: _Check, steps: float) -> _Check:
        def limited(validator: Any, rule: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
            self._patience.spend(steps + (_entries(rule) + _entries(value)) / ENTRIES_A_STEP)
            for error in check(validator, rule, value, schema) or ():
                self._patience.spend(self._error)
                yield error

        return limited

    # ---------------------------------------------------------------- keywords that could hang

    def _pattern(self, validator: Any, pattern: str, value: Any, _: Mapping[str, Any]) -> Iterator[ValidationError]:
        from jsonschema.exceptions import ValidationError

        if validator.is_type(value, "string") and not fits(pattern, value, self._patience):
            yield ValidationError(f"{value!r} does not match {pattern!r}")

    def _pattern_properties(self, validator: Any, parts: Mapping[str, Any], value: Any, _: Mapping[str, Any]) -> Iterator[ValidationError]:
        for pattern, part in parts.items() if validator.is_type(value, "object") else ():
            for name, each in value.items():
                if fits(pattern, name, self._patience):
                    yield from validator.descend(each, part, path=name, schema_path=pattern)

    def _additional_properties(self, validator: Any, rule: Any, value: Any, schema: Mapping[str, Any]) -> Iterable[ValidationError] | None:
        """The check of jsonschema for the names that match no pattern."""
        patterns = schema.get("patternProperties", ())
        if patterns and validator.is_type(value, "object"):
            value = {name: each for name, each in value.items() if not any(fits(pattern, name, self._patience) for pattern in patterns)}
            schema = {word: each for word, each in schema.items() if word != "patternProperties"}
        errors: Iterable[ValidationError] | None = self._plain["additionalProperties"](validator, rule, value, schema)
        return errors

    def _unevaluated_properties(self, validator: Any, rule: Any, value: Any, schema: Mapping[str, Any]) -> Iterable[ValidationError] | None:
        """The check of jsonschema. With patterns for names there is no check, because its work would have no limit."""
        if self._names_by_pattern:
            return None
        errors: Iterable[ValidationError] | None = self._plain["unevaluatedProperties"](validator, rule, value, schema)
        return errors


def _unique_items(validator: Any, rule: Any, value: Any, _: Mapping[str, Any]) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    if rule and validator.is_type(value, "array") and len({encode_sorted(_whole(each)) for each in value}) < len(value):
        yield ValidationError(f"{value!r} has non-unique elements")


def _whole(value: Any) -> Any:
    """In JSON, 1.0 is 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def encode_sorted(value: Any) -> bytes:
    """The same bytes for equal values."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:  # nested too deeply, or a number too large
        return repr(value).encode(errors="replace")


def _entries(value: Any) -> int:
    return len(value) if isinstance(value, (list, dict)) else 0


def _sentence(fault: ValidationError) -> str:
    where = ".".join(str(step) for step in fault.absolute_path)
    message = _shortened(fault.message)
    return f"{_shortened(where)}: {message}" if where else message


def _shortened(text: str) -> str:
    """The beginning of the text. A model may write a name of a thousand characters."""
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
