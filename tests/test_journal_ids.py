"""Ids sort by the time they were made."""

from __future__ import annotations

import random
import re

from hypothesis import given
from hypothesis import strategies as st

from mmos.journal import IdSource, is_id, new_id


def test_an_id_is_26_letters_of_crockfords_base_32():
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", new_id())
    assert is_id(new_id())


def test_the_time_stands_in_front():
    assert new_id(lambda: 0.0, lambda bits: 0) == "0" * 26
    assert IdSource(lambda: 1469918176.385, lambda bits: 0)()[:10] == "01ARYZ6S41"


def test_chance_gets_79_bits():
    assert IdSource(lambda: 0.0, lambda bits: 2**bits - 1)() == "0" * 10 + "F" + "Z" * 15


@given(st.lists(st.floats(0, 4e9), min_size=2, max_size=50).map(sorted), st.integers())
def test_later_ids_sort_later_within_a_millisecond_too(moments, seed):
    clock = iter(moments)
    ids = IdSource(lambda: next(clock), random.Random(seed).getrandbits)
    made = [ids() for _ in moments]
    assert made == sorted(set(made))


def test_ids_of_one_process_keep_their_order_whoever_asks():
    made = [new_id(lambda: 5.0) for _ in range(1000)]
    assert made == sorted(set(made))


def test_the_same_clock_and_chance_give_the_same_ids():
    first, second = (IdSource(lambda: 7.0, random.Random(1).getrandbits) for _ in range(2))
    assert [first() for _ in range(5)] == [second() for _ in range(5)]


def test_what_is_no_id():
    for text in ("", "../../etc/passwd", new_id().lower(), new_id() + "0", new_id()[:-1] + "U", new_id()[:-1] + "\n"):
        assert not is_id(text)
