"""The members of a JSON object, as they were written: what Python's JSON parser takes is taken, and nothing else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mmos.cli.members import members, shallow

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=3)


def no_constant(word: str) -> None:
    raise ValueError(word)


@given(OBJECTS, st.booleans(), st.sampled_from([None, 1]))
def test_members_are_whole(value: dict[str, Any], ascii_only: bool, indent: int | None) -> None:
    found = members(json.dumps(value, ensure_ascii=ascii_only, indent=indent))
    assert found is not None
    assert [(json.loads(name), json.loads(each)) for name, each in found] == list(value.items())


@given(
    OBJECTS | VALUES,
    st.integers(0, 200),
    st.sampled_from(["", ",", "}", "]", "{", '"', "1", "0", "x", ":", " ", "\\", "\n", "NaN", "e5"]),
    st.booleans(),
)
@settings(max_examples=300)
def test_what_is_no_object_has_none(value: Any, place: int, put: str, over: bool) -> None:
    text = json.dumps(value)
    place %= len(text) + 1
    text = text[:place] + put + text[place + over :]
    try:
        expected = isinstance(json.loads(text, parse_constant=no_constant), dict)
    except ValueError:
        expected = False
    assert (members(text) is not None) == expected


def test_what_is_too_deep_is_null() -> None:
    assert json.loads(shallow('{"a": [1, [2, {"b": 3}], 4], "c": 5}', 2)) == {"a": [1, None, 4], "c": 5}
    deep = '{"a":' + "[" * 10_000 + "]" * 10_000 + "}"
    assert members(deep) == [('"a"', deep[5:-1])]
    assert json.loads(shallow(deep, 3)) == {"a": [[None]]}
