"""Tests how long a command waits for a journal that another process keeps locked."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from mmos.cli.main import main
from mmos.errors import MmosError, StateBusy
from mmos.events import ThreadNamed
from mmos.journal import Journal, Tuning, new_id

RUN, THREAD = new_id(), new_id()


async def filled(folder: Path) -> Path:
    """A state folder with a journal in it; its file."""
    async with await Journal.open(folder) as journal:
        journal.append("", THREAD, ThreadNamed("notes"))
    return folder / "journal.db"


def mmos(capsys: pytest.CaptureFixture[str], folder: Path, *args: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main([*args, "--state", str(folder)])
    return int(ended.value.code or 0), capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "lock"),
    [(("run", "hi"), "BEGIN EXCLUSIVE"), (("run", "hi"), "BEGIN IMMEDIATE"), (("runs", "resume", RUN), "BEGIN EXCLUSIVE")],
)
def test_a_run_waits_for_a_locked_journal_no_longer_than_its_timeout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], lock: str
) -> None:
    path = asyncio.run(filled(tmp_path / ".mmos"))
    (tmp_path / "o.yaml").write_text("orchestration: {arbiter: {model: m, server: far}, servers: {far: {url: 'http://127.0.0.1:9'}}}\n")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute(lock)
        begun = time.monotonic()
        code, err = mmos(capsys, tmp_path / ".mmos", *command, "-c", str(tmp_path / "o.yaml"), "--timeout", "0.5")
        assert (code, "another process keeps it locked" in err) == (1, True), err
        assert time.monotonic() - begun < 10  # and not 30


def test_the_limit_of_the_configuration_shortens_the_wait_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = asyncio.run(filled(tmp_path / ".mmos"))
    limited = "limits: {seconds: 0.5}, arbiter: {model: m, server: far}, servers: {far: {url: 'http://127.0.0.1:9'}}"
    (tmp_path / "o.yaml").write_text(f"orchestration: {{{limited}}}\n")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        code, err = mmos(capsys, tmp_path / ".mmos", "run", "hi", "-c", str(tmp_path / "o.yaml"))
        assert (code, "another process keeps it locked" in err) == (1, True), err
        assert time.monotonic() - begun < 10


async def test_an_open_journal_waits_as_long_as_its_patience(tmp_path: Path) -> None:
    path = await filled(tmp_path)
    async with await Journal.open(tmp_path, tuning=Tuning(patience=0.1)) as journal:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            journal.append(RUN, THREAD, ThreadNamed("late"))
            with pytest.raises(MmosError) as caught:
                await journal.durable()
    assert isinstance(caught.value, StateBusy)
