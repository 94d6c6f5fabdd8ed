"""Deleting runs and conversations: several, old or all of them, after a question, with every word gone from the state folder."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mmos.cli.history import FILE, HistoryEntry, add
from mmos.events import RunFinished, RunStarted, ThreadNamed, Warned
from mmos.journal import Journal, new_id
from tests.shell import Shell, shell
from tests.terminal import CTRL_D, terminal

MARK = "marmalade"
DAY = 86_400.0


@asynccontextmanager
async def kept(folder: Path) -> AsyncIterator[tuple[Shell, list[str]]]:
    """A journal with three runs, ended 40 and 10 days ago and just now, and a fourth that is at work for as long as this goes on."""
    past = time.time() - 40 * DAY
    runs = [new_id() for _ in range(4)]
    async with shell(folder, {"arbiter": []}) as at, await Journal.open(folder / ".mmos", clock=lambda: past) as journal:
        for run, days, task in zip(runs, (40, 10, 0, 0), (f"Old {MARK}", "Later", "New", "At work"), strict=True):
            past = time.time() - days * DAY
            journal.append("", f"thread{runs.index(run)}", ThreadNamed(task.split()[0].lower()))
            journal.append(run, f"thread{runs.index(run)}", RunStarted(task, journal.process))
            for number in range(50):  # the journal stores equal texts once
                text = f"{MARK if days == 40 else 'words'} " * 300
                journal.append(run, f"thread{runs.index(run)}", Warned(f"<{number}> {text}"))
            if run != runs[3]:
                journal.append(run, f"thread{runs.index(run)}", RunFinished("answered", "So."))
        await journal.durable()
        yield at, runs


def words_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in (folder / ".mmos").rglob("*") if path.is_file())


async def listed(at: Shell) -> list[str]:
    return [row["run"] for row in (await at.mmos("runs", "list", "--json")).document["runs"]]


async def test_old_runs_are_shown_first_and_deleted_with_every_word(tmp_path: Path) -> None:
    async with kept(tmp_path) as (at, runs):
        old, later, new, busy = runs
        tried = await at.mmos("runs", "delete", "--older-than", "2w", "--dry-run")
        assert tried.code == 0
        assert [line.split()[0] for line in tried.out.splitlines()] == ["RUN", old]
        assert await listed(at) == runs
        assert (await at.mmos("runs", "delete", "--older-than", "30d")).code == 2  # nobody is there to say yes
        assert MARK.encode() in words_in(tmp_path)

        deleted = (await at.mmos("runs", "delete", "--older-than", "2w", "--yes", "--json")).document
        assert (deleted["deleted"], deleted["skipped"], deleted["entries"]) == ([old], [], 52)
        assert deleted["freed_bytes"] > 50 * 300 * len(MARK)
        assert MARK.encode() not in words_in(tmp_path)
        assert await listed(at) == [later, new, busy]
        again = await at.mmos("runs", "delete", "--older-than", "2w", "--yes")
        assert (again.code, again.err) == (0, "There is no run to delete.\n")


async def test_several_or_all_are_deleted_and_what_is_at_work_never_is(tmp_path: Path) -> None:
    async with kept(tmp_path) as (at, runs):
        old, later, new, busy = runs
        refused = await at.mmos("runs", "delete", old, busy, "--yes")
        assert refused.code == 2
        assert f"Still at work: {busy}" in refused.err
        assert await listed(at) == runs
        two = await at.mmos("runs", "delete", old, later, "--yes")
        assert two.err.startswith("Deleted 2 runs (104 entries), freed ")
        all_threads = await at.mmos("threads", "delete", "--all", "--yes")
        assert all_threads.code == 0
        assert "Skipped, because it is still at work: thread3\n" in all_threads.err
        assert "Deleted 3 threads" in all_threads.err
        assert await listed(at) == [busy]
        assert new not in words_in(tmp_path).decode("latin-1")


async def test_at_a_terminal_one_is_asked_with_a_list_of_what_would_go(tmp_path: Path) -> None:
    async with kept(tmp_path) as (at, runs):
        async with terminal(tmp_path, "runs", "delete", "--all", columns=120) as shown:
            await shown.shows("[y/N]")
            assert "Delete 3 runs for good" in shown.text
            assert f"Old {MARK}" in shown.text
            shown.say("n")
            assert await shown.ended() != 0
        assert await listed(at) == runs


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "Name what to delete, or give --older-than AGE or --all."),
        (["9F3K", "--all"], "Name what to delete, or give"),
        (["--older-than", "30"], "'30' is not a duration. Write numbers with units, like 30d"),
        (["--older-than", "-3d"], "not a duration"),
        (["nothing"], "There is no thread 'nothing'"),
    ],
)
async def test_which_is_meant_must_be_said(tmp_path: Path, args: list[str], said: str) -> None:
    async with shell(tmp_path, {"arbiter": []}) as at:
        refused = await at.mmos("threads", "delete", "--yes", *args)
        assert refused.code == 2
        assert said in refused.err


async def test_a_conversation_goes_with_what_was_typed_in_it_and_no_other_does(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One.", "Two.", "Three."]}) as at:
        async with terminal(tmp_path, "chat") as typing:
            await typing.shows("/help")
            typing.say(f"/tools {MARK}")
            typing.say(f"First {MARK}?")
            await typing.shows("One.")
            typing.say("/thread other")
            await typing.shows("A new conversation named other")
            typing.say("Second?")
            await typing.shows("Two.")
            typing.press(CTRL_D)
            assert await typing.ended() == 0
        add(tmp_path / ".mmos", HistoryEntry(f"First {MARK}?"))  # as an older version has kept it
        (tmp_path / ".mmos" / "copied.md").write_text(MARK)  # what /copy leaves where there is no clipboard
        threads = (await at.mmos("threads", "list", "--json")).document["threads"]
        assert [row["name"] for row in threads] == ["", "other"]
        deleted = await at.mmos("threads", "delete", threads[0]["thread"], "--yes")
        assert "4 lines of the chat's input history were deleted, too." in deleted.err
        assert MARK.encode() not in words_in(tmp_path)

        await at.mmos("run", "--thread", "other", "Third?")
        add(tmp_path / ".mmos", HistoryEntry("Third?", "other"))
        _, third = await listed(at)
        assert "1 line of" in (await at.mmos("runs", "delete", third, "--yes")).err
        assert b"Second?" in (tmp_path / ".mmos" / FILE).read_bytes()
        assert b"Third?" not in words_in(tmp_path)


async def test_a_history_that_cannot_be_changed_keeps_the_runs_so_that_it_can_be_said_again(tmp_path: Path) -> None:
    async with kept(tmp_path) as (at, runs):
        (tmp_path / ".mmos" / FILE).mkdir()
        refused: Any = await at.mmos("runs", "delete", runs[0], "--yes", "--json")
        assert refused.code == 1
        assert FILE in refused.document["reason"]["message"]
        assert await listed(at) == runs


async def test_an_empty_name_is_no_conversation(tmp_path: Path) -> None:
    """A script whose variable is not set must not delete the newest one."""
    async with shell(tmp_path, {"arbiter": ["Yes."]}, state=tmp_path / "unused") as home:
        assert (await home.mmos("run", "Do it.")).code == 0
        for command in (
            ["threads", "delete", "", "--yes"],
            ["threads", "show", ""],
            ["runs", "export", "--thread", ""],
            ["runs", "list", "--thread", ""],
            ["runs", "search", "x", "--thread", ""],
        ):
            ended = await home.mmos(*command)
            assert (ended.code, "is empty" in ended.err) == (2, True), command
        assert len((await home.mmos("threads", "list", "--json")).document["threads"]) == 1
