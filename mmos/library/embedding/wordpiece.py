"""Turns texts into the numbers that BERT models read: lower-case words, cut into pieces that the vocabulary has."""

from __future__ import annotations

import gzip
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

VOCABULARY = Path(__file__).with_name("vocabulary.txt.gz")
"""Of bert-base-uncased. NOTICE beside it says where it comes from."""
LONGEST_WORD = 100
_CJK = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


@cache
def vocabulary() -> Mapping[str, int]:
    """The number of each piece of a word. Pieces within a word begin with ##."""
    lines = gzip.decompress(VOCABULARY.read_bytes()).decode().splitlines()
    return {line: number for number, line in enumerate(lines)}


def numbers(text: str, most: int) -> list[int]:
    """The numbers of a text with the marks of its beginning and end, at most `most`."""
    known = vocabulary()
    found = [known["[CLS]"]]
    for word in _words(text):
        found += _pieces(word, known)
        if len(found) >= most:
            break
    return [*found[: most - 1], known["[SEP]"]]


def _words(text: str) -> Iterator[str]:
    """Words and single signs, in lower case and without accents."""
    for part in "".join(map(_spaced, text)).split():
        yield from _apart("".join(sign for sign in unicodedata.normalize("NFD", part.lower()) if unicodedata.category(sign) != "Mn"))


def _spaced(sign: str) -> str:
    """A sign, as it is read: blanks are spaces, control signs are nothing, and each CJK sign is a word."""
    code = ord(sign)
    if code < 128:
        return sign if sign.isprintable() else " " if sign in "\t\n\r" else ""
    if unicodedata.category(sign) == "Zs":
        return " "
    if code == 0xFFFD or unicodedata.category(sign).startswith("C"):
        return ""
    return f" {sign} " if any(first <= code <= last for first, last in _CJK) else sign


def _apart(word: str) -> Iterator[str]:
    """Letters and digits together, each other sign by itself."""
    start = 0
    for place, sign in enumerate(word):
        if _is_punctuation(sign):
            if place > start:
                yield word[start:place]
            yield sign
            start = place + 1
    if start < len(word):
        yield word[start:]


def _is_punctuation(sign: str) -> bool:
    return not sign.isalnum() if ord(sign) < 128 else unicodedata.category(sign).startswith("P")


def _pieces(word: str, known: Mapping[str, int]) -> Sequence[int]:
    """The longest pieces that the vocabulary has, from the left. A word with a part that it has not is unknown as a whole."""
    whole = known.get(word)
    if whole is not None:
        return (whole,)
    found: list[int] = []
    start = 0 if len(word) <= LONGEST_WORD else len(word) + 1
    while start < len(word):
        ends = (end for end in range(len(word), start, -1) if ("##" if start else "") + word[start:end] in known)
        end = next(ends, 0)
        if not end:
            return (known["[UNK]"],)
        found.append(known[("##" if start else "") + word[start:end]])
        start = end
    return found or (known["[UNK]"],)
