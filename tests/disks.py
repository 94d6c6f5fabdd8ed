"""A small disk of a test's own, to be filled and to be made read-only: a tmpfs that only processes started in it see, for root and for others."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Disk:
    """Its folder for the processes in it, and the way there for the test; SQLite must not take that way, for it resolves it."""

    folder: Path
    keeper: subprocess.Popen[str]

    @property
    def inside(self) -> Path:
        return Path(f"/proc/{self.keeper.pid}/root{self.folder}")

    @property
    def enter(self) -> tuple[str, ...]:
        """What a command begins with so that it sees the disk."""
        return ("nsenter", "-t", str(self.keeper.pid), "-U", "-m", "--preserve-credentials")

    @property
    def free(self) -> int:
        seen = os.statvfs(self.inside)
        return seen.f_bavail * seen.f_frsize

    def fill(self, *, leave: int = 0) -> None:
        with (self.inside / "filling").open("ab") as file:
            file.write(bytes(max(0, self.free - leave)))

    def make_room(self) -> None:
        (self.inside / "filling").unlink()

    def make_read_only(self) -> None:
        assert self.do(f"mount -o remount,ro {self.folder}")

    def do(self, command: str) -> bool:
        """Run a shell command as who may mount there."""
        assert self.keeper.stdin is not None
        assert self.keeper.stdout is not None
        print(f"{command} >&2 && echo done || echo failed", file=self.keeper.stdin, flush=True)
        return self.keeper.stdout.readline() == "done\n"

    def bytes_of(self, name: str) -> bytes:
        """All bytes of all files below a folder of the disk."""
        return b"".join(path.read_bytes() for path in sorted((self.inside / name).rglob("*")) if path.is_file())


@contextmanager
def disk(folder: Path, size: str = "2m") -> Iterator[Disk]:
    """Skips the test, aloud, on a machine where nobody but an administrator may mount anything."""
    folder.mkdir()
    if not (shutil.which("unshare") and shutil.which("nsenter")):
        pytest.skip("SKIPPED: no small disk can be made: unshare and nsenter (util-linux) are missing")
    with subprocess.Popen(
        ["unshare", "-Urm", "sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as keeper:
        made = Disk(folder, keeper)
        try:
            if not made.do(f"mount -t tmpfs -o size={size},mode=700 tmpfs {folder}"):
                pytest.skip("SKIPPED: no small disk can be made: this machine lets nobody mount a tmpfs in a namespace of his own")
            yield made
        finally:
            keeper.communicate("exit\n")
