"""A journal after deletions: no word of a deleted conversation is in any file, and compacting closes the gaps."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mmos.events import RunFinished, RunStarted, ThreadNamed, Warned
from mmos.journal import Journal, new_id
from mmos.testing import Call, consult
from tests.shell import command, shell
from tests.terminal import CTRL_D, terminal

MARK = "marmalade"
ASK = Call("escalate_to_user", {"question": f"Which {MARK}?", "options": [f"red {MARK}", "none"]})


def words_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def count(folder: Path, table: str) -> int:
    with closing(sqlite3.connect(folder / "journal.db")) as database:
        return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


async def test_a_deleted_conversation_leaves_no_word_in_any_file(tmp_path: Path) -> None:
    state = tmp_path / ".mmos"
    long = f"{MARK} " * 3000  # it is kept as an artifact
    roles = {"arbiter": [consult("coding", f"Cook {MARK}!"), ASK, f"{MARK} it is.", "Kept.", f"In chat: {MARK}."], "coding": [long]}
    async with shell(tmp_path, roles) as at:
        (tmp_path / f"{MARK}.txt").write_text(f"How to cook {MARK}. " * 100)
        waiting = await at.mmos("run", f"Cook {MARK}.", "-f", f"{MARK}.txt", "--thread", MARK, "--on-question", "wait", "--system", MARK)
        await at.mmos("runs", "answer", waiting.out.strip(), f"red {MARK}")
        await at.mmos("runs", "rate", waiting.out.strip(), "good", "--note", f"{MARK}!")
        await at.mmos("run", "Another task.", "--thread", "other")
        async with terminal(tmp_path, "chat", "--thread", MARK, columns=100) as typing:
            await typing.shows("/help")
            typing.say(f"More {MARK}?")
            await typing.shows("In chat")
            typing.press(CTRL_D)
            assert await typing.ended() == 0
        assert words_in(state).count(MARK.encode()) > 10
        assert (await at.mmos("threads", "delete", MARK, "--yes")).code == 0
        assert MARK.encode() not in words_in(state)
        assert count(state, "names") == 3  # the other conversation, its run, and the run of its name, which is empty
        left = (await at.mmos("runs", "export", "--all")).out
        assert MARK not in left
        assert (await at.mmos("threads", "delete", "--all", "--yes")).code == 0
        assert [count(state, table) for table in ("names", "texts", "entries")] == [0, 0, 0]


async def filled(folder: Path, runs: int) -> list[str]:
    """Runs that were at work at once, each in a thread of its own."""
    names = [new_id() for _ in range(runs)]
    async with await Journal.open(folder) as journal:
        for name in names:
            journal.append("", f"T{name[1:]}", ThreadNamed(f"name {name}"))
            journal.append(name, f"T{name[1:]}", RunStarted(f"Task of {name}", journal.process))
        for number in range(20):
            for name in names:
                journal.append(name, f"T{name[1:]}", Warned(f"{number} of {name}: {'words ' * (number * 7 + len(name))}"))
        for name in names:
            journal.append(name, f"T{name[1:]}", RunFinished("answered", "So."))
    return names


async def test_compacting_closes_the_gaps_and_changes_no_run(tmp_path: Path) -> None:
    state = tmp_path / ".mmos"
    names = await filled(state, 200)
    await command(tmp_path, "runs", "delete", *names[::2], "--yes", "--state", ".mmos")
    async with await Journal.open(state) as other:  # a process that remembers what was in the file
        other.append(names[1], f"T{names[1][1:]}", Warned("before"))
        await other.durable()
        before = (await command(tmp_path, "runs", "export", "--all", "--state", ".mmos")).out
        done = await command(tmp_path, "runs", "compact", "--state", ".mmos", "--json")
        assert done.code == 0
        assert done.document["bytes_after"] < 0.85 * done.document["bytes_before"]
        assert (await command(tmp_path, "runs", "export", "--all", "--state", ".mmos")).out == before
        assert "run_rated" not in {entry.event.kind for entry in await other.read()}
        other.append(names[1], f"T{names[1][1:]}", Warned("after"))
        await other.durable()
    async with await Journal.open(state, read_only=True) as journal:
        assert [entry.event for entry in await journal.read(run=names[1])][-2:] == [Warned("before"), Warned("after")]
    assert (state / "journal.db").stat().st_size <= done.document["bytes_after"] + 40_000
    said = await command(tmp_path, "runs", "compact", "--state", ".mmos")
    assert said.err.startswith("The journal had ")


async def test_kinds_that_nothing_has_go_and_other_processes_learn_it(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as first, await Journal.open(tmp_path) as second:
        first.append("run", "thread", Warned("a"))
        await first.durable()
        await second.delete(run="run")
        await second.compact()
        assert count(tmp_path, "kinds") == 0
        first.append("run", "thread", Warned("b"))
        await first.durable()
        assert [entry.event for entry in await second.read()] == [Warned("b")]


async def test_it_waits_for_no_run_and_breaks_none(tmp_path: Path) -> None:
    run = new_id()
    nothing = await command(tmp_path, "runs", "compact", "--state", ".mmos")
    assert (nothing.code, nothing.err) == (0, "There is no journal yet.\n")
    assert not (tmp_path / ".mmos").exists()
    async with await Journal.open(tmp_path / ".mmos") as journal:
        journal.append(run, new_id(), RunStarted("Go.", journal.process))
        await journal.durable()
        refused = await command(tmp_path, "runs", "compact", "--state", ".mmos")
        assert (refused.code, f"Still at work: {run}." in refused.err) == (2, True)
    many = await asyncio.gather(*(command(tmp_path, "runs", "compact", "--state", ".mmos") for _ in range(3)))
    assert {ended.code for ended in many} == {0}
    assert len((await command(tmp_path, "runs", "list", "--state", ".mmos", "--json")).document["runs"]) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_journal_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    await filled(tmp_path / ".mmos", 1)
    (tmp_path / ".mmos" / "journal.db").chmod(0o400)
    assert (await command(tmp_path, "runs", "compact", "--state", ".mmos")).code == 1
