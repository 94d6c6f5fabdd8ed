"""Checks at the end of each story that a replay of its runs finds no difference: nothing has changed since they ran."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from mmos.app import App, open_app
from mmos.errors import StateError
from mmos.events import RunResumed, RunStarted
from mmos.journal import Journal
from mmos.testing import Stage

EXCEPTIONS: dict[str, str] = {}
"""Stories whose runs differ, by the name of the test, with the reason."""

name: list[str] = [""]
"""The name of the test that runs."""
folder: list[Path] = []
"""The folder of that test, if it has one. Commands keep their journals there."""
began: list[float] = [0.0]
"""When that test began. A journal may have older runs."""


def begin(test: str, place: Path | None) -> None:
    name[:] = [test.partition("[")[0]]
    folder[:] = [place] if place else []
    began[:] = [time.time()]


async def every_run_again(stage: Stage) -> None:
    if name[0] in EXCEPTIONS:
        return
    with suppress(StateError):  # the test closed or spoiled it
        await _check(stage.app, stage.app.journal)
    for path in (path for place in folder for path in place.rglob(".mmos/journal.db")):
        file = path.parent.parent / "orchestration.yaml"
        if not _is_of(file, stage.config):
            continue
        with suppress(StateError):
            async with await Journal.open(path.parent, read_only=True) as journal, open_app(file) as app:
                await _check(app, journal, str(file))


def _is_of(file: Path, config: Mapping[str, Any]) -> bool:
    """Whether a file has the configuration of the stage: the story has not changed it. Modules of tools are not imported here."""
    try:
        return bool(yaml.safe_load(file.read_text()) == config) and "tools" not in config["orchestration"]
    except (OSError, ValueError, yaml.YAMLError):
        return False


async def _check(app: App, journal: Journal, file: str = "") -> None:
    """Replay the runs that this app has worked on alone, or that commands with this configuration file have."""
    processes: dict[str, set[str]] = {}
    named: set[str] = set()
    for entry in await journal.read(kinds=("run_started", "run_resumed")):
        if isinstance(entry.event, RunStarted | RunResumed):
            processes.setdefault(entry.run, set()).add(entry.event.process)
        if isinstance(entry.event, RunStarted) and entry.event.config_path == file and not entry.event.rehearsed and entry.time > began[0]:
            named.add(entry.run)
    for run, found in processes.items():
        if run in named if file else found == {journal.process}:
            replay = await app.replay(run, journal=journal)
            differing = [(step.kind, step.place, step.differences) for step in replay.differing]
            assert not differing, f"{name[0]}: {replay.summary()} {differing}"
            assert not replay.unmade
