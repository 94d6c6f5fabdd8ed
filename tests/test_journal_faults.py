"""A journal that cannot be opened or written says why and what to do, and nothing that was there is lost or changed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import mmos
from mmos.errors import StateBusy, StateDamaged, StateError, StateFull, StateTooNew
from mmos.events import Unknown, Warned
from mmos.journal import Journal, Tuning
from mmos.journal.schema import APPLICATION, LISTING, MIGRATIONS, NEWEST, ONLY_LISTING

READING = pytest.mark.parametrize("read_only", [False, True], ids=["to write", "to read"])


async def filled(folder: Path, entries: int = 10) -> Path:
    async with await Journal.open(folder) as journal:
        for number in range(entries):
            journal.append("run", "thread", Warned(f"{number} {'x' * 300}"))
    return folder / "journal.db"


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def refused(folder: Path, fault: type[StateError], *, read_only: bool) -> StateError:
    with pytest.raises(fault) as raised:
        await Journal.open(folder, read_only=read_only)
    assert type(raised.value) is fault
    assert str(folder) in raised.value.message
    assert raised.value.next_step
    return raised.value


def foreign(folder: Path) -> None:
    database = sqlite3.connect(folder / "journal.db")
    database.executescript("CREATE TABLE recipes(name); INSERT INTO recipes VALUES ('marmalade')")
    database.close()


def newer(folder: Path) -> None:
    database = sqlite3.connect(folder / "journal.db")
    database.executescript(f"CREATE TABLE entries(x); PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {NEWEST + 1}")
    database.close()


# ---------------------------------------------------------------- the file


@READING
@pytest.mark.parametrize("content", [b"x", b"garbage " * 1000, b"SQLite format 3\0", bytes(8192)], ids=["tiny", "text", "cut", "zeros"])
async def test_a_file_that_is_no_database(tmp_path, content, read_only):
    (tmp_path / "journal.db").write_bytes(content)
    before = snapshot(tmp_path)
    await refused(tmp_path, StateDamaged, read_only=read_only)
    assert snapshot(tmp_path) == before


@READING
async def test_the_database_of_another_application(tmp_path, read_only):
    foreign(tmp_path)
    before = snapshot(tmp_path)
    fault = await refused(tmp_path, StateDamaged, read_only=read_only)
    assert "another application" in fault.message
    assert snapshot(tmp_path) == before


@READING
async def test_the_journal_of_a_newer_version(tmp_path, read_only):
    newer(tmp_path)
    before = snapshot(tmp_path)
    fault = await refused(tmp_path, StateTooNew, read_only=read_only)
    assert "Update mmos" in fault.next_step
    assert snapshot(tmp_path) == before


@READING
async def test_a_file_that_was_cut_off(tmp_path, read_only):
    path = await filled(tmp_path, 200)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    await refused(tmp_path, StateDamaged, read_only=read_only)
    assert path.read_bytes() == whole[: len(whole) // 2]


@READING
async def test_a_page_in_the_middle_that_was_overwritten(tmp_path, read_only):
    path = await filled(tmp_path, 500)
    whole = path.read_bytes()
    middle = len(whole) // 4096 // 2 * 4096
    damaged = whole[:middle] + b"\xff" * 4096 * 3 + whole[middle + 4096 * 3 :]  # at least one of them has entries
    path.write_bytes(damaged)
    with pytest.raises(StateDamaged, match=r"journal\.db: damaged"):
        async with await Journal.open(tmp_path, read_only=read_only) as journal:
            await journal.read()
    assert path.read_bytes() == damaged


@READING
async def test_a_journal_without_its_table(tmp_path, read_only):
    path = await filled(tmp_path)
    database = sqlite3.connect(path)
    database.executescript("ALTER TABLE entries RENAME TO others; PRAGMA journal_mode = DELETE")
    database.close()
    with pytest.raises(StateDamaged, match="not a journal that mmos made"):
        await Journal.open(tmp_path, read_only=read_only)


async def test_an_empty_file_is_a_journal_that_nobody_has_begun(tmp_path):
    (tmp_path / "journal.db").touch()
    async with await Journal.open(tmp_path, read_only=True) as journal:
        assert await journal.read() == []
    assert (tmp_path / "journal.db").stat().st_size == 0
    await filled(tmp_path, 3)
    async with await Journal.open(tmp_path, read_only=True) as journal:
        assert len(await journal.read()) == 3


async def test_one_who_opens_while_another_hangs_in_opening_is_told(tmp_path):
    await filled(tmp_path)
    program = (
        "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "journal.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(StateBusy, match="locked"):
            await Journal.open(tmp_path, tuning=Tuning(patience=0.05))
        process.kill()
    async with await Journal.open(tmp_path) as journal:
        assert len(await journal.read()) == 10


async def test_the_index_of_lists_has_the_kinds_that_are_looked_for(tmp_path):
    assert any(statement.endswith(f"WHERE {ONLY_LISTING}") for step in MIGRATIONS for statement in step)
    async with await Journal.open(tmp_path) as journal:
        for kind in (*LISTING, "warned", "moon_risen"):
            journal.append("run", "thread", Unknown(kind, {}))
    database = sqlite3.connect(tmp_path / "journal.db")
    found = database.execute(f"SELECT name FROM entries JOIN kinds ON kinds.id = kind WHERE {ONLY_LISTING} ORDER BY seq").fetchall()
    database.close()
    assert found == [(kind,) for kind in LISTING]


# ---------------------------------------------------------------- the folder


@READING
async def test_a_state_path_that_is_a_file(tmp_path, read_only):
    folder = tmp_path / "state"
    folder.write_text("precious")
    fault = await refused(folder, StateError, read_only=read_only)
    assert "is a file" in fault.message
    assert folder.read_text() == "precious"


async def test_a_state_path_below_a_file(tmp_path):
    (tmp_path / "state").write_text("precious")
    await refused(tmp_path / "state" / "deeper", StateError, read_only=False)


AS_ANOTHER_USER = """
import asyncio, os, sys
from pathlib import Path
from mmos.errors import StateError
from mmos.journal import Journal
import mmos.journal.process, encodings.idna
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)

async def main(folder, way):
    try:
        async with await Journal.open(Path(folder), read_only=way == "read") as journal:
            print(len(await journal.read()))
    except StateError as fault:
        print(type(fault).__name__, fault)

asyncio.run(main(*sys.argv[1:]))
"""


def opened(folder: Path, way: str) -> str:
    """What one who is not root meets there; root may write anywhere, and these tests are often run by root."""
    environment = {**os.environ, "PYTHONPATH": str(Path(mmos.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", AS_ANOTHER_USER, str(folder), way],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def anywhere() -> Iterator[Path]:
    """A folder that any user reaches; pytest's own are shut to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for path in Path(name).rglob("*"):
            if path.is_dir():
                path.chmod(0o700)


def give(folder: Path, *, folders: int, files: int) -> None:
    """Lets the other user own it all, with these rights and no more."""
    for path in [folder, *folder.rglob("*")]:
        if os.getuid() == 0:
            os.chown(path, 65534, 65534)
    for path in [*folder.rglob("*"), folder]:
        path.chmod(folders if path.is_dir() else files)


def kill_while_writing(folder: Path) -> None:
    program = Path(__file__).with_name("journal_writer.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(mmos.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, str(program), str(folder), "run", "1", "30"], stdout=subprocess.PIPE, env=environment
    ) as process:
        for _ in range(3):
            process.stdout.readline()
        process.kill()


async def test_a_folder_that_may_only_be_read(anywhere):
    await filled(anywhere / "state")
    give(anywhere / "state", folders=0o500, files=0o400)
    before = snapshot(anywhere)
    assert opened(anywhere / "state", "read") == "10"
    said = opened(anywhere / "state", "write")
    assert said.startswith(f"StateReadOnly {anywhere / 'state'}")
    assert "--state" in said
    assert snapshot(anywhere) == before


async def test_a_file_that_may_only_be_read(anywhere):
    await filled(anywhere / "state")
    give(anywhere / "state", folders=0o700, files=0o400)
    said = opened(anywhere / "state", "write")
    assert said.startswith(f"StateReadOnly {anywhere / 'state' / 'journal.db'}")
    assert opened(anywhere / "state", "read") == "10"


async def test_a_folder_in_which_nothing_may_be_made(anywhere):
    (anywhere / "state").mkdir()
    give(anywhere / "state", folders=0o500, files=0o400)
    assert opened(anywhere / "state", "write").startswith("StateReadOnly")
    assert opened(anywhere / "state" / "deeper", "write").startswith("StateReadOnly")
    assert opened(anywhere / "state", "read") == "0"
    assert snapshot(anywhere) == {}


async def test_a_folder_that_may_not_even_be_looked_into(anywhere):
    await filled(anywhere / "state")
    give(anywhere / "state", folders=0o000, files=0o400)
    for way in ("read", "write"):
        assert opened(anywhere / "state", way).startswith(f"StateReadOnly {anywhere / 'state'}")


async def test_a_folder_that_may_only_be_read_and_was_left_by_a_killed_writer(anywhere):
    kill_while_writing(anywhere / "state")
    shutil.copytree(anywhere / "state", anywhere / "copy")
    async with await Journal.open(anywhere / "copy") as journal:
        expected = len(await journal.read())
    assert (anywhere / "state" / "journal.db-wal").stat().st_size
    give(anywhere / "state", folders=0o500, files=0o400)
    before = snapshot(anywhere)
    assert opened(anywhere / "state", "read") == str(expected)
    assert opened(anywhere / "state", "write").startswith("StateReadOnly")
    assert snapshot(anywhere) == before


async def test_newest_entries_that_cannot_be_read_are_not_left_out_in_silence(anywhere):
    kill_while_writing(anywhere / "state")
    (anywhere / "state" / "journal.db-shm").unlink()
    give(anywhere / "state", folders=0o500, files=0o400)
    said = opened(anywhere / "state", "read")
    assert said.startswith(f"StateReadOnly {anywhere / 'state' / 'journal.db-wal'}: this file has the newest entries")
    assert "Copy the folder" in said


# ---------------------------------------------------------------- the disk


async def test_a_full_disk(tmp_path):
    journal = await Journal.open(tmp_path, tuning=Tuning(max_pages=40))
    told = 0

    async def fill() -> None:
        nonlocal told
        while True:
            for _ in range(10):
                journal.append("run", "thread", Warned("x" * 1000))
            await journal.durable()
            told += 10

    with pytest.raises(StateFull, match=r"no room left.*intact.*Free some space"):
        await fill()
    assert told > 20
    for _ in range(2):
        journal.append("run", "thread", Warned("more"))
        with pytest.raises(StateFull):
            await journal.durable()
    assert len(await journal.read()) == told
    await journal.close()
    async with await Journal.open(tmp_path) as journal:
        assert len(await journal.read()) == told
        journal.append("run", "thread", Warned("goes on"))
        await journal.durable()


async def test_a_disk_that_gets_full_in_a_decision(tmp_path):
    async with await Journal.open(tmp_path, tuning=Tuning(max_pages=40)) as journal:
        with pytest.raises(StateFull):
            await journal.decide((), lambda _: [("run", "thread", Warned("x" * 1_000_000))])
        journal.append("run", "thread", Warned("small"))
        assert len(await journal.read()) == 1
