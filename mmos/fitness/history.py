"""Stores the figures of benchmarks in the state folder: one file per model and host, with the newest few."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmos.fitness import documents
from mmos.fitness.figures import Figures

VERSION = 1
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
        documents.put(path, {"version": VERSION, "results": [one.document() for one in kept]}, "benchmark")

    def of(self, model: str, host: str) -> list[Figures]:
        """The benchmarks of a model on a host, the newest last."""
        return _read(self._path(model, host))

    def newest(self) -> list[Figures]:
        """The newest benchmark of each model and host."""
        return [kept[-1] for kept in map(_read, documents.files_in(self.folder)) if kept]

    def _path(self, model: str, host: str) -> Path:
        return self.folder / documents.file_name(model, host)


def _read(path: Path) -> list[Figures]:
    """A file that cannot be read counts as empty: a benchmark can be made again."""
    document = documents.read(path)
    rows = document.get("results") if isinstance(document, dict) and document.get("version") == VERSION else None
    try:
        return [Figures.from_document(row) for row in rows] if isinstance(rows, list) else []
    except ValueError:
        return []
