"""Text in the cells of a terminal: how wide it is, as much of it as fits, and ink where colours are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mmos.cli.cleaning import harmless
from mmos.cli.guard import RESET, sequence


@dataclass(frozen=True)
class Ink:
    """Styles that are left out where no colours are wanted."""

    colour: bool = False

    def dim(self, text: str) -> str:
        return self._in("2", text)

    def bold(self, text: str) -> str:
        return self._in("1", text)

    def red(self, text: str) -> str:
        return self._in("31", text)

    def green(self, text: str) -> str:
        return self._in("32", text)

    def cyan(self, text: str) -> str:
        return self._in("36", text)

    def _in(self, style: str, text: str) -> str:
        return f"{sequence(f'{style}m')}{text}{RESET}" if self.colour and text else text


def cells(text: str) -> int:
    """How many cells a text without styles takes."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth

    width = wcswidth(text)
    return width if width >= 0 else len(text)


def flat(text: str) -> str:
    """The text in one line, without what would steer the terminal."""
    return " ".join(harmless(text).split())


def fit(text: str, width: int) -> str:
    """As much of a line as fits; what was left out shows."""
    if cells(text) <= width:
        return text
    kept = text[: max(0, width - 1)]
    while kept and cells(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…" if width > 0 else ""


def pad(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def wrapped(text: str, width: int) -> list[str]:
    """Plain text in lines that fit, indented as it was; a word that is longer than a line is cut."""
    return [line for paragraph in harmless(text).expandtabs(4).split("\n") for line in _broken(paragraph, width)]


def _broken(paragraph: str, width: int) -> Iterator[str]:
    words = paragraph.lstrip(" ")
    indent = len(paragraph) - len(words)
    line = " " * indent if words and indent < width // 2 else ""
    begun = False
    for word in words.split(" "):
        if begun and cells(line) + 1 + cells(word) > width:
            yield line
            line, begun = "", False
        line, begun = f"{line} {word}" if begun else line + word, True
        if cells(line) > width:
            *full, line = _pieces(line, width)
            yield from full
    yield line


def _pieces(word: str, width: int) -> Iterator[str]:
    """A word that is longer than a line, in pieces that fit; half as many signs as there are cells always do."""
    start = 0
    while start < len(word):
        end = start + max(1, width // 2)
        while end < len(word) and cells(word[start : end + 1]) <= width:
            end += 1
        yield word[start:end]
        start = end


def hanging(head: str, text: str, width: int) -> list[str]:
    """Plain text in lines that fit, the first after a head, the others below its text."""
    first, *rest = wrapped(text, max(1, width - cells(head)))
    return [f"{head}{first}", *(" " * cells(head) + line for line in rest)]
