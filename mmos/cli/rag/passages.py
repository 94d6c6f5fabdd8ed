"""Prints passages: where each stands, how well it fits, and its text with the words of the question marked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.rag.sources import shortened
from mmos.cli.styles import style
from mmos.cli.tables import terminal_width
from mmos.cli.text import flat, wrapped

if TYPE_CHECKING:
    from mmos.library.passages import Passage

INDENT = "  "
"""Before each line of a text, so that no line of a document looks like one of ours."""
LINES = 8
"""The most lines of a passage at a terminal without -v."""
_WORD = re.compile(r"[^\W_]+")


def show_passages(passages: Iterable[Passage], question: str, *, whole: bool, several: bool) -> None:
    """Print passages. `whole`: all lines of each. `several`: with the names of the collections."""
    wanted, width = _stems(question), terminal_width()
    for number, one in enumerate(passages):
        source = shortened(one.source) if width else one.source
        place = style(f"{flat(source)}:{one.start}-{one.end}", "bold")
        path = " > ".join(filter(None, (flat(one.title), flat(one.path))))
        parts = [f"{one.score:.2f}", *([one.collection] if several else []), *([path] if path else [])]
        click.echo(("\n" if number else "") + f"{place}  {style('  '.join(parts), 'dim')}")
        for line in _lines(one.text, wanted, width, whole=whole):
            click.echo(f"{INDENT}{line}")


def _lines(text: str, wanted: set[str], width: int | None, *, whole: bool) -> list[str]:
    if width is None:
        return [flat(line) if line.strip() else "" for line in text.strip().splitlines()]
    lines = [line for line in wrapped(text.strip(), max(20, width - len(INDENT) - 1)) if line.strip()]
    return [marked(line, wanted) for line in (lines if whole else best_lines(lines, wanted))]


def best_lines(lines: Sequence[str], wanted: set[str]) -> list[str]:
    """The lines next to each other that have the most different words of the question, with a mark where some are left out."""
    if len(lines) <= LINES:
        return list(lines)
    from mmos.library.words import stem, words

    found = [{stem(word) for word in words(line)} & wanted for line in lines]
    start = max(range(len(lines) - LINES + 1), key=lambda at: (len(set[str]().union(*found[at : at + LINES])), -at))
    before, after = ["…"] * (start > 0), ["…"] * (start + LINES < len(lines))
    return [*before, *lines[start : start + LINES], *after]


def marked(line: str, wanted: set[str]) -> str:
    """The line with the words of the question in another colour."""
    return _WORD.sub(lambda word: style(word[0], "accent") if _is_wanted(word[0], wanted) else word[0], line)


def _stems(question: str) -> set[str]:
    """The words of a question that are marked: not those that stand everywhere."""
    from mmos.library.words import STOP, stem, words

    return {stem(word) for word in words(question) if word not in STOP}


def _is_wanted(token: str, wanted: set[str]) -> bool:
    from mmos.library.words import stem, words

    return any(stem(word) in wanted for word in words(token))


def as_json(passage: Passage) -> dict[str, Any]:
    return {
        "collection": passage.collection, "source": passage.source, "start": passage.start, "end": passage.end, "text": passage.text,
        "score": round(passage.score, 4), "title": passage.title, "path": passage.path, "language": passage.language,
    }  # fmt: skip


def in_a_line(passage: Passage) -> dict[str, Any]:
    """What a line of --jsonl has of a passage."""
    return {key: value for key, value in as_json(passage).items() if key in ("source", "start", "end", "text", "score")}
