"""Stores the figures of benchmarks in the state folder: one file per model and host, with the newest few."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import orjson

from mmos.errors import StateError, UsageError
from mmos.files import content
from mmos.fitness.figures import Figures
from mmos.fitness.shelf import file_name
from mmos.journal.folder import make, write

VERSION = 1
MOST_BYTES = 1 << 20
KEPT = 10
"""Benchmarks of one model on one host."""


@dataclass(frozen=True)
class History:
    """The benchmarks of a state folder."""

    folder: Path

    @classmethod
    def of_state(cls, state: Path) -> History:
        return cls(state / "benchmarks")

    def put(self, figures: Figures) -> None:
        """Add figures to those of the same model and host."""
        path = self._path(figures.model, figures.host)
        kept = [*_read(path), figures][-KEPT:]
        try:
            make(self.folder.parent)
            self.folder.mkdir(exist_ok=True)
            write(path, {"version": VERSION, "results": [one.document() for one in kept]})
        except OSError as error:
            message = f"MMOS cannot write the benchmark to {self.folder}: {(error.strerror or str(error)).lower()}."
            raise StateError(message, next_step="Name another state folder with --state.") from error

    def of(self, model: str, host: str) -> list[Figures]:
        """The benchmarks of a model on a host, the newest last."""
        return _read(self._path(model, host))

    def newest(self) -> list[Figures]:
        """The newest benchmark of each model and host."""
        try:
            paths = [] if self.folder.is_symlink() else sorted(self.folder.glob("*.json"))
        except OSError:  # a folder that MMOS may not read
            return []
        return [kept[-1] for kept in map(_read, paths) if kept]

    def _path(self, model: str, host: str) -> Path:
        return self.folder / file_name(model, host)


def _read(path: Path) -> list[Figures]:
    """A file that cannot be read counts as empty: a benchmark can be made again."""
    try:
        document = orjson.loads(content(path, MOST_BYTES, follow=False))
        rows = document.get("results") if isinstance(document, dict) and document.get("version") == VERSION else None
        return [Figures.from_document(row) for row in rows] if isinstance(rows, list) else []
    except (OSError, ValueError, UsageError):
        return []
