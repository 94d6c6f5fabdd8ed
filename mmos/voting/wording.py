"""Says whether two texts say the same, by their words alone: their numbers, their denials and their names must be the same, too."""

from __future__ import annotations

import re
from collections import Counter

_WORD = re.compile(r"[^\W_]+(?:[.'’-][^\W_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_DENIAL = frozenset({
    "not", "no", "never", "none", "neither", "nor", "without", "cannot", "unable", "false", "wrong", "incorrect", "fails", "failed",
    "isn't", "doesn't", "don't", "won't", "can't",
})  # fmt: skip
_OPPOSITE = (
    ("increase", "decrease"), ("more", "less"), ("higher", "lower"), ("before", "after"), ("always", "never"), ("true", "false"), ("safe", "unsafe"),
    ("enable", "disable"), ("allow", "deny"), ("add", "remove"), ("first", "last"), ("up", "down"), ("open", "closed"), ("yes", "no"), ("faster", "slower"),
    ("left", "right"), ("valid", "invalid"), ("start", "stop"), ("sync", "async"), ("stateless", "stateful"),
)  # fmt: skip
_STOP = frozenset({
    "a", "an", "the", "is", "are", "was", "were", "be", "been", "it", "its", "this", "that", "these", "those", "to", "of", "in",
    "on", "at", "by", "for", "with", "as", "and", "or", "so", "then", "there", "here", "we", "you", "i",
})  # fmt: skip
ALIKE = 0.6
"""The share of the words that two texts must have in common."""


def normal(text: str) -> str:
    """The words of a text in small letters, without signs."""
    return " ".join(_words(text))


def same(one: str, other: str) -> bool:
    """Whether two texts surely say the same. In doubt they do not."""
    if one == other or normal(one) == normal(other):
        return True
    return guarded(one, other) and overlap(one, other) >= ALIKE


def guarded(one: str, other: str) -> bool:
    """Whether nothing says that two texts contradict each other: a number, a denial, a name or an opposite."""
    first, second = set(_words(one)), set(_words(other))
    if sorted(_NUMBER.findall(one)) != sorted(_NUMBER.findall(other)) or bool(first & _DENIAL) != bool(second & _DENIAL):
        return False
    if any((a in first and b in second and a not in second) or (b in first and a in second and b not in second) for a, b in _OPPOSITE):
        return False
    return _names(one) == _names(other) or bool(_names(one) & _names(other)) or not (_names(one) and _names(other))


def overlap(one: str, other: str) -> float:
    """The share of words that two texts have in common, common words left out."""
    first, second = (Counter(word for word in _words(text) if word not in _STOP) for text in (one, other))
    total = max(sum(first.values()), sum(second.values()))
    return sum((first & second).values()) / total if total else 0.0


def _words(text: str) -> list[str]:
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


def _names(text: str) -> set[str]:
    """Words that look like names: capitals inside a sentence, and identifiers."""
    inside = re.findall(r"(?<![.!?:\n]\s)(?<!^)\b([A-Z][\w-]+)\b", text)
    return {name.lower() for name in (*inside, *re.findall(r"\b\w+_\w+\b|\b\w+\(\)|`[^`]+`", text))}
