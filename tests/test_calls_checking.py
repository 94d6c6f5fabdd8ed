"""Checks against schemas: right, and at an end whatever the schema and the value are."""

from __future__ import annotations

from typing import Any

import pytest

from mmos.calls.checking import TOO_MUCH, Checker
from mmos.calls.coerce import TOO_MUCH as TOO_MUCH_TO_COERCE
from mmos.calls.coerce import coerce
from mmos.calls.dialect import normal
from mmos.calls.patience import Patience
from mmos.calls.shape import Shape
from mmos.calls.spec import Spec
from mmos.errors import UsageError

EVIL = "^(a+)+$"
MANY = "a" * 40 + "!"
DOUBLED = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)} | {"a40": {"type": "integer"}}
CHAIN = {f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(3000)}


def at_x(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": schema}, **more}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (at_x({"pattern": EVIL}), {"x": MANY}),
        ({"patternProperties": {EVIL: {"type": "integer"}}, "additionalProperties": False}, {MANY: 1}),
        ({"patternProperties": {"^a": {"type": "integer"}}}, {"ab": "no"}),
        ({"propertyNames": {"pattern": EVIL}}, {MANY: 1}),
        (at_x({"uniqueItems": True}), {"x": [1, "1", {"a": [1]}, {"a": [1]}]}),
        (at_x({"uniqueItems": True}), {"x": [1, 1.0]}),
        (at_x({"not": {"contains": {"enum": list(range(50_000))}}}), {"x": [1]}),
        ({"unevaluatedProperties": False}, {"a": 1}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(schema: Any, value: Any) -> None:
    problems = Checker(schema).problems(value)
    assert problems
    assert TOO_MUCH not in problems


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (at_x({"pattern": EVIL}), {"x": "a" * 40}),
        ({"patternProperties": {"^a": {"type": "integer"}}, "additionalProperties": False}, {"ab": 1}),
        (at_x({"uniqueItems": True}), {"x": [n if n % 2 else str(n) for n in range(50_000)]}),
        (at_x({"uniqueItems": True}), {"x": [True, 1, "1", None, [1], {"a": 1}, {"a": 2}]}),
        (at_x({"pattern": r"(a)\1"}), {"x": "b"}),
        ({"patternProperties": {"(a*)*b": {}}, "unevaluatedProperties": False}, {"a" * 40: 1}),
    ],
)
def test_what_fits_has_no_problem(schema: Any, value: Any) -> None:
    assert Checker(schema).problems(value) == []


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (at_x({"$ref": "#/$defs/a0"}, **{"$defs": DOUBLED}), {"x": "no"}),
        (at_x({"allOf": [{"pattern": f"(?=(?:a|a)*{n})a*c"} for n in range(9)]}), {"x": "a" * 5000}),
    ],
)
def test_what_would_take_too_long_is_given_up(schema: Any, value: Any) -> None:
    assert Checker(schema).problems(value) == [TOO_MUCH]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (at_x({"$ref": "#/$defs/a0"}, **{"$defs": DOUBLED}), "no"),
        (at_x({"$ref": "#/$defs/a0"}, **{"$defs": CHAIN}), 5),
        (at_x({"enum": [str(n) for n in range(30_000)]}), "nothing"),
        (at_x({"type": "array", "items": {"enum": [str(n) for n in range(30_000)]}}), ["nothing"] * 1000),
        (at_x({"type": "array", "items": {"type": "integer"}}), ["5"] * 200_000),
        (at_x({"oneOf": [{"type": "integer", "minimum": n} for n in range(9000)]}), "no"),
        (at_x({"pattern": EVIL}), "a" * 200_000 + "!"),
        ({"required": [f"{'word' * 20}{n}" for n in range(2000)], "properties": {f"{'word' * 20}{n}": {} for n in range(2000)}}, "no"),
    ],
)
def test_arguments_cost_no_more_than_they_may(schema: Any, value: Any) -> None:
    spec = Spec("f", "", normal(schema))
    patience = Patience(1_000_000)
    coerced = coerce({"x": value, **{f"{'wird' * 20}{n}": 1 for n in range(30)}}, spec.parameters, spec.problems, patience)
    assert patience.spent < 2 * patience.limit
    assert coerced.problems != (TOO_MUCH_TO_COERCE,) or patience.gone


def test_a_list_of_many_numbers_is_still_an_argument() -> None:
    assert coerce({"x": list(range(50_000))}, at_x({"type": "array", "items": {"type": "integer"}})).problems == ()


def test_a_users_own_schema_is_held_to_or_refused() -> None:
    assert Shape.of(at_x({"pattern": EVIL})).problems('{"x": "' + MANY + '"}')
    assert Shape.of({"properties": {"pattern": {"type": "string"}}}).problems('{"pattern": "x"}') == []
    for schema in (at_x({"pattern": r"(a)\1"}), {"patternProperties": {r"(a)\1": {}}}):
        with pytest.raises(UsageError, match="which MMOS cannot check within a limit: it uses groupref"):
            Shape.of(schema)
    with pytest.raises(UsageError, match="too large"):
        Shape.of({"$schema": "http://json-schema.org/draft-07/schema#", "anyOf": [{"type": "string"}] * 200_000})
