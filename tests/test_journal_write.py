"""A journal takes entries in, commits them in order, and lets one decide at a time."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
import time
from pathlib import Path

import pytest

from mmos.errors import StateBusy, StateError, StateReadOnly
from mmos.events import RunFinished, RunStarted, ThreadNamed, Unknown, Warned
from mmos.journal import Journal, Tuning
from mmos.journal.connect import for_writing
from mmos.journal.schema import LISTING
from mmos.journal.store import Query

IMPATIENT = Tuning(patience=0.2)


def texts(entries):
    return [entry.event.text for entry in entries]


def lock(folder: Path) -> sqlite3.Connection:
    """A connection that keeps everybody else from writing."""
    other = sqlite3.connect(folder / "journal.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


@pytest.fixture(params=["on disk", "in memory"])
def place(request, tmp_path):
    return tmp_path / "state" if request.param == "on disk" else None


async def test_entries_come_back_in_the_order_in_which_they_were_given(place):
    async with await Journal.open(place, clock=iter(range(1, 1000)).__next__) as journal:
        for number in range(300):
            journal.append(f"run{number % 3}", f"thread{number % 2}", Warned(str(number)))
        entries = await journal.read()
    assert texts(entries) == [str(number) for number in range(300)]
    assert [entry.seq for entry in entries] == list(range(1, 301))
    assert [(entry.run, entry.thread) for entry in entries[:3]] == [("run0", "thread0"), ("run1", "thread1"), ("run2", "thread0")]


async def test_an_entry_has_its_number_once_it_is_durable(place):
    async with await Journal.open(place) as journal:
        first, second = (journal.append("run", "thread", Warned(text)) for text in "ab")
        assert (first.seq, second.seq) == (0, 0)
        await journal.durable()
        assert (first.seq, second.seq) == (1, 2)


async def test_durable_means_that_another_connection_sees_it(tmp_path):
    async with await Journal.open(tmp_path) as journal:
        for number in range(200):
            journal.append("run", "thread", Warned(str(number)))
        await journal.durable()
        other = sqlite3.connect(tmp_path / "journal.db")
        assert other.execute("SELECT count(*) FROM entries").fetchone() == (200,)
        other.close()


async def test_what_comes_later_is_not_written_for_those_who_wait_for_earlier_entries(tmp_path):
    async with await Journal.open(tmp_path, tuning=Tuning(linger=3600)) as journal:
        first = journal.append("run", "thread", Warned("a"))
        await journal.durable(until=first)
        second = journal.append("run", "thread", Warned("b"))
        await journal.durable(until=first)
        other = sqlite3.connect(tmp_path / "journal.db")
        assert other.execute("SELECT count(*) FROM entries").fetchone() == (1,)
        await journal.durable(until=second)
        assert other.execute("SELECT count(*) FROM entries").fetchone() == (2,)
        other.close()


async def test_entries_are_committed_although_nobody_waits(tmp_path):
    async with await Journal.open(tmp_path) as journal:
        journal.append("run", "thread", Warned("a"))
        async for entry in journal.follow():
            assert entry.seq == 1
            break


async def test_reading_by_run_thread_kind_place_and_number(place):
    async with await Journal.open(place) as journal:
        journal.append("r1", "t1", RunStarted("a", "p"))
        journal.append("r1", "t1", Warned("b"))
        journal.append("r2", "t1", RunStarted("c", "p"))
        journal.append("r2", "t2", Warned("d"))
        journal.append("r1", "t1", Unknown("moon_risen", {}))

        async def numbers(**query):
            return [entry.seq for entry in await journal.read(**query)]

        assert await numbers(run="r1") == [1, 2, 5]
        assert await numbers(thread="t1") == [1, 2, 3, 5]
        assert await numbers(run="r2", thread="t1") == [3]
        assert await numbers(kinds={"run_started"}) == [1, 3]
        assert await numbers(kinds={"run_started", "warned"}, run="r2") == [3, 4]
        assert await numbers(kinds={"moon_risen"}) == [5]
        assert await numbers(kinds=()) == []
        assert await numbers(after=3) == [4, 5]
        assert await numbers(after=1, limit=2) == [2, 3]
        assert await numbers(limit=0) == []
        assert await numbers(run="nobody") == []


async def test_reading_more_than_a_page(place):
    async with await Journal.open(place) as journal:
        for number in range(1234):
            journal.append("run", "thread", Warned(str(number)))
        assert len(await journal.read()) == 1234
        assert len(await journal.read(limit=1000)) == 1000
        assert len(await journal.read(after=1000, run="run")) == 234


async def test_lists_are_read_from_their_own_index(tmp_path):
    async with await Journal.open(tmp_path):
        database = sqlite3.connect(tmp_path / "journal.db")
        plans = {}
        for name, query in {"listing": Query(kinds=LISTING), "run": Query(run="r", kinds=LISTING), "thread": Query(thread="t")}.items():
            where, values = query.where()
            plan = database.execute(f"EXPLAIN QUERY PLAN SELECT * FROM entries WHERE {where} AND seq > 0 ORDER BY seq", values).fetchall()
            plans[name] = " ".join(row[3] for row in plan)
        database.close()
    assert all(f"INDEX entries_{index}" in plan for plan, index in zip(plans.values(), ("listing", "thread", "thread"), strict=True)), plans


async def test_what_was_written_is_there_when_it_is_opened_again(tmp_path):
    async with await Journal.open(tmp_path) as journal:
        journal.append("run", "thread", Warned("a"))
    async with await Journal.open(tmp_path) as journal:
        journal.append("run", "thread", Warned("b"))
    async with await Journal.open(tmp_path, read_only=True) as journal:
        assert texts(await journal.read()) == ["a", "b"]


async def test_a_new_folder_is_for_its_owner_alone(tmp_path):
    folder = tmp_path / "deep" / "state"
    async with await Journal.open(folder) as journal:
        journal.append("run", "thread", Warned("secret"))
        await journal.durable()
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.name for path in folder.glob("journal.db*") if path.stat().st_mode & 0o077} == set()


@pytest.mark.parametrize(("synchronous", "number"), [("normal", 1), ("full", 2)])
def test_the_file_is_set_as_it_is_tuned(tmp_path, synchronous, number):
    database = for_writing(tmp_path / "journal.db", Tuning(synchronous=synchronous))
    pragmas = ("synchronous", "journal_mode", "auto_vacuum", "secure_delete")
    assert [database.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in pragmas] == [number, "wal", 2, 1]
    database.close()


async def test_in_memory_leaves_nothing_on_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with await Journal.open(None) as journal:
        journal.append("run", "thread", Warned("a"))
        await journal.durable()
        assert journal.alive(journal.process)
        assert list(tmp_path.iterdir()) == []
    async with await Journal.open(None) as journal:
        assert await journal.read() == []


async def test_reading_alone_writes_nothing(tmp_path):
    async with await Journal.open(tmp_path / "nowhere", read_only=True) as journal:
        assert await journal.read() == []
        assert journal.process == ""
        with pytest.raises(StateReadOnly):
            journal.append("run", "thread", Warned("a"))
        with pytest.raises(StateReadOnly):
            await journal.decide({"warned"}, lambda _: [])
        with pytest.raises(StateReadOnly):
            await journal.delete(run="run")
    assert not (tmp_path / "nowhere").exists()


# ---------------------------------------------------------------- cancelling, closing, waiting


async def test_one_who_stops_waiting_takes_nothing_back(tmp_path):
    async with await Journal.open(tmp_path) as journal:
        other = lock(tmp_path)
        journal.append("run", "thread", Warned("a"))
        waiting = asyncio.create_task(journal.durable())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        other.close()
        assert texts(await journal.read()) == ["a"]


async def test_the_loop_goes_on_while_another_process_holds_the_file(tmp_path):
    async with await Journal.open(tmp_path) as journal:
        other = lock(tmp_path)
        journal.append("run", "thread", Warned("a"))
        waiting = asyncio.create_task(journal.durable())
        for _ in range(100):
            journal.append("run", "thread", Warned("b"))
            await asyncio.sleep(0)
        assert not waiting.done()
        other.close()
        await waiting
        assert len(await journal.read()) == 101


async def test_a_file_held_for_too_long(tmp_path):
    journal = await Journal.open(tmp_path, tuning=IMPATIENT)
    other = lock(tmp_path)
    journal.append("run", "thread", Warned("a"))
    with pytest.raises(StateBusy, match=r"journal\.db.*locked.*try again"):
        await journal.durable()
    other.close()
    # Nothing of the run is written behind the gap; other runs are.
    journal.append("run", "thread", Warned("b"))
    journal.append("other", "thread", Warned("c"))
    for _ in range(2):
        with pytest.raises(StateBusy):
            await journal.durable("run")
    await journal.durable("other")
    assert [entry.run for entry in await journal.read()] == ["other"]
    # Who takes the run up again has read what is written, and goes on from there.
    await journal.decide({"warned"}, lambda _: [("run", "thread", Warned("d"))])
    journal.append("run", "thread", Warned("e"))
    await journal.close()
    async with await Journal.open(tmp_path, read_only=True) as journal:
        assert [entry.event for entry in await journal.read(run="run")] == [Warned("d"), Warned("e")]


async def test_closing_tells_of_a_loss_that_nobody_has_heard_of(tmp_path):
    journal = await Journal.open(tmp_path, tuning=IMPATIENT)
    other = lock(tmp_path)
    journal.append("run", "thread", Warned("a"))
    with pytest.raises(StateBusy):
        await journal.close()
    other.close()


async def test_a_closed_journal_says_so(place):
    journal = await Journal.open(place)
    await journal.close()
    await journal.close()
    with pytest.raises(StateError, match="closed"):
        await journal.read()
    with pytest.raises(StateError, match="closed"):
        await journal.durable()
    with pytest.raises(StateError, match="closed"):
        await journal.decide((), lambda _: [])
    with pytest.raises(StateError, match="closed"):
        journal.append("run", "thread", Warned("a"))
    assert not journal.alive(journal.process)


async def test_closing_leaves_nothing_behind(tmp_path):
    def held() -> list[str]:
        return [str(path) for path in (Path(f"/proc/self/fd/{fd}").resolve() for fd in range(256)) if path.is_relative_to(tmp_path)]

    async with await Journal.open(tmp_path) as journal:
        journal.append("run", "thread", Warned("a"))
        follower = journal.follow()
        await anext(follower)
        assert any(thread.name.startswith("mmos-journal") for thread in threading.enumerate())
        assert sys.platform != "linux" or held()
    assert [entry async for entry in follower] == []
    assert not any(thread.name.startswith("mmos-journal") for thread in threading.enumerate())
    assert sys.platform != "linux" or held() == []
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["journal.db", "journal.lock", "processes"]


def test_a_loop_that_ends_without_closing_loses_nothing_that_was_told(tmp_path):
    async def leave() -> Journal:
        journal = await Journal.open(tmp_path)
        journal.append("run", "thread", Warned("told"))
        await journal.durable()
        return journal

    async def look() -> list[str]:
        async with await Journal.open(tmp_path, read_only=True) as journal:
            return texts(await journal.read())

    left = asyncio.run(leave())
    assert asyncio.run(look()) == ["told"]
    asyncio.run(left.close())


async def test_a_loop_that_never_rests_gives_way_to_the_commit(tmp_path):
    async def never_rest():
        while True:
            until = time.perf_counter() + 0.0002
            while time.perf_counter() < until:
                pass
            await asyncio.sleep(0)

    async with await Journal.open(tmp_path) as journal, asyncio.timeout(6):
        busy = asyncio.create_task(never_rest())
        for _ in range(40):
            journal.append("run", "thread", Warned("a"))
            await journal.durable()
        busy.cancel()
        assert len(await journal.read()) == 40


# ---------------------------------------------------------------- deciding


async def test_two_cannot_both_decide(tmp_path):
    def name_it(entries):
        return [] if any(entry.event.name == "build" for entry in entries) else [("", "thread", ThreadNamed("build"))]

    async with await Journal.open(tmp_path) as one, await Journal.open(tmp_path) as two:
        results = await asyncio.gather(*(journal.decide({"thread_named"}, name_it) for journal in (one, two) * 10))
        assert sum(len(result) for result in results) == 1
        assert len(await two.read(kinds={"thread_named"})) == 1


async def test_a_decision_sees_what_was_appended_before_it_and_comes_before_what_follows(place):
    async with await Journal.open(place) as journal:
        journal.append("run", "thread", Warned("a"))
        deciding = asyncio.create_task(journal.decide({"warned"}, lambda entries: [("run", "thread", Warned(f"after {len(entries)}"))]))
        await asyncio.sleep(0)
        journal.append("run", "thread", Warned("b"))
        (entry,) = await deciding
        assert (entry.seq, entry.event) == (2, Warned("after 1"))
        assert texts(await journal.read()) == ["a", "after 1", "b"]


async def test_a_decision_looks_at_the_run_and_thread_that_it_is_given(place):
    async with await Journal.open(place) as journal:
        for run, thread in (("r1", "t1"), ("r1", "t2"), ("r2", "t1")):
            journal.append(run, thread, RunFinished("answered"))
        seen = []
        await journal.decide({"run_finished"}, lambda entries: seen.extend(entries) or [], run="r1", thread="t1")
        assert [entry.seq for entry in seen] == [1]


async def test_a_decision_that_fails_leaves_no_trace(place):
    def choose(entries):
        raise ZeroDivisionError

    async with await Journal.open(place) as journal:
        with pytest.raises(ZeroDivisionError):
            await journal.decide({"warned"}, choose)
        with pytest.raises(TypeError):
            await journal.decide((), lambda _: [("run", "thread", Warned("a")), ("run", "thread", Unknown("odd", {"": object()}))])
        journal.append("run", "thread", Warned("b"))
        assert texts(await journal.read()) == ["b"]


async def test_a_decision_may_be_long(place):
    async with await Journal.open(place) as journal:
        made = await journal.decide((), lambda _: [("run", "thread", Warned(str(number))) for number in range(500)])
        assert [entry.seq for entry in made] == list(range(1, 501))
        assert await journal.read() == made
