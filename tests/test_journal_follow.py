"""Followers get every committed entry once, in order, whoever wrote it, and hold nobody up."""

from __future__ import annotations

import asyncio
import random
import sqlite3

import pytest

from mmos.errors import StateFull
from mmos.events import Entry, Warned
from mmos.journal import Journal, Tuning
from mmos.journal.store import Store

WATCHFUL = Tuning(watch_every=0.01)


@pytest.fixture(params=["on disk", "in memory"])
def place(request, tmp_path):
    return tmp_path if request.param == "on disk" else None


async def take(follower, count):
    async with asyncio.timeout(20):
        return [await anext(follower) for _ in range(count)]


def write(journal, first, last, run="run"):
    for number in range(first, last):
        journal.append(run, "thread", Warned(str(number)))


def texts(entries):
    return [entry.event.text for entry in entries]


async def test_first_the_past_and_then_what_comes(place):
    async with await Journal.open(place) as journal:
        write(journal, 0, 700)
        follower = journal.follow()
        assert texts(await take(follower, 700)) == [str(number) for number in range(700)]
        for number in range(700, 720):
            write(journal, number, number + 1)
            (entry,) = await take(follower, 1)
            assert (entry.event.text, entry.seq) == (str(number), number + 1)
        await follower.aclose()


async def test_following_one_run_from_a_place_on(place):
    async with await Journal.open(place) as journal:
        for number in range(10):
            write(journal, number, number + 1, run=f"run{number % 2}")
        follower = journal.follow(run="run1", after=4)
        assert texts(await take(follower, 3)) == ["5", "7", "9"]
        write(journal, 10, 12, run="run0")
        write(journal, 12, 13, run="run1")
        assert texts(await take(follower, 1)) == ["12"]
        await follower.aclose()


async def test_a_follower_never_hears_of_what_is_not_committed(tmp_path):
    async with await Journal.open(tmp_path) as journal:
        other = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
        follower = journal.follow()
        for number in range(20):
            write(journal, number, number + 1)
            (entry,) = await take(follower, 1)
            assert other.execute("SELECT count(*) FROM entries WHERE seq = ?", [entry.seq]).fetchone() == (1,)
        other.close()
        await follower.aclose()


async def test_a_slow_follower_holds_nobody_up_and_misses_nothing(place):
    async with await Journal.open(place) as journal:
        slow = journal.follow()
        write(journal, 0, 1)
        assert texts(await take(slow, 1)) == ["0"]
        for start in range(1, 5001, 50):
            write(journal, start, start + 50)
            await journal.durable()
        assert texts(await take(slow, 5000)) == [str(number) for number in range(1, 5001)]
        write(journal, 5001, 5002)
        assert texts(await take(slow, 1)) == ["5001"]
        await slow.aclose()


@pytest.mark.parametrize("seed", range(3))
async def test_two_journals_write_and_each_follows_both(tmp_path, seed):
    chance = random.Random(seed)
    async with await Journal.open(tmp_path, tuning=WATCHFUL) as one, await Journal.open(tmp_path, tuning=WATCHFUL) as two:
        followers = [asyncio.create_task(take(journal.follow(), 600)) for journal in (one, two)]
        for number in range(600):
            write(chance.choice((one, two)), number, number + 1)
            if chance.random() < 0.2:
                await chance.choice((one, two)).durable()
        first, second = await asyncio.gather(*followers)
        assert first == second == await one.read()
        assert [entry.seq for entry in first] == list(range(1, 601))
        assert {int(entry.event.text) for entry in first} == set(range(600))


async def test_another_process_writes_within_a_batch(tmp_path, monkeypatch):
    async with await Journal.open(tmp_path, tuning=WATCHFUL) as one, await Journal.open(tmp_path, tuning=WATCHFUL) as two:
        follower = one.follow()
        write(one, 0, 1)
        write(two, 1, 2, run="other")
        await two.durable()
        await take(follower, 2)
        coming = asyncio.create_task(take(follower, 701))
        await asyncio.sleep(0.2)  # until it has read what the other has written, and waits for news
        insert, slices = Store._insert, []

        def insert_and_let_the_other_write(store, lines):
            insert(store, lines)
            slices.append(len(lines))
            if len(slices) == 1:
                insert(two._store, [two._store.line(Entry("other", "thread", 1.0, Warned("in between")))])

        monkeypatch.setattr(Store, "_insert", insert_and_let_the_other_write)
        write(one, 2, 702)
        await one.durable()
        seen = await coming
        assert (len(slices) > 1, "in between" in texts(seen)) == (True, True)
        assert [entry.seq for entry in seen] == list(range(3, 704))
        await follower.aclose()


async def test_one_who_only_reads_follows_one_who_writes(tmp_path):
    async with await Journal.open(tmp_path) as writer:
        write(writer, 0, 1)
        await writer.durable()
        async with await Journal.open(tmp_path, read_only=True, tuning=WATCHFUL) as reader:
            follower = reader.follow()
            assert texts(await take(follower, 1)) == ["0"]
            write(writer, 1, 3)
            assert texts(await take(follower, 2)) == ["1", "2"]
            await follower.aclose()


async def test_decisions_are_followed_too(place):
    async with await Journal.open(place) as journal:
        follower = journal.follow()
        write(journal, 0, 1)
        await take(follower, 1)
        await journal.decide((), lambda _: [("run", "thread", Warned("decided"))])
        assert texts(await take(follower, 1)) == ["decided"]
        await follower.aclose()


async def test_closing_hands_out_the_rest_and_ends(place):
    journal = await Journal.open(place)
    follower = journal.follow()
    write(journal, 0, 1)
    await take(follower, 1)
    rest = asyncio.create_task(take_all(follower))
    await asyncio.sleep(0)
    write(journal, 1, 30)
    await journal.close()
    assert texts(await rest) == [str(number) for number in range(1, 30)]


async def take_all(follower):
    return [entry async for entry in follower]


@pytest.mark.parametrize("late", [False, True], ids=["from the beginning", "after the loss"])
async def test_a_follower_hears_what_could_not_be_written_after_what_was(tmp_path, late):
    journal = await Journal.open(tmp_path, tuning=Tuning(max_pages=12))
    follower = journal.follow(run="run")
    write(journal, 0, 1)
    if not late:
        await take(follower, 1)
    write(journal, 1, 2000)
    write(journal, 0, 1, run="other")
    heard = await take(follower, 2000 - (not late))
    assert texts(heard) == [str(number) for number in range(not late, 2000)]
    numbers = [entry.seq for entry in heard]
    assert numbers[-1] == 0
    assert numbers == sorted(filter(None, numbers)) + [0] * numbers.count(0)
    with pytest.raises(StateFull):
        await journal.close()
    assert await take_all(follower) == []


async def test_who_no_longer_follows_leaves_no_task(tmp_path):
    async with await Journal.open(tmp_path) as journal:
        follower = journal.follow()
        write(journal, 0, 1)
        await take(follower, 1)
        await follower.aclose()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
