"""Values as models write them: JSON, Python, and what lies between; sums that are worked out, and never anything evaluated."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmos.calls.arithmetic import number
from mmos.calls.quoted import Misread
from mmos.calls.values import Patience, PythonCall, Word, read_value

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.one_of(st.lists(JSON, max_size=4), st.dictionaries(st.text(), JSON, max_size=4)))
def test_json_is_read_as_json(value: Any) -> None:
    assert read_value(json.dumps(value), 0, lists_calls=False).value == value


@settings(deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,6}", fullmatch=True),
        st.one_of(st.integers(-999, 999), st.booleans(), st.none(), st.text("abc de'\"", max_size=8)),
        max_size=4,
    )
)
def test_python_is_read_as_python(value: dict[str, Any]) -> None:
    assert read_value(repr(value), 0).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'a': True, 'b': None}", {"a": True, "b": None}),
        ("{a: 1, b: 'x',}", {"a": 1, "b": "x"}),
        ('{"a": 1 /* one */, // next\n "b": 2 # end\n}', {"a": 1, "b": 2}),
        ('{"a": "x" "b": "y"}', {"a": "x", "b": "y"}),
        ("{“a”: ‘it’s’}", {"a": "it’s"}),
        ('{"a": [1, 2', {"a": [1, 2]}),
        ('{"a": "say "hi" to her", "b": 1}', {"a": 'say "hi" to her', "b": 1}),
        ("(1, 2)", [1, 2]),
        ("{'x', 'y'}", ["x", "y"]),
        ('{"a": r"\\d"}', {"a": "d"}),
        ("{'a': '''two\nlines'''}", {"a": "two\nlines"}),
        ("{a:<escape>x, y<escape>,n:3}", {"a": "x, y", "n": 3}),
        ("[1_000, .5, 5., -2e3]", [1000, 0.5, 5.0, -2000.0]),
    ],
)
def test_what_is_nearly_json_is_read(text: str, value: Any) -> None:
    assert read_value(text, 0).value == value


def test_a_call_is_a_value_and_so_is_a_word() -> None:
    made = read_value("f(1, a='x', b=2 * math.pi, c=g(y))", 0).value
    assert made == PythonCall("f", (1,), {"a": "x", "b": Word("2 * math.pi"), "c": PythonCall("g", (Word("y"),), {})})


@pytest.mark.parametrize("text", ["[" * 500, "{" * 500, "f(" * 500])
def test_what_is_too_deep_is_misread(text: str) -> None:
    with pytest.raises(Misread):
        read_value(text, 0)


def test_patience_has_an_end() -> None:
    with pytest.raises(Misread):
        read_value("[" + "a=1," * 20_000, 0, patience=Patience())


@pytest.mark.parametrize("text", ['{"a": "half of', "[f(a='half of", "f(a=12", "f(a=half"])
def test_a_value_that_is_torn_is_told(text: str) -> None:
    assert read_value(text, 0).torn


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        ("2 * math.pi", 2 * math.pi),
        ("6*12+2", 74),
        ("1/4", 0.25),
        ("-(3 - 5) ** 2", -4),
        ("10 % 4", 2),
        ("7 // 2", 3),
        ("1e3+1", 1001.0),
        ("2^3", 8),
        ("π", math.pi),
    ],
)
def test_a_sum_is_worked_out(text: str, worth: float) -> None:
    assert number(text) == worth


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "2024-01-15",
        "1/2/2024",
        "555-12-34",
        "9**9**9",
        "1/0",
        "(1",
        "1+",
        "__import__('os')",
        "math.sqrt(4)",
        "1" * 100,
        "10**60",
        "(-1)**0.5",
        "1 2",
    ],
)
def test_what_is_no_sum_is_none(text: str) -> None:
    assert number(text) is None


@given(st.text("0123456789+-*/%() .epi^", max_size=40))
def test_any_sum_is_answered(text: str) -> None:
    worth = number(text)
    assert worth is None or isinstance(worth, int | float)
