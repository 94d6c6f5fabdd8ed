"""Folding in by hand what is written ahead comes to what SQLite makes of it, and a journal without room for more is still deleted from."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from mmos.events import Warned
from mmos.journal import Journal
from mmos.journal.connect import DEFAULTS
from mmos.journal.full_disk import Cramped, committed, fold_in
from mmos.journal.rows import Rows
from mmos.journal.store import Query


def written_ahead(folder: Path, commits: int) -> Path:
    """A file and what is written ahead of it, as a killed process leaves them."""
    folder.mkdir()
    database = sqlite3.connect(folder / "live.db", isolation_level=None)
    database.executescript(
        "PRAGMA page_size = 1024; CREATE TABLE t(n INTEGER PRIMARY KEY, x); PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0"
    )
    database.execute("INSERT INTO t(x) VALUES ('a'), ('b')")
    database.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    for number in range(commits):
        database.execute("INSERT INTO t(x) VALUES (?)", [str(number) * 3000])
        database.execute("UPDATE t SET x = x || '!' WHERE n = 1")
    if commits:
        database.execute("DELETE FROM t WHERE n = 2")
    for ending in ("", "-wal"):
        shutil.copyfile(folder / f"live.db{ending}", folder / f"left.db{ending}")
    database.close()
    return folder / "left.db"


def rows(path: Path) -> list[tuple[int, str]]:
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    found = database.execute("SELECT n, x FROM t ORDER BY n").fetchall()
    database.close()
    return found


@pytest.mark.parametrize("commits", [0, 1, 7, 60])
def test_what_is_folded_in_by_hand_is_what_sqlite_reads(tmp_path: Path, commits: int) -> None:
    left = written_ahead(tmp_path / "files", commits)
    shutil.copytree(left.parent, tmp_path / "theirs")
    fold_in(left)
    assert not committed(left.with_name("left.db-wal").read_bytes())[1]
    assert rows(left) == rows(tmp_path / "theirs" / "left.db")
    assert len(rows(left)) == commits + (1 if commits else 2)


@pytest.mark.parametrize("cut", [1, 500, 1048, 5000])
def test_a_commit_that_was_cut_off_or_garbled_does_not_count(tmp_path: Path, cut: int) -> None:
    left = written_ahead(tmp_path / "files", 7)
    ahead = left.with_name("left.db-wal")
    whole = ahead.read_bytes()
    ahead.write_bytes(whole[:-cut] + b"\xaa" * (cut // 2))
    shutil.copytree(left.parent, tmp_path / "theirs")
    fold_in(left)
    assert rows(left) == rows(tmp_path / "theirs" / "left.db")


def test_nothing_ahead_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"as it was")
    (tmp_path / "a.db-wal").write_bytes(b"")
    fold_in(tmp_path / "a.db")
    assert (tmp_path / "a.db").read_bytes() == b"as it was"


async def test_without_room_the_newest_go_first_and_every_page_comes_back(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal:
        for number in range(300):
            journal.append("run" if number // 30 % 2 else "other", "thread", Warned(f"marmalade {number} {'x' * 1000}"))
    before = (tmp_path / "journal.db").stat().st_size
    cramped = Cramped(tmp_path / "journal.db", DEFAULTS)
    assert cramped.delete(Rows(DEFAULTS.remembered), *Query("run").where()) == 150
    assert cramped.database.execute("SELECT count(*) FROM entries").fetchone() == (150,)
    cramped.close()
    assert (tmp_path / "journal.db").stat().st_size < before * 0.6
    assert {path.name for path in tmp_path.glob("journal.db*")} == {"journal.db"}
    async with await Journal.open(tmp_path) as journal:
        assert {entry.run for entry in await journal.read()} == {"other"}
