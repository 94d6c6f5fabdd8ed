"""Counts that people read: one of a thing is not told as many."""

from __future__ import annotations

import pytest

from mmos.plurals import counted


@pytest.mark.parametrize(("number", "said"), [(0, "0 hosts"), (1, "1 host"), (2, "2 hosts"), (12_345, "12,345 hosts")])
def test_one_is_one_and_all_other_numbers_are_several(number: int, said: str) -> None:
    assert counted(number, "host") == said


def test_a_plural_of_its_own() -> None:
    assert [counted(number, "entry", "entries") for number in (1, 2)] == ["1 entry", "2 entries"]
