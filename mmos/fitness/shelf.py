"""Stores fitness cards in the state folder: one small JSON file per model and host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmos.errors import StateError
from mmos.fitness import documents
from mmos.fitness.card import Card


@dataclass(frozen=True)
class Shelf:
    """The cards of a state folder."""

    folder: Path

    @classmethod
    def of_state(cls, state: Path) -> Shelf:
        return cls(state / "fitness")

    def put(self, card: Card) -> Path:
        """Write a card in place of an older one."""
        path = self._path(card.model, card.host)
        documents.put(path, card.document(), "fitness card")
        return path

    def cards(self) -> list[Card]:
        """All cards that can be read."""
        return [card for card in map(_read, self._files()) if card is not None]

    def damaged(self) -> list[Path]:
        """Files that should hold a card but do not. They are ignored."""
        return [path for path in self._files() if _read(path) is None]

    def find(self, model: str, host: str) -> Card | None:
        """The card of a model on one host."""
        return _read(self._path(model, host))

    def forget(self, card: Card) -> None:
        """Remove a card. A card that is already gone is no error."""
        self._remove(self._path(card.model, card.host))

    def forget_damaged(self, paths: Iterable[Path]) -> None:
        for path in paths:
            self._remove(path)

    def _files(self) -> list[Path]:
        return documents.files_in(self.folder)

    def _path(self, model: str, host: str) -> Path:
        return self.folder / documents.file_name(model, host)

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            message = f"MMOS cannot remove the fitness card {path}: {(error.strerror or str(error)).lower()}."
            raise StateError(message, next_step="Check who owns the folder, and whether you can write to the disk.") from error


def _read(path: Path) -> Card | None:
    try:
        return Card.from_document(documents.read(path))
    except ValueError:
        return None
