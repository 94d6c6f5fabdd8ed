"""Says whether two texts ask the same in other words: pure functions that rather say no."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

LONGEST = 2000
"""Characters of the longest text that is compared. Embedding models do not read to the end of longer ones."""

_PARTS = re.compile(
    r"(?P<verbatim>```.*?```|~~~.*?~~~|`[^`\n]+`|\"[^\"\n]+\"|“[^”\n]+”|„[^“\n]+“|«[^»\n]+»|(?<!\w)'[^'\n]+'(?!\w))"
    r"|(?P<indent>\n[ \t]+)"
    r"|(?P<word>\w+(?:[.'’/:@-]\w+)*[+#]*)"
    r"|(?P<end>[.?!]+(?=\s|$))"
    r"|(?P<sign>\S)",
    re.DOTALL,
)
_ARTICLES = frozenset({"a", "an", "the"})
_GREETINGS = frozenset({"hello", "hi", "hey", "thanks"})
_POLITE = frozenset({"please", "kindly"})
_QUOTES = "`\"“„«'"
_OPENINGS = tuple(
    tuple(phrase.split())
    for phrase in (
        "can you please", "could you please", "would you please", "could you", "would you", "i would like you to", "i want you to",
        "i need you to", "i'd like you to",
    )
)  # fmt: skip
"""How a sentence begins that asks for the rest of it."""
_SHORT = re.compile(
    r"(?P<verb>is|are|was|were|do|does|did|has|have|had|could|should|would|must|need)n['’]t|(?P<odd>can['’]t|cannot|won['’]t|what['’]s)"
)
_ODD = {"can't": ("can", "not"), "cannot": ("can", "not"), "won't": ("will", "not"), "what's": ("what", "is")}
_SAME = {"describe": "explain", "repair": "fix", "start": "begin", "assist": "help"}
"""Verbs that may stand for each other at the beginning of a sentence. Elsewhere they may be names, such as the keyword `begin`."""


def form_of(text: str) -> tuple[str, ...] | None:
    """The text without what does not change what it asks: fillers, ends of sentences and spaces. None: it is too long to be compared.

    Two texts with the same form have the same words in the same order: the same numbers, names, negations, directions, quotations and code.
    """
    if len(text) > LONGEST:
        return None
    return tuple(_words(text)) or (text.strip().lower(),)  # a greeting alone asks for an answer to it


def _words(text: str) -> Iterator[str]:
    for sentence in _sentences(text):
        rest = _without_articles(_opened(_without_courtesy(sentence)))
        if rest and rest[0][:1].isupper() and rest[0][1:].islower():
            rest[0] = rest[0].lower()  # a capital that only the place asks for
        if rest:
            rest[0] = _SAME.get(rest[0], rest[0])
        for word in rest:
            yield from _long(word)


def _sentences(text: str) -> Iterator[list[str]]:
    """The words and signs of each sentence."""
    words: list[str] = []
    for part in _PARTS.finditer(text):
        if part.lastgroup == "end":
            yield words
            words = []
        else:
            words.append(part[0])
    yield words


def _without_courtesy(words: list[str]) -> list[str]:
    """A sentence without a greeting and `please` at its ends. In the middle they are what it is about: `Translate hello into French`."""
    while words and (words[0].lower() in _POLITE or (words[0].lower() in _GREETINGS and words[1:2] in ([], [","]))):
        words = words[2:] if words[1:2] == [","] else words[1:]
    if words[-2:-1] == [","] and words[-1].lower() in _POLITE | _GREETINGS:
        return words[:-2]
    return words


def _opened(words: list[str]) -> list[str]:
    """A sentence without a polite opening."""
    small = [word.lower().replace("’", "'") for word in words[:5]]
    for opening in _OPENINGS:
        if tuple(small[: len(opening)]) == opening and len(words) > len(opening):
            return words[len(opening) :]
    return words


def _without_articles(words: list[str]) -> list[str]:
    """A sentence without articles. What looks like one in `vitamin A` or `a + b` is none."""
    following = [*words[1:], ""]
    return [word for at, word in enumerate(words) if not _is_article(word if at else word.lower(), following[at])]


def _is_article(word: str, following: str) -> bool:
    return word in _ARTICLES and (following[:1].isalnum() or following.startswith(tuple(_QUOTES)))


def _long(word: str) -> Iterator[str]:
    """A word, or the two words that a short form stands for."""
    found = _SHORT.fullmatch(word)
    if found is None:
        yield word
    elif found["verb"]:
        yield from (found["verb"], "not")
    else:
        yield from _ODD[word.replace("’", "'")]


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """How alike two vectors are, from -1 to 1. 0 if one of them has no direction, or if they do not fit together."""
    lengths = math.sqrt(math.fsum(value * value for value in one)) * math.sqrt(math.fsum(value * value for value in other))
    if len(one) != len(other) or not lengths or not math.isfinite(lengths):
        return 0.0
    return math.fsum(a * b for a, b in zip(one, other, strict=True)) / lengths
