"""What was typed, over sessions, for the input line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from prompt_toolkit.history import History

from mmos.cli.typed import LONGEST, Typed, add, newest

KEPT = 2000
"""Entries that are read again."""


class KeptHistory(History):
    """Keeps in mind what it cannot write: a history is never a reason to stop."""

    def __init__(self, folder: Callable[[], Path | None], thread: Callable[[], str]) -> None:
        super().__init__()
        self._folder = folder
        self._thread = thread

    def load_history_strings(self) -> Iterable[str]:
        folder = self._folder()
        try:
            return list(newest(folder, KEPT)) if folder else []
        except OSError:
            return []

    def store_string(self, string: str) -> None:
        folder = self._folder()
        if folder is None or len(string) > LONGEST:
            return
        try:
            add(folder, Typed(string, self._thread()))
        except OSError:
            return
