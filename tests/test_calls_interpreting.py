"""What an interpreter is offered, and which of its calls are believed."""

from __future__ import annotations

from typing import Any

import pytest

from mmos.calls.interpreting import relevant, spelled_out, trusted
from mmos.calls.spec import Spec
from mmos.messages import ToolCall


def tool(name: str, description: str = "", **properties: Any) -> Spec:
    return Spec(name, description, {"type": "object", "properties": properties, "required": list(properties)[:1]})


WEATHER = tool("get_weather", "The forecast for a city.", city={"type": "string"}, unit={"type": "string", "enum": ["celsius", "kelvin"]})
DIARY = tool("diary", "What was written on a day.", day={"type": "string"}, pages={"type": "integer"})
MANY = [tool(f"tool_{letter}x", "Something else.") for letter in "abcdefgh"]


def test_only_the_tools_that_a_text_is_about_are_offered() -> None:
    assert relevant("GetWeather for Rome", [*MANY, DIARY, WEATHER]) == [WEATHER]
    assert relevant("a forecast please, and my diary", [*MANY, DIARY, WEATHER]) == [DIARY, WEATHER]
    assert relevant("hmm", [*MANY, DIARY]) == []
    assert relevant("hmm", [DIARY, WEATHER]) == [DIARY, WEATHER]  # few are no choice
    assert len(relevant("tool_ax tool_bx tool_cx tool_dx tool_ex", MANY)) == 4


def test_allowed_values_are_spelled_in_descriptions() -> None:
    listed = tool("f", x={"type": "array", "items": {"enum": [1, 2]}, "description": "Which."})
    assert spelled_out(WEATHER).parameters["properties"]["unit"]["description"] == "One of: celsius, kelvin."
    assert spelled_out(listed).parameters["properties"]["x"]["description"] == "Which. One of: 1, 2."
    assert spelled_out(spelled_out(WEATHER)) == spelled_out(WEATHER)
    assert "description" not in WEATHER.parameters["properties"]["unit"]


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (ToolCall("", "get_weather", {"city": "Rome"}), {"city": "Rome"}),
        (ToolCall("", "get_weather", {"city": "Rome", "unit": "Celsius"}), {"city": "Rome", "unit": "celsius"}),
        (ToolCall("", "", {}), "it made no decision"),
        (ToolCall("", "wizard", {}), "it named 'wizard', which was not offered"),
        (
            ToolCall("", "get_weather", {"city": "San", " Francisco": "CA"}),
            "it gave get_weather arguments that it does not take:  Francisco",
        ),
        (ToolCall("", "get_weather", {"unit": "kelvin"}), "the arguments of get_weather do not fit: city is missing; it takes a text"),
        (ToolCall("", "diary", {"day": 2024}), "it cut off a value of diary: day = 2024"),
        (ToolCall("", "diary", {"day": 12}), "it cut off a value of diary: day = 12"),
        (ToolCall("", "diary", {"day": 7}), {"day": "7"}),
        (ToolCall("", "diary", {"day": "x", "pages": 2024}), {"day": "x", "pages": 2024}),
    ],
)
def test_what_an_interpreter_says_is_checked(call: ToolCall, found: Any) -> None:
    said = trusted([call], [WEATHER, DIARY], text="Rome, the diary of 2024-01-15, 12abc and day 7", sources=[], bound=[])
    assert (said if isinstance(said, str) else said[0].arguments) == found


def test_one_wrong_call_makes_the_others_doubtful_and_repetitions_are_one() -> None:
    good, wrong = ToolCall("a", "get_weather", {"city": "Rome"}), ToolCall("b", "wizard", {})
    assert isinstance(trusted([good, wrong], [WEATHER], text="", sources=[], bound=[]), str)
    assert trusted([good, good], [WEATHER], text="", sources=[], bound=[]) == [ToolCall("", "get_weather", {"city": "Rome"})]
    assert trusted([], [WEATHER], text="", sources=[], bound=[]) == "it made no call"


def test_tools_that_change_something_get_no_invented_values() -> None:
    def said(unit: str, city: str, *sources: str) -> Any:
        return trusted(
            [ToolCall("", "get_weather", {"city": city, "unit": unit})], [WEATHER], text="", sources=sources, bound=["get_weather"]
        )

    assert isinstance(said("celsius", "New York", "the weather in new-york"), list)  # an allowed value may be chosen
    assert said("celsius", "Rome", "the weather in Paris") == "it gave get_weather values that nobody named: city = 'Rome'"
