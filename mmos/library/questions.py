"""Questions with which a collection is measured: those of the user, or some that are made from the collection itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from mmos.errors import UsageError
from mmos.library.rows import Row
from mmos.library.words import STOP, sentences, words

LEAST_WORDS = 8
"""Words of a sentence of which a question is made."""
KEPT = 0.4
"""The part of its words that the question has."""


@dataclass(frozen=True)
class Question:
    """A question, and where its answer stands."""

    text: str
    source: str = ""
    """The source, or the end of its path. Empty: any."""
    start: int = -1
    """The span of the answer in the source. -1: not known."""
    end: int = -1
    answer: str = ""
    """Words that the passage must have. Empty: any of the source will do."""

    def met_by(self, source: str, start: int, end: int, text: str) -> bool:
        if self.source and not (source == self.source or source.endswith(f"/{self.source}")):
            return False
        if self.start >= 0:
            return (start <= self.start and end >= self.end) or (self.start <= start and end <= self.end)
        return _plain(self.answer) in _plain(text)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def question_of(fields: Mapping[str, Any]) -> Question:
    """A question from a line. Raises `UsageError` for one that cannot be used."""
    text, source, answer = (fields.get(name) or "" for name in ("question", "source", "answer"))
    start, end = (fields.get(name, -1) for name in ("start", "end"))
    if not (isinstance(text, str) and text.strip()):
        raise UsageError('it has no "question"')
    if not all(isinstance(one, str) for one in (source, answer)) or not all(type(one) is int for one in (start, end)):
        raise UsageError('"source" and "answer" must be texts, "start" and "end" whole numbers')
    if (start >= 0 or end >= 0) and not (source and 0 <= start < end):
        raise UsageError('a span needs "source", and "start" before "end"')
    if not (source or answer):
        raise UsageError('it names no "source" and no "answer", so nothing says which passage is right')
    return Question(text, source, start, end, answer)


def made(rows: Sequence[Row], count: int, seed: int) -> list[Question]:
    """Questions from sentences of the collection, each with some of its words, in another order. They are easier than those of people."""
    random = Random(seed)
    by_source: dict[str, list[Row]] = {}
    for row in rows:
        by_source.setdefault(row.source, []).append(row)
    found: list[Question] = []
    names = sorted(by_source)
    while names and len(found) < count:
        random.shuffle(names)
        for name in [*names]:
            row = by_source[name].pop(random.randrange(len(by_source[name])))
            if not by_source[name]:
                names.remove(name)
            if question := _of_row(row, random):
                found.append(question)
    return found[:count]


def _of_row(row: Row, random: Random) -> Question | None:
    usable = [one for one in sentences(row.text) if len(words(one)) >= LEAST_WORDS]
    if not usable:
        return None
    sentence = random.choice(usable)
    content = [word for word in words(sentence) if word not in STOP]
    some = random.sample(content, max(3, round(KEPT * len(content)))) if len(content) > 3 else content
    start = row.start + row.text.index(sentence)
    return Question(" ".join(some), row.source, start, start + len(sentence)) if some else None
