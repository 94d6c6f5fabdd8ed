"""Opens the log that the user names."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mmos.cli.diagnose.spool import BLOCK, Spool
from mmos.cli.text import flat
from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.app.log import Log


def log_of(file: str) -> Log:
    """The log in a file, or on stdin. What can be read only once is kept, with a limit."""
    from mmos.app.log import Log

    if file == "-":
        return _kept(sys.stdin.buffer)
    with opened(file) as given:
        status = os.fstat(given.fileno())
        return Log.of(Path(file)) if stat.S_ISREG(status.st_mode) and status.st_size else _kept(given)


def opened(file: str) -> BinaryIO:
    try:
        return Path(file).open("rb")
    except (OSError, ValueError) as error:  # a name that no file can have
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise UsageError(f"{flat(file)}: {reason.lower()}.", next_step="Name a file that you can read, or - for stdin.") from None


def _kept(given: BinaryIO) -> Log:
    from mmos.app.log import Log

    spool = Spool()
    while block := given.read(BLOCK):
        spool.keep(1, memoryview(block))
    spool.end()
    return Log(spool.blocks)
