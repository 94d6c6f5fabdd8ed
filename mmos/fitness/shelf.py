"""Stores fitness cards in the state folder: one small JSON file per model and host."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import orjson

from mmos.errors import StateError, UsageError
from mmos.files import content
from mmos.fitness.card import Card
from mmos.journal.folder import make, write
from mmos.names import canonical

MOST_BYTES = 1 << 20
"""Of a card. A longer file is damaged."""


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
        try:
            make(self.folder.parent)
            self.folder.mkdir(exist_ok=True)
            write(path, card.document())
        except OSError as error:
            message = f"MMOS cannot write the fitness card to {self.folder}: {(error.strerror or str(error)).lower()}."
            raise StateError(message, next_step="Name another state folder with --state.") from error
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
        try:
            return [] if self.folder.is_symlink() else sorted(self.folder.glob("*.json"))
        except OSError:  # a folder that MMOS may not read
            return []

    def _path(self, model: str, host: str) -> Path:
        return self.folder / file_name(model, host)

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            message = f"MMOS cannot remove the fitness card {path}: {(error.strerror or str(error)).lower()}."
            raise StateError(message, next_step="Check who owns the folder, and whether you can write to the disk.") from error


def _read(path: Path) -> Card | None:
    try:
        return Card.from_document(orjson.loads(content(path, MOST_BYTES, follow=False)))
    except (OSError, ValueError, UsageError):
        return None


def file_name(model: str, host: str) -> str:
    """A readable file name for a model and a host. The digest keeps names apart that differ only in replaced characters."""
    name = f"{canonical(model)}@{host}"
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip(".")[:120]
    return f"{plain}-{blake2b(name.encode(), digest_size=4).hexdigest()}.json"
