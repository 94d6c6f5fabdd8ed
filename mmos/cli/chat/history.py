"""What was typed, over sessions: a file of JSON lines in the state folder that only its owner may read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import orjson
from prompt_toolkit.history import History

FILE = "chat_history.jsonl"
KEPT = 2000
"""Entries that are read again."""

LONGEST = 100_000
"""Signs of an entry that is worth keeping."""


class KeptHistory(History):
    """Keeps in mind what it cannot write: a history is never a reason to stop."""

    def __init__(self, folder: Callable[[], Path | None]) -> None:
        super().__init__()
        self._folder = folder

    def load_history_strings(self) -> Iterable[str]:
        folder = self._folder()
        if folder is None:
            return []
        try:
            lines = (folder / FILE).read_bytes().splitlines()[-KEPT:]
        except OSError:
            return []
        return [text for line in reversed(lines) if (text := _text(line))]

    def store_string(self, string: str) -> None:
        folder = self._folder()
        if folder is None or len(string) > LONGEST:
            return
        line = orjson.dumps(string.encode("utf-8", "replace").decode(), option=orjson.OPT_APPEND_NEWLINE)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = os.open(folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError:
            return
        with os.fdopen(file, "ab") as out:
            out.write(line)


def _text(line: bytes) -> str:
    """An entry; one that was cut off by a crash is none."""
    try:
        text = orjson.loads(line)
    except orjson.JSONDecodeError:
        return ""
    return text if isinstance(text, str) else ""
