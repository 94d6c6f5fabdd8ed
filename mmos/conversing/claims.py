"""Compares what participants claim: whether two claims say the same, or the opposite. Words and numbers decide, no model does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from mmos.fences import plain
from mmos.views.talks import Said, Talk

ALIKE = 0.7
"""So many of the words of the shorter claim must be in the longer one."""
SAME_SUBJECT = 0.7
"""Claims with other numbers, or with a `not`, must have more words in common: most such claims are about different things."""
LONGER = 2
"""A claim that is much longer says more than the other one, and seldom its opposite."""
MOST_DENIED = 8
"""In a longer sentence, a `not` may be about a part of it alone."""
STEM = 6
"""Words with the same beginning are the same word in another form."""

_WORD = re.compile(r"[^\W\d_]{3,}")
_ENDING = re.compile(r"(?<=\w{3})(?:ing|ed|es|en|er|e|s)\Z")
_NUMBER = re.compile(r"(?<![\w.])(\d+(?:[.,]\d+)*)(?:[ -]?(%|[^\W\d_]{1,12}))?(?!\w|\.\d)")
_NOT = re.compile(
    r"\b(?:not|no|never|none|cannot|without|isn't|aren't|doesn't|don't|won't|can't|nicht|kein\w*|nie|niemals|ohne|ne|pas|jamais|nunca|sin|non|mai)\b"
)
_EMPTY = re.compile(
    r"the|and|that|this|these|those|with|from|into|have|has|had|are|was|were|been|being|for|but|they|them|their|there|then|"
    r"than|which|what|when|where|who|why|how|will|would|should|could|can|may|might|must|its|it's|you|your|our|also|only|just|"
    r"very|more|most|some|any|each|per|all|about|after|before|because|since|until|over|under|der|die|das|den|dem|des|und|ist|"
    r"sind|war|ein|eine|einen|einem|einer|mit|von|für|auf|dass|wird|werden|les|des|une|est|pas|que|los|las|una|por|con|del|nos|"
    r"not|never|none|cannot|without|nicht|nie|ohne|jamais|nunca"
)
"""Words that say nothing about the subject."""


@dataclass(frozen=True)
class Claim:
    text: str
    who: str
    number: int

    @cached_property
    def words(self) -> frozenset[str]:
        return stems(self.text)

    @cached_property
    def denies(self) -> bool:
        return len(_NOT.findall(plain(self.text).casefold())) % 2 == 1

    @cached_property
    def numbers(self) -> frozenset[tuple[str, str]]:
        """Each number with its unit, such as `("40", "kb")`."""
        return frozenset((number.replace(",", ""), unit[:STEM]) for number, unit in _NUMBER.findall(plain(self.text).casefold()))


@lru_cache(maxsize=4096)
def stems(text: str) -> frozenset[str]:
    """The beginnings of the words that carry meaning."""
    return frozenset(_ENDING.sub("", word)[:STEM] for word in _WORD.findall(plain(text).casefold()) if not _EMPTY.fullmatch(word))


def claims_of(talk: Talk) -> dict[int, list[Claim]]:
    """The claims of each message that others read. Of participants that never name claims: their sentences that are no questions."""
    read = [said for said in talk.messages if not said.dropped]
    naming = {said.sent.sender for said in read if said.claims}
    return {said.number: [*_claims(said, said.claims if said.sent.sender in naming else _statements(said.text))] for said in read}


def _claims(said: Said, texts: Iterable[str]) -> Iterator[Claim]:
    for text in texts:
        if stems(text) or _NUMBER.search(text):
            yield Claim(text, said.sent.sender, said.number)


def new_claims(claims: Mapping[int, Sequence[Claim]]) -> dict[int, list[Claim]]:
    """Of each message, the claims that nobody made before it."""
    earlier: list[Claim] = []
    news: dict[int, list[Claim]] = {}
    for number, made in sorted(claims.items()):
        news[number] = [claim for claim in made if not any(alike(claim, before) for before in earlier)]
        earlier += made
    return news


def alike(one: Claim, other: Claim) -> bool:
    """Whether both say the same."""
    return one.denies == other.denies and not _other_numbers(one, other) and _shared(one, other) >= ALIKE


def opposed(one: Claim, other: Claim) -> bool:
    """Whether both speak of the same and cannot both be true, as far as words show."""
    fewer, more = sorted((len(one.words), len(other.words)))
    if _shared(one, other) < SAME_SUBJECT or more > LONGER * fewer:
        return False
    return _other_numbers(one, other) or (one.denies != other.denies and more <= MOST_DENIED)


def _shared(one: Claim, other: Claim) -> float:
    least = min(len(one.words), len(other.words))
    if not least:
        return 1.0 if one.text.strip().casefold() == other.text.strip().casefold() else 0.0
    return len(one.words & other.words) / least


def _other_numbers(one: Claim, other: Claim) -> bool:
    """Whether they have different numbers of one unit, as `40 kB` and `60 kB` are."""
    units = {unit for _, unit in one.numbers} & {unit for _, unit in other.numbers}
    return any({pair for pair in one.numbers if pair[1] == unit} != {pair for pair in other.numbers if pair[1] == unit} for unit in units)


def _statements(text: str) -> Iterator[str]:
    prose = re.sub(r"```.*?(?:```|\Z)", " ", text, flags=re.DOTALL)
    for sentence in re.findall(r"[^\n.!?。！？]+(?:\.\d[^\n.!?]*)*[.!?。！？]?", prose):
        if len(stems(sentence)) >= 2 and not sentence.rstrip().endswith("?"):
            yield sentence.strip()
