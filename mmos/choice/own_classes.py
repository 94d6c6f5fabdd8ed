"""Recognizes the classes of tasks that a configuration defines, by the words that their examples share."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, log, sqrt
from pathlib import Path
from typing import Protocol

from mmos.choice.features import Tokens, tokens_of
from mmos.choice.request import ENDS, read_request

FILE = Path(__file__).parent / "words.json"
UNIT = 100_000
"""The file holds how frequent words are in 100,000 requests."""
LETTERS = 6
"""Words that begin with the same letters count as one: translate and translation."""

# Found by trying them on classes that none of the tests has.
_SHARE = 0.5
"""The part of its words that a task takes from its class; the others are the words of any request."""
_RAREST = 0.002
_CHANCE = 0.4
"""How much of one example may be chance."""
_PAIR = 0.3
"""What a pair of words counts, beside its two words."""
_UNKNOWN = 0.2
"""The most that a word counts against a class if no example has it."""
_FIRST, _FEW = 2.85, 1.6
"""What has to speak for a class before it is as likely as all others together, and what more, divided by the number of its examples."""

Words = Mapping[str, str]
"""Beginnings of words and of pairs of words, each with what stands for it in the text."""


class Defined(Protocol):
    """What a configuration says about a class."""

    @property
    def examples(self) -> Sequence[str]: ...
    @property
    def description(self) -> str | None: ...
    @property
    def base_complexity(self) -> int | None: ...


@dataclass(frozen=True)
class OwnClass:
    """A class of the configuration, with the words of its examples counted."""

    name: str
    base_complexity: int | None
    count: int
    """How many examples it has. A description is one of them."""
    words: Mapping[str, int]
    """In how many examples each word is."""

    @classmethod
    def of(cls, name: str, examples: Iterable[Iterable[str]], base_complexity: int | None = None) -> OwnClass:
        """`examples` are the words of each."""
        sets = [frozenset(words) for words in examples]
        return cls(name, base_complexity, len(sets), Counter(word for words in sets for word in words))

    def evidence(self, words: Words) -> dict[str, float]:
        """How much each word speaks for the class, or against it."""
        usual = _usual()
        found: dict[str, float] = {}
        for word in words:
            count, is_pair = self.words.get(word, 0), " " in word
            if count or not is_pair:
                ratio = max(0.0, count - _CHANCE) / self.count / max(_RAREST, usual.get(word, 0.0))
                found[word] = max(-_UNKNOWN, log(_SHARE * ratio + 1 - _SHARE)) * (_PAIR if is_pair else 1)
        return found

    def odds(self, evidence: Mapping[str, float], surest: float) -> float:
        """How likely the class is, compared with all classes of MMOS. `surest` is the chance of the likeliest of them: they know their own texts."""
        doubt = sqrt((1 - surest + 0.02) / 0.12)
        return doubt * exp(min(50.0, sum(evidence.values()) - _FIRST - _FEW / self.count))


def own_classes_of(classes: Mapping[str, Defined]) -> tuple[OwnClass, ...]:
    return tuple(OwnClass.of(name, map(words_in, texts_of(found)), found.base_complexity) for name, found in classes.items())


def texts_of(found: Defined) -> list[str]:
    return [*found.examples, *([found.description] if found.description else [])]


def words_in(text: str) -> Words:
    return words_of(tokens_of(read_request(text)))


def words_of(tokens: Tokens) -> Words:
    found: dict[str, str] = {}
    before = ""
    for word, kind in zip(tokens.words, tokens.kinds, strict=True):
        if kind in ENDS:
            before = ""
            continue
        short = kind if kind.startswith("<") else kind[:LETTERS]
        found.setdefault(short, word)
        if before:
            found.setdefault(f"{before} {short}", f"{found[before]} {word}")
        before = short
    return found


@cache
def _usual() -> Mapping[str, float]:
    """How frequent words are in requests of the class of MMOS where they are most frequent."""
    return {word: count / UNIT for word, count in json.loads(FILE.read_bytes()).items()}
