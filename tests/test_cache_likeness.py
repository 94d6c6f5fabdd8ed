"""Tests of `mmos.cache.likeness`: which texts ask the same, and which only look so."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from mmos.cache.likeness import cosine, form_of

PAIRS = json.loads((Path(__file__).parent.parent / "scripts" / "alike.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("one", "other"), PAIRS["same"])
def test_texts_that_ask_the_same_in_other_words(one: str, other: str) -> None:
    assert form_of(one) == form_of(other)


@pytest.mark.parametrize(("one", "other"), PAIRS["other"])
def test_texts_that_only_look_alike(one: str, other: str) -> None:
    assert form_of(one) != form_of(other)
    assert form_of(one) == form_of(f"  {one} ")


def test_a_long_text_is_not_compared() -> None:
    assert form_of("word " * 400) is not None
    assert form_of("word " * 401) is None


def test_the_cosine_of_vectors_and_of_what_is_none() -> None:
    assert cosine([1.0, 0.0], [2.0, 0.0]) == 1.0
    assert cosine([1.0, 0.0], [0.0, 3.0]) == 0.0
    assert [cosine([1.0], [1.0, 2.0]), cosine([0.0], [1.0]), cosine([math.nan], [1.0]), cosine([], [])] == [0.0] * 4
