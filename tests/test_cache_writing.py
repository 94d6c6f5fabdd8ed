"""Tests of `mmos.cache.writing`: answers are there at once, and nobody waits for the file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from mmos.cache.kept import Kept, Terms
from mmos.cache.keys import Frame, Key, keys_of
from mmos.cache.shelf import FILE, Shelf
from mmos.cache.writing import Writing
from mmos.messages import Message


def key(text: str = "Why?") -> Key:
    return keys_of(["sha256:1"], [Message("user", text)], Frame(), alike=True)[0]


KEPT = Kept("m:latest", "here", "run", "Because.", made=9e9)


async def test_an_answer_is_found_before_and_after_it_is_written(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    writing = Writing(shelf)
    writing.add(key(), KEPT)
    pair = writing.find([key("How?"), key()])
    assert pair is not None
    assert (pair[1].content, pair[1].words) == ("Because.", "Why?")
    assert [name for name, _ in writing.alike([key("Please, why")])] == [key().exact]
    await writing.settled()
    assert (writing.find([key()]), writing.alike([key()])) == (None, [])
    assert shelf.find([key()]) == pair


async def test_changes_happen_in_their_order_and_one_that_is_in_the_way_is_left_out(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, Terms(patience=0.01))
    writing = Writing(shelf)
    writing.add(key(), KEPT)
    writing.change(lambda: shelf.use(key().exact))
    await writing.settled()
    assert shelf.figures()[0].hits == 1
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing.add(key("How?"), KEPT)
    await writing.settled()
    other.close()
    assert (writing.fault, shelf.find([key("How?")]), writing.find([key("How?")])) == ("", None, None)


async def test_after_a_fault_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"nonsense" * 1000)
    writing = Writing(Shelf(tmp_path))
    writing.add(key(), KEPT)
    await writing.settled()
    assert "the cache cannot be used" in writing.fault
    writing.add(key(), KEPT)
    assert writing.find([key()]) is None
