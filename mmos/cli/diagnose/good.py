"""Keeps what a command prints when it passes, as shapes of lines without their text, to compare a failure with."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mmos.cli.diagnose.background import in_background
from mmos.errors import MmosError

if TYPE_CHECKING:
    from mmos.cli.diagnose.spool import Spool
    from mmos.cli.options import Options
    from mmos.diagnosis.profile import Profile

FOLDER = "passed"
MOST_SIZE = 4 << 20
MOST = 100
"""Of more commands than these, those that passed longest ago are forgotten."""


def remember(options: Options, command: Sequence[str], spool: Spool) -> None:
    """Keep the shapes of a log of this command. Another process does it, so that nobody waits."""
    if spool.size:
        in_background(lambda: keep(options, command, spool), spool.files)


def keep(options: Options, command: Sequence[str], spool: Spool) -> None:
    from mmos.diagnosis.profile import profile
    from mmos.journal.folder import make

    with suppress(OSError, MmosError):  # without a state folder, nothing is compared
        os.nice(19)
        path = _path(options, command)
        make(path.parent.parent)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}")
        with beside.open("x") as file:  # never through a link
            file.write(profile(spool.blocks()).to_json())
        beside.replace(path)
        _forget(path.parent)


def known(options: Options, command: Sequence[str]) -> Profile | None:
    """The shapes that were kept when this command last passed in this folder."""
    from mmos.diagnosis.profile import Profile

    try:
        path = _path(options, command)
        return Profile.from_json(path.read_text()) if path.stat().st_size <= MOST_SIZE else None
    except (OSError, ValueError, MmosError):  # none, or one that is of no use
        return None


def of_log(path: str) -> Profile:
    """The shapes of a log that the user names."""
    from mmos.cli.diagnose.opening import log_of
    from mmos.diagnosis.profile import profile

    return profile(log_of(path).blocks())


def _path(options: Options, command: Sequence[str]) -> Path:
    place = json.dumps([os.getcwd(), *command])  # noqa: PTH109  # as text
    return options.found_state() / FOLDER / f"{hashlib.sha256(place.encode(errors='replace')).hexdigest()[:32]}.json"


def _forget(folder: Path) -> None:
    kept = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    for path in kept[:-MOST]:
        path.unlink()
