"""Wraps styled text into lines of a given width: words, wide characters, and words longer than a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from wcwidth import wcswidth, wcwidth

from mmos.cli.chat.markdown.styles import Span

_PARTS = re.compile(r"\s+|\S+")
_NEVER_FIRST = frozenset("、。，．・：；？！）］｝」』】〉》〕’”…ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ%,.:;!?)]}")
_NEVER_LAST = frozenset("（［｛「『【〈《〔‘“([{")


LONGEST_SIGN, WIDEST_SIGN = 12, 8
"""Longest joined character, in characters and in cells. Longer ones are cut."""


class Word(NamedTuple):
    """A word, which is broken only if it is longer than a line."""

    gap: bool
    """Write a space before it, except at the start of a line."""
    spans: tuple[Span, ...]
    width: int
    breaks: bool = False
    """It is only a line break."""


BREAK = Word(False, (), 0, breaks=True)


@lru_cache(4096)
def _wide(sign: str) -> int:
    return max(0, wcwidth(sign))


def cells(text: str) -> int:
    """Count the cells of a text, in terminals that join emoji and in terminals that do not."""
    if text.isascii():
        return len(text)
    if len(text) == 1:
        return _wide(text)
    return max(wcswidth(text), sum(map(_wide, text)))


def words(spans: Iterable[Span]) -> list[Word]:
    """Split a text into words. A line break is a separate word."""
    found: list[Word] = []
    parts: list[Span] = []
    gap = False

    def flush() -> None:
        nonlocal gap
        if parts:
            found.extend(_word(gap, parts))
            parts.clear()
            gap = False

    for text, style in spans:
        for piece in _PARTS.findall(text):
            if not piece.isspace():
                parts.append((piece, style))
                continue
            flush()
            gap = "\n" not in piece
            if not gap:
                found.append(BREAK)
    flush()
    return found


def _word(gap: bool, parts: list[Span]) -> list[Word]:
    if all(text.isascii() for text, _ in parts):
        return [Word(gap, tuple(parts), sum(len(text) for text, _ in parts))]
    found: list[Word] = []
    piece: list[Span] = []
    last = ""
    for text, style in parts:
        start = 0
        for place, sign in enumerate(text):
            if last and _may_break(last, sign):
                piece.append((text[start:place], style))
                found.append(_make_word(gap and not found, piece))
                piece, start = [], place
            last = sign
        piece.append((text[start:], style))
    return [*found, _make_word(gap and not found, piece)]


def _make_word(gap: bool, spans: Sequence[Span]) -> Word:
    if len(spans) == 1 and len(spans[0][0]) == 1:
        return Word(gap, tuple(spans), _wide(spans[0][0]))
    return Word(gap, tuple(span for span in spans if span[0]), cells("".join(text for text, _ in spans)))


def _may_break(last: str, sign: str) -> bool:
    """Whether a line may break between two characters of a word: beside a wide one, as in scripts without spaces."""
    if _wide(sign) < 2 and _wide(last) < 2:
        return False
    return sign not in _NEVER_FIRST and last not in _NEVER_LAST and not _joined(last, sign)


def _joined(last: str, sign: str) -> bool:
    """Whether two characters belong together: accents, joined emoji, skin tones, flags."""
    return _wide(sign) == 0 or last == "\u200d" or "\U0001f3fb" <= sign <= "\U0001f3ff" or "\U0001f1e6" <= sign <= "\U0001f1ff"


def wrap(text: Iterable[Word], width: int) -> list[list[Word]]:
    """Arrange words in lines. The last line may continue."""
    lines: list[list[Word]] = [[]]
    used = 0
    for word in text:
        if word.breaks:
            lines.append([])
            used = 0
            continue
        needed = word.width + (word.gap and used > 0)
        if used and used + needed > width:
            lines.append([])
            used, needed = 0, word.width
        while needed > width and not used:
            head, rest = _cut(word, width)
            if rest is None:
                break
            lines[-1].append(head)
            lines.append([])
            word, needed = rest, rest.width
        lines[-1].append(word)
        used += needed
    return lines


def _cut(word: Word, width: int) -> tuple[Word, Word | None]:
    head, *rest = chop(word.spans, width)
    left = tuple(span for line in rest for span in line)
    return _make_word(word.gap, head), _make_word(False, left) if left else None


def laid(line: Sequence[Word]) -> list[Span]:
    """Join a line of words. A space is styled if the words on both sides are."""
    spans: list[Span] = []
    for place, word in enumerate(line):
        if place and word.gap:
            spans.append((" ", spans[-1][1] & word.spans[0][1]))
        spans.extend(word.spans)
    return spans


def chop(spans: Iterable[Span], width: int) -> list[list[Span]]:
    """Cut text whose spaces matter into pieces that fit."""
    lines: list[list[Span]] = [[]]
    used = 0
    for text, style in spans:
        if text.isascii():
            used = _chop_plain(lines, used, (text, style), width)
            continue
        for sign in _signs(text):
            needed = cells(sign)
            if used and used + needed > width:
                lines.append([])
                used = 0
            lines[-1].append((sign, style))
            used += needed
    return lines


def _chop_plain(lines: list[list[Span]], used: int, span: Span, width: int) -> int:
    text, style = span
    while used + len(text) > width:
        if width > used:
            lines[-1].append((text[: width - used], style))
        text = text[max(0, width - used) :]
        lines.append([])
        used = 0
    if text:
        lines[-1].append((text, style))
    return used + len(text)


def _signs(text: str) -> list[str]:
    """Split text into visible characters. Cut one that is joined without end."""
    found: list[str] = []
    last = ""
    for sign in text:
        if last and _joined(last, sign) and len(found[-1]) < LONGEST_SIGN and cells(found[-1] + sign) <= WIDEST_SIGN:
            found[-1] += sign
        else:
            found.append(sign)
        last = sign
    return found
