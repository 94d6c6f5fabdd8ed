"""Keeps the reservations of GPUs in a file of the state folder. A reservation ends with its owner, or when it is released."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from mmos.errors import StateDamaged, UsageError
from mmos.files import content
from mmos.gpus import processes
from mmos.journal import faults
from mmos.journal.folder import make, write
from mmos.journal.process import FileLock

FILE = "gpus.json"
LOCK = "gpus.lock"
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Claim:
    """GPUs that somebody reserved."""

    name: str
    gpus: tuple[int, ...]
    since: float
    vram_gb: float | None = None
    """Memory that it needs on each of its GPUs. None: it did not say."""
    owner: int | None = None
    """The process with which it ends. None: it stays until it is released."""
    started: str = ""
    """Tells the owner apart from a later process with its number."""

    @property
    def is_alive(self) -> bool:
        return not self.started or (self.owner is not None and processes.started(self.owner) == self.started)


@dataclass(frozen=True)
class Claims:
    """The reservations of a state folder."""

    folder: Path

    def read(self) -> list[Claim]:
        """Those whose owner lives."""
        path = self.folder / FILE
        with faults.told(path):
            try:
                data = content(path, MOST_BYTES, follow=False)
            except FileNotFoundError:
                return []
        try:
            return [claim for claim in map(_claim, orjson.loads(data)["claims"]) if claim.is_alive]
        except (ValueError, TypeError, KeyError, UsageError):
            raise StateDamaged(
                f"{path}: this is no list of reserved GPUs. MMOS did not change it.",
                next_step="Remove it, if you can do without the reservations.",
            ) from None

    @contextmanager
    def changing(self) -> Iterator[list[Claim]]:
        """The list, to be changed in place. Other processes wait until it is written. An error leaves it as it was."""
        with faults.told(self.folder):
            make(self.folder)
            lock = FileLock(self.folder / LOCK)
            lock.take(wait=True)
        try:
            claims = self.read()
            yield claims
            with faults.told(self.folder / FILE):
                write(self.folder / FILE, {"version": 1, "claims": [asdict(claim) for claim in claims]})
        finally:
            lock.release()


def _claim(entry: Any) -> Claim:
    vram, owner = entry["vram_gb"], entry["owner"]
    return Claim(
        str(entry["name"]),
        tuple(int(gpu) for gpu in entry["gpus"]),
        float(entry["since"]),
        None if vram is None else float(vram),
        None if owner is None else int(owner),
        str(entry["started"]),
    )
