"""Completes what the user types: commands and their arguments, roles, tools and file names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from mmos.cli.chat.slash import COMMANDS

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
