"""Text for a terminal: without the signs that steer it, measured, cut and wrapped in cells."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

MOST_MARKS = 8
"""Accents and joiners in a row on one sign. No script needs more, and a flood of them covers the lines around it."""

JOINERS = "\u200c\u200d"
"""Emoji and some scripts are made with them. Beside a Latin letter they are of no use but to hide."""

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but line break and tab, and C1
    "\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible signs, and changes of direction
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"  # of hieroglyphs, shorthand and notes; tags
    "\ud800-\udfff\u2028\u2029]"  # half characters, and line breaks that not every reader knows
)
_LINE_BREAKS = "\u2028\u2029"
_LONE_JOINER = re.compile(
    rf"(?<=[\x00-\u02ff\u2000-\u206f])[{JOINERS}]|[{JOINERS}](?=[\x00-\u02ff\u2000-\u206f])",
)
_MAY_CROWD = re.compile(rf"[\u0300-\u1fff{JOINERS}\u20d0-\u20ff\u2c00-\U0010ffff]{{{MOST_MARKS + 1},}}")
"""As many signs in a row as a flood has at least; most of them are words of a script, which are looked at one by one."""

Instead = Callable[[str], str]
"""What stands for a sign that goes."""


def harmless(text: str) -> str:
    """The text without control signs: whoever wrote it must not steer the terminal."""
    if text.isascii() and text.isprintable():
        return text
    return _without(text, lambda sign: " " if sign in _LINE_BREAKS else "")


def escaped(text: str) -> str:
    r"""A text of JSON that means the same, with those signs as `\u202e`."""
    return text if text.isascii() and "\x7f" not in text else _without(text, _as_escape)


def _without(text: str, instead: Instead) -> str:
    text = _STEERING.sub(lambda match: instead(match.group()), text)
    if text.isascii():
        return text
    text = _MAY_CROWD.sub(lambda match: _thinned(match.group(), instead), text)
    if not any(joiner in text for joiner in JOINERS):
        return text
    return _LONE_JOINER.sub(lambda match: instead(match.group()), text)


def _thinned(text: str, instead: Instead) -> str:
    signs: list[str] = []
    marks = 0
    for sign in text:
        marks = marks + 1 if sign in JOINERS or unicodedata.category(sign) in ("Mn", "Me") else 0
        signs.append(sign if marks <= MOST_MARKS else instead(sign))
    return "".join(signs)


def _as_escape(sign: str) -> str:
    number = ord(sign)
    if number < 0x10000:
        return f"\\u{number:04x}"
    return f"\\u{0xD800 + (number - 0x10000 >> 10):04x}\\u{0xDC00 + (number - 0x10000 & 0x3FF):04x}"


# ---------------------------------------------------------------- cells


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
    start = text[: max(0, width - 1)]
    while start and cells(start) > width - 1:
        start = start[:-1]
    return start + "…" if width > 0 else ""


def pad(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def wrapped(text: str, width: int) -> list[str]:
    """Wrap plain text, keep its indentation, and cut words that are longer than a line."""
    return [line for paragraph in harmless(text).expandtabs(4).split("\n") for line in _broken(paragraph, width)]


def _broken(paragraph: str, width: int) -> Iterator[str]:
    words = paragraph.lstrip(" ")
    indent = len(paragraph) - len(words)
    line = " " * indent if words and indent < width // 2 else ""
    has_words = False
    for word in words.split(" "):
        if has_words and cells(line) + 1 + cells(word) > width:
            yield line
            line, has_words = "", False
        line, has_words = f"{line} {word}" if has_words else line + word, True
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
