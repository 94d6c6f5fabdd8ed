"""Tests a state folder that came with a stranger's files: nothing in it runs, leads elsewhere, or ends in a traceback."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mmos.cli.main import main
from mmos.errors import StateDamaged
from mmos.events import LaneClosed, LaneOpened, RunFinished, RunStarted, ThreadNamed
from mmos.journal import Journal, new_id
from mmos.messages import Message

RUN, THREAD = new_id(), new_id()


async def filled(folder: Path) -> Path:
    """A state folder with one run in it; its file."""
    facts = [
        ThreadNamed("notes"), RunStarted("Say hi.", new_id()), LaneOpened(RUN, "arbiter", Message("user", "Say hi.")),
        LaneClosed(RUN, "arbiter", "answered", "Hi."), RunFinished("answered", "Hi."),
    ]  # fmt: skip
    async with await Journal.open(folder) as journal:
        for fact in facts:
            journal.append(RUN, THREAD, fact)
    return folder / "journal.db"


def altered(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def mmos(capsys: pytest.CaptureFixture[str], folder: Path, *args: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main([*args, "--state", str(folder)])
    return int(ended.value.code or 0), capsys.readouterr().err


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i"
COLUMNS = "1 AS seq, 'r' AS run, 't' AS thread, 1.0 AS time, 'k' AS kind, 1 AS version, x'7b7d' AS data"


@pytest.mark.parametrize(
    "statements",
    [
        ("ALTER TABLE entries RENAME TO others", f"CREATE VIEW entries AS {ENDLESS}, {COLUMNS} FROM n"),
        ("CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END",),
        ("CREATE TRIGGER t AFTER DELETE ON entries BEGIN UPDATE entries SET data = x'00'; END",),
        ("CREATE TABLE more (a)",),
        ("CREATE VIEW more AS SELECT 1",),
        ("CREATE INDEX more ON entries(time)",),
        ("CREATE TABLE more (a, b AS (a || a))",),
        ("ALTER TABLE entries ADD COLUMN more AS (hex(data))",),
        ("DROP INDEX entries_listing",),
    ],
)
@pytest.mark.parametrize("read_only", [True, False])
async def test_what_mmos_did_not_make_is_not_obeyed(tmp_path: Path, statements: tuple[str, ...], read_only: bool) -> None:
    altered(await filled(tmp_path), *statements)
    before = (tmp_path / "journal.db").read_bytes()
    async with asyncio.timeout(20):
        with pytest.raises(StateDamaged, match=r"not a journal that mmos made|a table or an index is missing"):
            await Journal.open(tmp_path, read_only=read_only)
    assert (tmp_path / "journal.db").read_bytes() == before
