"""Tests a state folder of a stranger with links and pipes: mmos reads and writes nothing outside."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mmos.cli.chat.input import InputHistory
from mmos.cli.history import FILE, forget
from mmos.cli.main import main
from mmos.errors import StateError
from mmos.fitness.card import Card
from mmos.fitness.shelf import Shelf
from mmos.journal import Journal, new_id
from tests.strangers import filled, mmos

LINKED = [
    "journal.db",
    "journal.db-wal",
    "journal.db-shm",
    "journal.db-journal",
    "cache.db",
    "journal.lock",
    "processes",
    "fitness",
    "chat_history.jsonl",
    "copied.md",
]


@pytest.mark.parametrize("name", LINKED)
@pytest.mark.parametrize("make", [Path.symlink_to, lambda path, _: os.mkfifo(path)], ids=["link", "pipe"])
@pytest.mark.parametrize("read_only", [True, False])
async def test_a_name_that_leads_elsewhere_is_not_used(
    tmp_path: Path, name: str, make: Callable[[Path, Path], None], read_only: bool
) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    await filled(mine)
    for folder in ("processes", "fitness"):
        (mine / folder).mkdir(exist_ok=True)
    before = sorted(path.name for path in mine.rglob("*"))
    theirs.mkdir()
    make(theirs / name, mine / name)
    async with asyncio.timeout(20):
        with pytest.raises(StateError, match=f"{name}: this is (a symbolic link|not a file). MMOS does not use it"):
            await Journal.open(theirs, read_only=read_only)
    assert sorted(path.name for path in mine.rglob("*")) == before


async def test_a_folder_that_the_user_named_may_be_a_link(tmp_path: Path) -> None:
    await filled(tmp_path / "mine")
    (tmp_path / "link").symlink_to("mine")
    async with await Journal.open(tmp_path / "link") as journal:
        assert len(await journal.read()) == 5


def test_a_state_folder_that_leads_elsewhere_is_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the user's other conversations would go to the hosts of this file."""
    asyncio.run(filled(tmp_path / "mine"))
    (tmp_path / "cloned").mkdir()
    (tmp_path / "cloned" / ".mmos").symlink_to(tmp_path / "mine")
    (tmp_path / "cloned" / "orchestration.yaml").write_text("orchestration: {arbiter: {model: m}}\n")
    monkeypatch.chdir(tmp_path / "cloned")
    for command in (["runs", "list"], ["threads", "show", "notes"], ["run", "hi", "--thread", "notes"]):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 1
        assert (
            ".mmos: this is a symbolic link. MMOS does not use it unless you name it.\nIf it is yours, name it: --state "
            in capsys.readouterr().err
        )
    assert mmos(capsys, tmp_path / "cloned" / ".mmos", "threads", "show", "notes")[0] == 0


async def test_a_lock_of_a_process_that_leads_elsewhere_is_nobodys(tmp_path: Path) -> None:
    await filled(tmp_path)
    one, other = new_id(), new_id()
    os.mkfifo(tmp_path / "processes" / f"{one}.lock")
    (tmp_path / "processes" / f"{other}.lock").symlink_to(tmp_path / "journal.db")
    async with asyncio.timeout(20), await Journal.open(tmp_path) as journal:
        assert not journal.alive(one)
        assert not journal.alive(other)
    assert (tmp_path / "journal.db").is_file()


@pytest.mark.parametrize("make", [Path.symlink_to, lambda path, _: os.mkfifo(path)], ids=["link", "pipe"])
def test_an_input_history_that_leads_elsewhere_is_not_used(tmp_path: Path, make: Callable[[Path, Path], None]) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text('{"text": "my secret", "thread": ""}\n')
    make(tmp_path / FILE, mine)
    history = InputHistory(lambda: tmp_path, str)
    assert list(history.load_history_strings()) == []
    history.store_string("hi")
    with suppress(OSError):
        forget(tmp_path, lambda _: True)
    assert mine.read_text() == '{"text": "my secret", "thread": ""}\n'


def test_a_card_is_not_written_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "fitness").symlink_to("mine")
    shelf = Shelf.of_state(tmp_path)
    with pytest.raises(StateError, match="fitness: this is a symbolic link"):
        shelf.put(Card("m", "far", 1.0))
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_card_that_leads_elsewhere_is_damaged(tmp_path: Path) -> None:
    shelf = Shelf.of_state(tmp_path)
    shelf.folder.mkdir()
    os.mkfifo(shelf.folder / "pipe.json")
    (shelf.folder / "link.json").symlink_to("/dev/zero")
    (shelf.folder / "large.json").write_text(" " * (1 << 21))
    assert shelf.cards() == []
    assert len(shelf.damaged()) == 3
