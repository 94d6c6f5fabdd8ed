"""What a turn amounts to: distinct ids, and calls that can be written down again."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.calls.reading import Reading, distinct, writable
from mmos.messages import Message, ToolCall

IDS = st.lists(st.sampled_from(["", "a", "b", "c", "new1", "new2"]))


def calling(ids: list[str]) -> Message:
    return Message("assistant", "text", tuple(ToolCall(name, f"tool{place}", {"n": place}) for place, name in enumerate(ids)))


@given(IDS, st.sets(st.sampled_from(["a", "new1", "new3"])))
def test_every_call_has_an_id_of_its_own(ids: list[str], taken: set[str]) -> None:
    numbers = itertools.count(1)
    message = calling(ids)
    made = distinct(message, taken.__contains__, lambda: f"new{next(numbers)}")
    names = [call.id for call in made.calls]
    assert len({*names}) == len(names)
    assert not {*names, ""} & taken
    assert "" not in names
    assert [(call.name, call.arguments) for call in made.calls] == [(call.name, call.arguments) for call in message.calls]


@given(st.lists(st.text(min_size=1), unique=True))
def test_ids_that_are_fine_stay(ids: list[str]) -> None:
    message = calling(ids)
    assert distinct(message, lambda _: False, lambda: "new") is message


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [1, 200, 248, 249, 250, 251, 252, 253, 300, 1000])
def test_arguments_that_no_json_holds_are_no_call(depth: int) -> None:
    message = Message("assistant", "", (ToolCall("c", "look", {"x": nested(depth)}),))
    reading = writable(Reading(message))
    assert bool(reading.message.calls) == (depth < 250)
    assert (reading.unclear.text == "deep_call") == (depth >= 250)
    orjson.dumps({"a fact of the journal": reading.message})


@pytest.mark.parametrize("content", ["half \ud83d", "\udcff"])
def test_half_characters_are_made_whole(content: str) -> None:
    reading = writable(Reading(Message("assistant", content)))
    assert "?" in reading.message.content
    assert (bool(reading.unclear), bool(reading.message.wire)) == (False, True)
