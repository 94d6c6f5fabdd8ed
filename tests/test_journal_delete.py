"""What is deleted is gone, and its space comes back."""

from __future__ import annotations

import pytest

from mmos.errors import UsageError
from mmos.events import Warned
from mmos.journal import Journal


async def fill(journal, *, runs=2, entries=300, text="marmalade " * 50):
    for run in range(runs):
        for number in range(entries):
            journal.append(f"run{run}", f"thread{run % 2}", Warned(f"{run} {number} {text}"))
    await journal.durable()


async def test_by_run_and_by_thread():
    async with await Journal.open(None) as journal:
        await fill(journal, runs=4, entries=10)
        assert await journal.delete(run="run1") == 10
        assert await journal.delete(thread="thread0") == 20
        assert await journal.delete(run="run3", thread="thread0") == 0
        assert {entry.run for entry in await journal.read()} == {"run3"}
        assert await journal.delete(run="run1") == 0


async def test_nothing_named_deletes_nothing():
    async with await Journal.open(None) as journal:
        await fill(journal, entries=1)
        with pytest.raises(UsageError):
            await journal.delete()
        assert len(await journal.read()) == 2


async def test_no_byte_of_it_is_left_while_the_journal_goes_on(tmp_path):
    async with await Journal.open(tmp_path) as journal:
        await fill(journal, runs=1)
        journal.append("other", "thread", Warned("kept"))
        await journal.delete(run="run0")
        left = {path.name: path.read_bytes() for path in tmp_path.glob("journal.db*")}
        assert {name for name, data in left.items() if b"marmalade" in data} == set()
        assert [entry.event for entry in await journal.read()] == [Warned("kept")]


async def test_the_space_comes_back(tmp_path):
    async with await Journal.open(tmp_path) as journal:
        await fill(journal, entries=1500)
    before = (tmp_path / "journal.db").stat().st_size
    async with await Journal.open(tmp_path) as journal:
        assert await journal.delete(run="run0") == 1500
    assert (tmp_path / "journal.db").stat().st_size < before * 0.6


async def test_numbers_are_never_given_twice():
    async with await Journal.open(None) as journal:
        await fill(journal, runs=1, entries=5)
        await journal.delete(run="run0")
        entry = journal.append("run1", "thread", Warned("next"))
        await journal.durable()
        assert entry.seq == 6
