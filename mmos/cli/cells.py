"""Measures, cuts and wraps text in cells of the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from mmos.cli.cleaning import harmless


def cells(text: str) -> int:
    """Count the cells of a text without styles."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth

    width = wcswidth(text)
    return width if width >= 0 else len(text)


def flat(text: str) -> str:
    """Put the text on one line, without control characters."""
    return " ".join(harmless(text).split())


def fit(text: str, width: int) -> str:
    """Cut a line to fit, with a mark where it is cut."""
    if cells(text) <= width:
        return text
    kept = text[: max(0, width - 1)]
    while kept and cells(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…" if width > 0 else ""


def pad(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def wrapped(text: str, width: int) -> list[str]:
    """Wrap plain text, keep its indentation, and cut words that are longer than a line."""
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
    """Cut a long word into pieces that fit. A character takes at most two cells."""
    start = 0
    while start < len(word):
        end = start + max(1, width // 2)
        while end < len(word) and cells(word[start : end + 1]) <= width:
            end += 1
        yield word[start:end]
        start = end


def hanging(head: str, text: str, width: int) -> list[str]:
    """Wrap plain text behind a head, and indent the other lines to its text."""
    first, *rest = wrapped(text, max(1, width - cells(head)))
    return [f"{head}{first}", *(" " * cells(head) + line for line in rest)]
