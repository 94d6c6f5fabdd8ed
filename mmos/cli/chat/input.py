"""Gives the input line at a terminal its queue, its history and its completion."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import History

from mmos.cli.chat.commands import COMMANDS
from mmos.cli.history import LONGEST, HistoryEntry, add, newest
from mmos.errors import MmosError


class LineQueue:
    """A first-in, first-out queue of lines that were typed ahead."""

    def __init__(self) -> None:
        self.waiting: deque[str] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def put(self, text: str) -> None:
        self.waiting.append(text)
        self._news.set()

    def close(self) -> None:
        """Accept no more lines. Lines in the queue are still served."""
        self._closed = True
        self._news.set()

    def clear(self) -> list[str]:
        """Remove and return all waiting lines."""
        taken = list(self.waiting)
        self.waiting.clear()
        return taken

    async def next(self) -> str | None:
        """Wait for the next line. None: no more lines will come."""
        while not self.waiting:
            if self._closed:
                return None
            self._news.clear()
            await self._news.wait()
        return self.waiting.popleft()


KEPT = 2000
"""Most entries that a session reads from the file."""


class InputHistory(History):
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
            add(folder, HistoryEntry(string, self._thread()))
        except (OSError, MmosError):
            return


Names = Callable[[], Iterable[str]]
MOST_FILES = 200


class ChatCompleter(Completer):
    """Takes names as functions, because most are known only after the configuration has been read."""

    def __init__(self, names: Mapping[str, Names]) -> None:
        self._names = names
        """The known names for each kind of argument."""

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        word = text.rpartition("\n")[2].rpartition(" ")[2]
        if text.startswith("/") and " " not in text and "\n" not in text:
            yield from _commands(text)
        elif text.startswith("/"):
            takes = COMMANDS[name].takes if (name := text[1:].split(None, 1)[0]) in COMMANDS else ()
            for kind in takes:
                yield from _files(word) if kind == "file" else self._offered(kind, word)
        elif text.startswith("@") and word == text:
            yield from (Completion(f"@{name} ", -len(text)) for name in self._names["roles"]() if name.startswith(text[1:]))
        elif self._names["options"]():
            if complete_event.completion_requested:
                yield from self._offered("options", text)
        elif word and complete_event.completion_requested:
            yield from self._offered("roles", word)
            yield from self._offered("tools", word)
            yield from _files(word)

    def _offered(self, kind: str, word: str) -> Iterable[Completion]:
        return [
            Completion(name, -len(word))
            for name in self._names[kind]()
            if name.casefold().startswith(word.casefold()) and name.isprintable()
        ]


def _commands(text: str) -> Iterable[Completion]:
    for name, command in COMMANDS.items():
        if name.startswith(text[1:]):
            yield Completion(f"/{name}", -len(text), display_meta=command.help)


def _files(word: str) -> Iterable[Completion]:
    folder, slash, beginning = word.rpartition("/")
    try:
        place = Path(f"{folder}{slash}" or ".").expanduser()
        found = sorted(entry for entry in place.iterdir() if entry.name.startswith(beginning) and (beginning or entry.name[0] != "."))
    except (OSError, RuntimeError):  # missing, not readable, or `~name` of an unknown user
        return
    for entry in found[:MOST_FILES]:
        name = f"{entry.name}/" if entry.is_dir() else entry.name
        if name.isprintable():
            yield Completion(f"{folder}{slash}{name}", -len(word), display=name)
