"""Which model is clearly larger than another one."""

from __future__ import annotations

from mmos.catalog.known import KnownModel
from mmos.selection.larger import is_larger, larger_than

SMALL = KnownModel("coder:7b")
MIDDLE = KnownModel("coder:8b", parameters=8.0)
LARGE = KnownModel("coder:32b", parameters=32.8, keys=("big",))
OTHER = KnownModel("general", frozenset({"HIGH_QUALITY"}))
VECTORS = KnownModel("nomic-embed-text:137b", frozenset({"EMBEDDING"}))
ALL = (SMALL, MIDDLE, LARGE, OTHER, VECTORS)


def test_a_little_larger_is_not_larger() -> None:
    assert not is_larger(MIDDLE, SMALL)
    assert is_larger(LARGE, SMALL), "the name says how many parameters it has"
    assert not is_larger(SMALL, LARGE)


def test_where_nobody_knows_the_size_the_quality_counts() -> None:
    assert is_larger(OTHER, SMALL)
    assert not is_larger(KnownModel("plain"), SMALL)
    assert not is_larger(OTHER, OTHER)


def test_the_largest_that_may_be_asked_is_taken() -> None:
    assert larger_than("coder:7b", ALL, lambda _: True) == LARGE
    assert larger_than("coder:7b", ALL, lambda one: one is not LARGE) == OTHER
    assert larger_than("big", ALL, lambda _: True) == OTHER, "a key names the same model"
    assert larger_than("coder:7b", ALL, lambda _: False) is None
    assert larger_than("unheard:3b", ALL, lambda _: True) == LARGE
