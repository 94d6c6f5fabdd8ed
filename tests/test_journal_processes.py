"""Many processes on one journal: what was told is there after a kill -9, nothing is lost, and the dead are known at once."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import mmos
from mmos.journal import Journal
from mmos.journal.texts import needed

ROOT = Path(mmos.__file__).parents[1]
ENDLESS = 10**9


@contextmanager
def writing(folder: Path, name: str, runs: int, count: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(Path(__file__).with_name("journal_writer.py")), str(folder), name, str(runs), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)


def said(process: subprocess.Popen[str]) -> tuple[str, str]:
    first, second = process.stdout.readline().split()
    return first, second


def killed(folder: Path, name: str, lines: int) -> dict[str, int]:
    """What ten runs were told before the process was killed in the middle of its work."""
    told: dict[str, int] = {}
    with writing(folder, name, 10, ENDLESS) as process:
        assert said(process)[0] == "process"
        for _ in range(lines):
            run, number = said(process)
            told[run] = int(number)
        process.kill()
        for line in process.stdout.read().splitlines(keepends=True):
            if line.endswith("\n"):
                run, number = line.split()
                told[run] = int(number)
    return told


async def numbers(folder: Path) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    async with await Journal.open(folder) as journal:
        for entry in await journal.read():
            found.setdefault(entry.run, []).append(int(entry.event.text.split()[0]))
    return found


def check_whole(folder: Path) -> None:
    database = sqlite3.connect(folder / "journal.db")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    wanted = {row for (data,) in database.execute("SELECT data FROM entries") for text in needed(data) for row in text}
    assert wanted == {row for (row,) in database.execute("SELECT id FROM texts")}  # no text is missing, none is too many
    database.close()


async def test_after_kill_9_every_event_that_was_told_is_there(tmp_path):
    chance = random.Random()
    told: dict[str, int] = {}
    for round_ in range(4):
        told |= killed(tmp_path, f"round {round_}, run ".replace(" ", "_"), chance.randrange(1, 300))
        found = await numbers(tmp_path)
        for run, written in found.items():
            assert written == list(range(len(written))), run
        assert {run: number for run, number in told.items() if len(found.get(run, ())) <= number} == {}
        check_whole(tmp_path)


async def test_many_processes_begin_and_write_the_same_journal_at_once(tmp_path):
    with ExitStack() as all_of_them:
        processes = [all_of_them.enter_context(writing(tmp_path / "state", f"p{number}_", 2, 60)) for number in range(5)]
        for process in processes:
            assert process.stdout.read().endswith("closed 0\n")
            assert process.wait() == 0
    found = await numbers(tmp_path / "state")
    assert found == {f"p{process}_{run}": list(range(60)) for process in range(5) for run in range(2)}
    check_whole(tmp_path / "state")


async def test_others_read_and_follow_while_one_writes(tmp_path):
    with writing(tmp_path, "run", 1, ENDLESS) as process:
        said(process)
        async with await Journal.open(tmp_path, read_only=True) as reader, asyncio.timeout(20):
            follower = reader.follow(run="run0")
            for number in range(1500):
                entry = await anext(follower)
                assert int(entry.event.text.split()[0]) == number
            await follower.aclose()
            run, number = said(process)
            assert len(await reader.read(run=run)) > int(number)


async def test_killed_in_the_middle_of_folding_in_its_newest_pages(tmp_path):
    killed(tmp_path / "left", "run", 60)
    shutil.copytree(tmp_path / "left", tmp_path / "copy")
    expected = await numbers(tmp_path / "copy")  # Closing folded them in.
    # The first page, which says how many there are, was the first to be copied; the new ones at the end were not yet.
    before, after = ((tmp_path / name / "journal.db").read_bytes() for name in ("left", "copy"))
    assert len(before) < len(after)
    (tmp_path / "left" / "journal.db").write_bytes(after[:4096] + before[4096:])
    assert await numbers(tmp_path / "left") == expected
    check_whole(tmp_path / "left")


# ---------------------------------------------------------------- who lives


async def test_a_process_lives_until_it_is_killed(tmp_path):
    async with await Journal.open(tmp_path) as journal:
        with writing(tmp_path, "run", 1, ENDLESS) as process:
            _, name = said(process)
            assert journal.alive(name)
            process.kill()
            process.wait()
            assert not journal.alive(name)
        assert journal.alive(journal.process)


async def test_a_process_that_closed_its_journal_no_longer_lives(tmp_path):
    async with await Journal.open(tmp_path) as one:
        async with await Journal.open(tmp_path) as two:
            assert one.alive(two.process)
            assert two.alive(one.process)
            async with await Journal.open(tmp_path, read_only=True) as reader:
                assert reader.alive(one.process)
                assert not reader.alive(reader.process)
        assert not one.alive(two.process)


async def test_the_next_to_open_sweeps_up_after_the_dead_alone(tmp_path):
    with writing(tmp_path, "run", 1, ENDLESS) as process:
        _, dead = said(process)
    with writing(tmp_path, "run", 1, ENDLESS) as process:
        _, living = said(process)
        async with await Journal.open(tmp_path) as journal:
            assert {path.stem for path in (tmp_path / "processes").iterdir()} == {living, journal.process}
            assert journal.alive(living)
            assert not journal.alive(dead)


@pytest.mark.parametrize("name", ["", "../journal", "/etc/passwd", "nobody", "0" * 26])
async def test_who_never_lived_does_not_live(tmp_path, name):
    async with await Journal.open(tmp_path) as journal:
        assert not journal.alive(name)
    async with await Journal.open(None) as journal:
        assert not journal.alive(name)
