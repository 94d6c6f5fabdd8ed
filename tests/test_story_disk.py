"""A disk that is full, that fills in the middle of a run, or that may only be read: what is kept stays readable, and what is not kept is said."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmos.testing import Call
from tests.disks import Disk, disk
from tests.shell import Shell, finish, shell

MARK = "marmalade"
LONG = "".join(f"{MARK} {number} " for number in range(2400))
CONSULT = Call("consult_coding_specialist", {"query": "How?"})


@asynccontextmanager
async def on_a_small_disk(folder: Path, *turns: Any) -> AsyncIterator[tuple[Shell, Disk]]:
    """A shell whose state folder lies on a disk of 2 MB."""
    with disk(folder / "disk") as small:
        async with shell(folder, {"arbiter": turns, "coding": [LONG]}) as at:
            yield replace(at, disk=small), small


def places(at: Shell) -> tuple[str, ...]:
    """What a command needs to find them: entering the disk leads to another working folder."""
    return "-c", str(at.folder / "orchestration.yaml"), "--state", str(at.folder / "disk" / "state")


async def state(at: Shell, *args: str) -> Any:
    return await at.mmos(*args, *places(at))


async def listed(at: Shell) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await state(at, "runs", "list", "--json")).document["runs"]
    return rows


def is_whole(small: Disk, folder: Path) -> bool:
    """Whether SQLite finds nothing wrong with a copy of the journal."""
    shutil.copytree(small.inside / "state", folder)
    database = sqlite3.connect(folder / "journal.db")
    (said,) = database.execute("PRAGMA integrity_check").fetchone()
    database.close()
    return bool(said == "ok")


async def test_on_a_full_disk_runs_are_listed_none_is_begun_and_deleting_makes_room(tmp_path: Path) -> None:
    async with on_a_small_disk(tmp_path, LONG, "Kept.", "Again.") as (at, small):
        for task in ("Tell me all.", "And now?"):
            assert (await state(at, "run", task)).code == 0
        small.fill()
        assert small.free == 0

        first, second = await listed(at)
        assert (await state(at, "threads", "export", second["thread"])).out.endswith("Kept.\n")
        refused = await state(at, "run", "--json", "One more?")
        assert (refused.code, refused.document["reason"]["code"]) == (1, "state_full")
        assert "runs delete" in refused.document["reason"]["next"]
        assert len(at.on.sent("arbiter")) == 2

        assert (await state(at, "runs", "delete", first["run"], "--yes")).code == 0
        assert small.free > len(LONG) // 2
        assert MARK.encode() not in small.bytes_of("state")
        assert [row["run"] for row in await listed(at)] == [second["run"]]
        assert is_whole(small, tmp_path / "copy")

        small.make_room()
        assert (await state(at, "run", "One more?")).out == "Again.\n"
        assert len(await listed(at)) == 2


async def test_a_disk_that_fills_in_the_middle_of_a_run_takes_away_its_record_and_not_its_answer(tmp_path: Path) -> None:
    async with on_a_small_disk(tmp_path, "Early.", CONSULT, "Both say so.", "Later.") as (at, small):
        await state(at, "run", "First.")
        small.fill(leave=84 * 1024)
        ended = await state(at, "run", "--json", "How?")
        assert (ended.code, ended.document["status"]) == (0, "answered")
        assert ended.document["answer"].startswith("Both say so.")
        (warning,) = ended.document["warnings"]
        assert "did not keep" in warning
        assert "no room left" in warning

        assert [row["status"] for row in await listed(at)] == ["answered", "interrupted"]
        small.make_room()
        assert (await state(at, "run", "Again.")).out == "Later.\n"
        assert [row["status"] for row in await listed(at)] == ["answered", "interrupted", "answered"]
        assert is_whole(small, tmp_path / "copy")


WRITE_UNTIL_FULL = """
import asyncio, sys
from pathlib import Path
from mmos.errors import StateFull
from mmos.events import RunStarted, Warned
from mmos.journal import Journal, new_id

async def main():
    journal = await Journal.open(Path(sys.argv[1]))
    try:
        while True:
            run = new_id()
            journal.append(run, "thread", RunStarted("Fill.", ""))
            for number in range(10):
                journal.append(run, "thread", Warned("".join(f"marmalade {run} {number} {each} " for each in range(90))))
            await journal.durable()
    except StateFull:
        await journal.close()

asyncio.run(main())
"""


async def test_runs_can_be_deleted_although_what_was_written_ahead_has_no_room_in_the_journal(tmp_path: Path) -> None:
    async with on_a_small_disk(tmp_path) as (at, small):
        folder = small.folder / "state"
        writer = await asyncio.create_subprocess_exec(*small.enter, sys.executable, "-c", WRITE_UNTIL_FULL, str(folder))
        assert await writer.wait() == 0
        small.fill()
        ahead = small.inside / "state" / "journal.db-wal"
        assert ahead.stat().st_size > 200_000
        *old, last = await listed(at)
        chat = await at.start("chat", *places(at), stdin=asyncio.subprocess.PIPE)
        assert chat.stdin is not None
        assert chat.stdout is not None
        chat.stdin.write(b"/threads\n")
        assert (await chat.stdout.readline()).startswith(b"THREAD")
        refused = await state(at, "runs", "delete", old[0]["run"], "--yes")
        assert refused.code == 1
        assert "Leave every chat" in refused.err
        assert (await finish(chat, b"")).code == 0
        assert (await state(at, "runs", "delete", *(row["run"] for row in old), "--yes")).code == 0
        assert not ahead.exists()
        assert small.free > 1_000_000
        assert await listed(at) == [last]
        assert is_whole(small, tmp_path / "copy")


async def test_a_tool_with_effects_is_not_begun_when_nobody_could_know_of_it_later(tmp_path: Path) -> None:
    async with on_a_small_disk(tmp_path, CONSULT, Call("note"), "never") as (at, small):
        (tmp_path / "story_disk_tools.py").write_text(
            f"def note() -> str:\n    open({str(tmp_path / 'noted')!r}, 'w').close()\n    return 'ok'\n"
        )
        with (tmp_path / "orchestration.yaml").open("a") as file:
            file.write("  tools: ['story_disk_tools:note']\n")
        small.fill(leave=120 * 1024)
        ended = await state(at, "run", "--json", "-c", "orchestration.yaml", "Note it.")
        assert (ended.code, ended.document["reason"]["code"]) == (1, "state_full")
        assert len(at.on.sent("arbiter")) == 2
        assert not (tmp_path / "noted").exists()


async def test_a_chat_outlives_a_full_disk(tmp_path: Path) -> None:
    async with on_a_small_disk(tmp_path, CONSULT, "Lost.", "Kept.") as (at, small):
        small.fill(leave=120 * 1024)
        process = await at.start("chat", *places(at), stdin=asyncio.subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        async with asyncio.timeout(30):
            process.stdin.write(b"One.\n")
            assert await process.stdout.readline() == b"Lost.\n"
            assert b"MMOS did not keep this run" in await process.stderr.readline()
            small.fill()
            process.stdin.write(b"Two.\n")
            assert b"no room left" in await process.stderr.readline()
            assert b"Free some space" in await process.stderr.readline()
        small.make_room()
        ended = await finish(process, b"Three.\n")
        assert (ended.code, ended.out.endswith("Kept.\n"), ended.err) == (1, True, "")  # one turn was refused
        prompt = str(at.on.sent("arbiter")[-1]["messages"])
        assert "One." in prompt
        assert "Two." not in prompt


async def test_on_a_disk_that_may_only_be_read_everything_kept_can_be_looked_at(tmp_path: Path) -> None:
    async with on_a_small_disk(tmp_path, "Kept.", "never") as (at, small):
        await state(at, "run", "Tell me.", "--thread", "notes")
        small.make_read_only()
        before = small.bytes_of("state")
        (row,) = await listed(at)
        assert (await state(at, "runs", "show", row["run"])).out.endswith("Kept.\n")
        assert "notes" in (await state(at, "threads", "list")).out
        for command in (("run", "More."), ("runs", "delete", row["run"], "--yes"), ("chat",)):
            refused = await state(at, *command, "--json")
            assert (refused.code, refused.document["reason"]["code"]) == (1, "state_read_only")
            assert "mounted read-only" in refused.document["reason"]["message"]
            assert "--state" in refused.document["reason"]["next"]
        assert len(at.on.sent("arbiter")) == 1
        assert small.bytes_of("state") == before


async def test_a_state_folder_that_is_a_file_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["never"]}) as at:
        (tmp_path / "file").write_text("mine")
        ended = await at.mmos("runs", "list", "--state", "file")
        assert ended.code == 1
        assert "is a file" in ended.err
        assert (tmp_path / "file").read_text() == "mine"
