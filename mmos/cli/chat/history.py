"""Gives the input line its history over sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from prompt_toolkit.history import History

from mmos.cli.typed import LONGEST, Typed, add, newest
from mmos.errors import MmosError

KEPT = 2000
"""Most entries that a session reads from the file."""


class KeptHistory(History):
    """Keeps entries in memory when it cannot write them: a broken history file never stops the chat."""

    def __init__(self, folder: Callable[[], Path | None], thread: Callable[[], str]) -> None:
        super().__init__()
        self._folder = folder
        self._thread = thread

    def load_history_strings(self) -> Iterable[str]:
        folder = self._folder()
        try:
            return list(newest(folder, KEPT)) if folder else []
        except (OSError, MmosError):
            return []

    def store_string(self, string: str) -> None:
        folder = self._folder()
        if folder is None or len(string) > LONGEST:
            return
        try:
            add(folder, Typed(string, self._thread()))
        except (OSError, MmosError):
            return
