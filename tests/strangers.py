"""A state folder that came with a stranger's files, and commands that use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmos.cli.main import main
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


def mmos(capsys: pytest.CaptureFixture[str], folder: Path, *args: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main([*args, "--state", str(folder)])
    return int(ended.value.code or 0), capsys.readouterr().err
