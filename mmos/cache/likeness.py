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
_FILLERS = frozenset({"a", "an", "the", "please", "kindly", "hello", "hi", "hey", "thanks"})
"""Words without which a text asks the same."""
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
_SAME = {
    word: group[0]
    for group in (("explain", "describe"), ("fix", "repair"), ("fast", "quick"), ("begin", "start"), ("big", "large"), ("help", "assist"))
    for word in group
}
"""Words that may stand for each other."""


def form_of(text: str) -> tuple[str, ...] | None:
    """The text without what does not change what it asks: fillers, ends of sentences and spaces. None: it is too long to be compared.

    Two texts with the same form have the same words in the same order: the same numbers, names, negations, directions, quotations and code.
    """
    return None if len(text) > LONGEST else tuple(_words(text))


def _words(text: str) -> Iterator[str]:
    for sentence in _sentences(text):
        rest = _opened(sentence)
        if rest and rest[0][:1].isupper() and rest[0][1:].islower():
            rest[0] = rest[0].lower()  # a capital that only the place asks for
        for word in rest:
            yield from _long(word)


def _sentences(text: str) -> Iterator[list[str]]:
    """The words of each sentence, without fillers."""
    words: list[str] = []
    for part in _PARTS.finditer(text):
        if part.lastgroup == "end":
            yield words
            words = []
        elif _counts(part) and (part[0] != "," or words):  # `Please, …` and `Hello, …`
            words.append(part[0])
    yield words


def _counts(part: re.Match[str]) -> bool:
    return part.lastgroup != "word" or part[0].lower() not in _FILLERS


def _opened(words: list[str]) -> list[str]:
    """A sentence without a polite opening."""
    small = [word.lower().replace("’", "'") for word in words[:5]]
    for opening in _OPENINGS:
        opening = tuple(word for word in opening if word not in _FILLERS)
        if tuple(small[: len(opening)]) == opening and len(words) > len(opening):
            return words[len(opening) :]
    return words


def _long(word: str) -> Iterator[str]:
    """A word, or the two words that a short form stands for."""
    found = _SHORT.fullmatch(word)
    if found is None:
        yield _SAME.get(word, word)
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
