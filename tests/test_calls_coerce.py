"""Arguments are made to fit where they can mean one thing only; all else is told and stays."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from mmos.calls.coerce import coerce
from mmos.calls.dialect import normal
from mmos.calls.spec import Spec


def _field(schema: Any, value: Any) -> Any:
    coerced = coerce({"x": value}, normal({"properties": {"x": schema}, "required": ["x"]}))
    return coerced.arguments["x"] if not coerced.problems else "unsaved"


@pytest.mark.parametrize(
    ("schema", "given", "meant"),
    [
        ("int", "5", 5),
        ("int", " -5 ", -5),
        ("int", "5.0", 5),
        ("int", 5.0, 5),
        ("int", "1,000,000", 1_000_000),
        ("int", "1 000", 1000),
        ("int", "1,000", "unsaved"),  # a thousand here, one there
        ("int", "1.000", 1),
        ("int", "5 km", "unsaved"),
        ("int", "5.5", "unsaved"),
        ("int", "9" * 5000, "unsaved"),
        ("int", True, "unsaved"),
        ("int", [7], 7),
        ("float", "2.5", 2.5),
        ("float", "1,234.5", 1234.5),
        ("float", "1e3", 1000.0),
        ("float", "nan", "unsaved"),
        ("float", "", "unsaved"),
        ("bool", "true", True),
        ("bool", "Yes", True),
        ("bool", "off", False),
        ("bool", 1, True),
        ("bool", 0.0, False),
        ("bool", 2, "unsaved"),
        ("bool", "maybe", "unsaved"),
        ("str", 5, "5"),
        ("str", 2.5, "2.5"),
        ("str", False, "false"),
        ("str", ["Rome"], "Rome"),
        ("str", {"type": "string", "value": "Rome"}, "Rome"),
        ("str", {"name": "Rome"}, "unsaved"),
        ("str", ["Rome", "Paris"], "unsaved"),
        ("str", None, "unsaved"),
    ],
)
def test_plain_values(schema: Any, given: Any, meant: Any) -> None:
    found = _field(schema, given)
    assert found == meant
    assert type(found) is type(meant)


@pytest.mark.parametrize(
    ("choices", "given", "meant"),
    [
        (["celsius", "fahrenheit"], "Celsius", "celsius"),
        (["celsius", "fahrenheit"], " celsius ", "celsius"),
        (["celsius", "fahrenheit"], "celcius", "celsius"),
        (["celsius", "fahrenheit"], "kelvin", "unsaved"),
        (["celsius", "fahrenheit"], "c", "unsaved"),
        (["read_only", "read_write"], "Read-Only", "read_only"),
        (["us-east-1", "us-west-1"], "us-eest-1", "unsaved"),
        (["us-east-1", "us-east-2"], "us-east-3", "unsaved"),
        (["increase", "decrease"], "encrease", "unsaved"),
        (["enable", "disable"], "unable", "unsaved"),
        (["A", "a"], "a ", "a"),
        (["Ab", "aB"], "AB", "unsaved"),
        ([1, 2, 3], "2", 2),
        (["1", "2"], 2, "2"),
        ([True, False], "True", True),
    ],
)
def test_choices(choices: list[Any], given: Any, meant: Any) -> None:
    assert _field({"enum": choices}, given) == meant


@pytest.mark.parametrize(
    ("schema", "given", "meant"),
    [
        ("list[str]", "red", ["red"]),
        ("list[str]", "red, blue", "unsaved"),  # San Francisco, CA
        ("list[str]", '["red", "blue"]', ["red", "blue"]),
        ("list[str]", "['red', 'blue']", ["red", "blue"]),
        ("list[str]", ("red", "blue"), ["red", "blue"]),
        ("list[int]", 3, [3]),
        ("list[int]", "1, 2", [1, 2]),
        ("list[int]", ["1", 2], [1, 2]),
        ("list[int]", "1, two", "unsaved"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "A, b", ["a", "b"]),
        ("list", "one", ["one"]),
        ("list", {"a": 1}, "unsaved"),
        ({"type": "array", "items": {"type": "dict", "properties": {"n": {"type": "int"}}}}, {"n": "1"}, [{"n": 1}]),
        ("dict", '{"a": 1}', {"a": 1}),
        ("dict", "{'a': (1, 2)}", {"a": [1, 2]}),
        ("dict", [{"a": 1}], {"a": 1}),
        ("dict", "a", "unsaved"),
        (
            {"type": "dict", "properties": {"n": {"type": "dict", "properties": {"m": {"type": "int"}}}}},
            {"n": '{"m": "4"}'},
            {"n": {"m": 4}},
        ),
        ({"anyOf": [{"type": "integer"}, {"type": "boolean"}]}, "true", True),
        ({"type": ["integer", "null"]}, "null", None),
        ({"oneOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "integer"}]}, "7", 7),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "7", "7"),
        ({"allOf": [{"type": "integer"}, {"minimum": 3}]}, "4", 4),
        ({"type": "integer", "maximum": 3}, "4", "unsaved"),
        ({"const": "yes"}, "YES", "yes"),
    ],
)
def test_lists_objects_and_alternatives(schema: Any, given: Any, meant: Any) -> None:
    assert _field(schema, given) == meant


FORECAST = normal({"city": {"type": "str", "required": True}, "days": "int", "unit": ["celsius", "fahrenheit"]})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"City": "Rome"}, {"city": "Rome"}),
        ({"citty": "Rome", "days": None}, {"city": "Rome"}),
        ({"city": "Rome", "days": ""}, {"city": "Rome"}),
        ({"city": "Rome", "days": "none", "unit": "null"}, {"city": "Rome"}),
        ({"arguments": {"city": "Rome", "days": "2"}}, {"city": "Rome", "days": 2}),
        ({"name": "forecast", "arguments": '{"city": "Rome"}'}, {"city": "Rome"}),
        ('{"city": "Rome"}', {"city": "Rome"}),
        ({"city": "Rome", "more": 1}, {"city": "Rome", "more": 1}),
    ],
)
def test_arguments_as_a_whole(given: Any, meant: Any) -> None:
    coerced = coerce(given, FORECAST)
    assert (coerced.arguments, coerced.problems) == (meant, ())
    assert bool(coerced.changes) == (given != meant)


def test_a_misspelt_name_is_taken_only_where_no_other_can_be_meant() -> None:
    strict = normal({"properties": {"start": {"type": "string"}, "colour": {"type": "string"}}, "additionalProperties": False})
    assert coerce({"color": "red", "Start": "x"}, strict).arguments == {"colour": "red", "start": "x"}
    assert coerce({"color": "red", "colours": "blue"}, strict).problems == (
        "color is not known; known are: start, colour",
        "colours is not known; known are: start, colour",
    )
    assert coerce({"end": "x"}, strict).problems == ("end is not known; known are: start, colour",)


def test_every_change_is_told_and_what_cannot_be_saved_is_named() -> None:
    coerced = coerce({"City": 5, "days": "soon", "unit": "kelvin"}, FORECAST)
    assert coerced.changes == ("City read as city", 'city: 5 read as "5"')
    assert coerced.problems == (
        'days: "soon" is not allowed; it takes a whole number',
        'unit: "kelvin" is not allowed; it takes one of "celsius", "fahrenheit"',
    )
    assert coerce({}, FORECAST).problems == ("city is missing; it takes a text",)
    assert coerce([1], FORECAST).problems == ("the arguments are [1], not an object",)


def test_a_whole_number_with_a_point_stays_a_number() -> None:
    assert coerce({"x": 5.0}, normal({"properties": {"x": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}})).arguments == {"x": 5}
    one = normal({"properties": {"x": {"oneOf": [{"type": "integer"}, {"type": "number"}]}}})
    assert "valid under each of" in coerce({"x": 5.0}, one).problems[0]


def test_references_are_followed() -> None:
    schema = normal(
        {
            "$defs": {"node": {"properties": {"n": {"type": "int"}, "next": {"$ref": "#/$defs/node"}}}},
            "properties": {"list": {"$ref": "#/$defs/node"}},
        }
    )
    coerced = coerce({"list": {"n": "1", "next": {"n": "2", "next": '{"n": "3"}'}}}, schema)
    assert coerced.arguments == {"list": {"n": 1, "next": {"n": 2, "next": {"n": 3}}}}


def test_what_only_the_validator_knows_is_left_to_it() -> None:
    schema = normal({"properties": {"x": {"type": "array", "uniqueItems": True}}})
    assert coerce({"x": [1, 2]}, schema).problems == ()
    assert "non-unique" in coerce({"x": [1, 1]}, schema).problems[0]


def test_hostile_arguments_are_no_harm() -> None:
    schema = normal(
        {
            "$defs": {"j": {"anyOf": [{"type": "int"}, {"type": "array", "items": {"$ref": "#/$defs/j"}}]}},
            "properties": {"x": {"$ref": "#/$defs/j"}},
        }
    )
    deep: Any = "no"
    for _ in range(3000):
        deep = [deep]
    assert coerce({"x": deep}, schema).problems
    assert coerce({"x": "[" * 100_000}, schema).problems
    assert len(coerce({f"y{n}": "5" for n in range(5000)} | {"x": ["5"] * 2000}, schema).changes) == 20
    assert coerce({"x": 10**5000}, schema).problems == ()
    assert coerce({"x": "5"}, normal({"properties": {"x": {"type": "string", "enum": ["a"]}}})).problems


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["5", "true", "[1]", '{"a": 1}', "red, blue", "Celsius"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "A", "value", "type"]) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
_SCHEMAS = st.recursive(
    st.sampled_from(
        [{"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"}, {}, {"enum": ["celsius", "red", 5, True]},
         {"type": ["string", "null"]}, {"type": "integer", "minimum": 2}, {"const": 1}, {"type": "array"}, {"type": "object"}]
    ),
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"oneOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(
            lambda a, b, more, needs: {"type": "object", "properties": {"a": a, "b": b}, "additionalProperties": more, "required": needs},
            inner, inner, st.booleans(), st.sampled_from([[], ["a"], ["a", "b"]]),
        ),
    ),
    max_leaves=5,
)  # fmt: skip
_PARAMETERS = st.builds(
    lambda a, b, more, needs: {"type": "object", "properties": {"a": a, "b": b}, "additionalProperties": more, "required": needs},
    _SCHEMAS, _SCHEMAS, st.booleans(), st.sampled_from([[], ["a"], ["b"]]),
)  # fmt: skip
_ARGUMENTS = st.dictionaries(st.sampled_from(["a", "b", "A", "bb"]), _VALUES, max_size=3)


@given(_PARAMETERS, _ARGUMENTS)
@example({"type": "object", "properties": {"a": {"type": "integer"}}, "required": []}, {"a": 1e18})
@settings(max_examples=400)
def test_valid_arguments_stay_and_no_problem_means_valid(schema: dict[str, Any], arguments: dict[str, Any]) -> None:
    spec = Spec("f", "", schema)
    coerced = coerce(arguments, schema)
    assert bool(coerced.problems) == bool(spec.problems(coerced.arguments))
    if not spec.problems(arguments):
        assert coerced.arguments == arguments


@given(_PARAMETERS, _ARGUMENTS)
@settings(max_examples=400)
def test_to_coerce_twice_is_to_coerce_once(schema: dict[str, Any], arguments: dict[str, Any]) -> None:
    once = coerce(arguments, schema)
    twice = coerce(once.arguments, schema)
    assert twice.arguments == once.arguments
    assert twice.problems == once.problems
    if not twice.problems:
        assert twice.changes == ()


@given(_VALUES | st.binary(), _PARAMETERS)
def test_anything_at_all_is_taken(arguments: Any, schema: dict[str, Any]) -> None:
    assume(not isinstance(arguments, dict))
    coerced = coerce(arguments, schema)
    assert isinstance(coerced.arguments, dict)
    assert bool(coerced.problems) or not Spec("f", "", schema).problems(coerced.arguments)
