"""What is wrong with a call's arguments, in sentences that a model can act on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mmos.calls.checking import LONGEST, MOST_PROBLEMS
from mmos.calls.spec import Spec, encode_offer

PLACE = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 1},
        "days": {"type": "integer", "minimum": 1},
        "unit": {"enum": ["c", "f"]},
        "stops": {"type": "array", "items": {"type": "object", "properties": {"at": {"type": "number"}}, "required": ["at"]}},
    },
    "required": ["city"],
    "additionalProperties": False,
}
SPEC = Spec("weather", "Tell the weather.", PLACE)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "'city' is a required property"),
        ({"city": 7}, "city: 7 is not of type 'string'"),
        ({"city": "Rome", "days": "2"}, "days: '2' is not of type 'integer'"),
        ({"city": "Rome", "days": 0}, "days: 0 is less than the minimum of 1"),
        ({"city": "Rome", "unit": "k"}, "unit: 'k' is not one of ['c', 'f']"),
        ({"city": "Rome", "wind": True}, "Additional properties are not allowed ('wind' was unexpected)"),
        ({"city": "Rome", "stops": [{"at": 1}, {"at": "x"}]}, "stops.1.at: 'x' is not of type 'number'"),
        ({"city": "Rome", "stops": [{}]}, "stops.0: 'at' is a required property"),
        ({"city": ""}, "city: '' should be non-empty"),
    ],
)
def test_each_misfit_is_a_sentence_with_its_place(arguments: dict[str, Any], sentence: str) -> None:
    assert SPEC.problems(arguments) == [sentence]


def test_what_fits_has_no_problems() -> None:
    assert SPEC.problems({"city": "Rome", "days": 2, "unit": "c", "stops": [{"at": 1.5}]}) == []
    assert Spec("clock", "").problems({}) == []


def test_several_problems_come_at_once_in_a_fixed_order_and_not_too_many() -> None:
    many = {"city": 1, "days": 0, "unit": "k", "stops": [{"at": "x"}] * 9}
    problems = SPEC.problems(many)
    assert len(problems) == MOST_PROBLEMS
    assert problems == SPEC.problems(many)
    assert problems[0].startswith("city: ")


def test_a_sentence_stays_short_whatever_a_model_wrote() -> None:
    deep: Any = "x" * 10_000
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(60):
        deep, schema = {"a long name of a field": deep}, {"type": "object", "properties": {"a long name of a field": schema}}
    for spec, arguments in ((SPEC, {"city": ["x" * 10_000]}), (SPEC, {"x" * 10_000: 1, "city": "Rome"}), (Spec("deep", "", schema), deep)):
        (sentence,) = spec.problems(arguments)
        assert len(sentence) <= 2 * LONGEST + 4


def test_an_offer_is_the_same_bytes_for_the_same_tools() -> None:
    again = Spec("weather", "Tell the weather.", json.loads(json.dumps(PLACE)))
    assert encode_offer([SPEC]) == encode_offer([again])
    assert json.loads(encode_offer([SPEC])) == [
        {"type": "function", "function": {"name": "weather", "description": "Tell the weather.", "parameters": PLACE}}
    ]
