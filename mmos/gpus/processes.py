"""Tells processes apart and finds their parents. Only Linux shows them to everybody."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PARENT, _STARTED = 1, 19
"""Places in /proc/PID/stat, after the name of the process."""


def started(pid: int) -> str:
    """A text that tells this process apart from earlier and later ones with the same number. Empty: it has ended, or the system does not say."""
    about = _about(pid)
    return f"{_read(_BOOT).strip()}/{about[_STARTED]}" if about and about[0] not in ("Z", "X") else ""


def ancestors(pid: int) -> Iterator[int]:
    """The process itself, its parent, and so on."""
    while pid > 0:
        yield pid
        about = _about(pid)
        pid = int(about[_PARENT]) if about else 0


def name(pid: int) -> str:
    return _read(Path(f"/proc/{pid}/comm")).strip()


def caller() -> int:
    """The process that called this command. The shell's own copies, like the one for `$(…)`, end too soon: then it is the shell."""
    first, *above = ancestors(os.getppid()) if os.getppid() else (0,)
    for pid in above:
        if not _line(first) or _line(pid) != _line(first):
            break
        first = pid
    return first


def _line(pid: int) -> str:
    return _read(Path(f"/proc/{pid}/cmdline"))


def _about(pid: int) -> list[str]:
    """Empty: there is no such process."""
    return _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
