"""Brings English words to their stems, as the full-text index does (the algorithm Porter2 of Snowball)."""

from __future__ import annotations

import re

_VOWELS = "aeiouy"
_REGION = re.compile(r"[aeiouy][^aeiouy](.*)", re.DOTALL)
_FIXED_REGION = re.compile(r"(?:gener|commun|arsen)(.*)", re.DOTALL)
_HAS_VOWEL = re.compile(r"[aeiouy]")
_SHORT_SYLLABLE = re.compile(r"(?:[^aeiouy][aeiouy][^aeiouywxY]|^[aeiouy][^aeiouy])$")
_HARD_Y = re.compile(r"(?<=[aeiouy])y|^y")
_DOUBLE = ("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt")
_EXCEPTIONS = {
    "skis": "ski", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "idly": "idl", "gently": "gentl", "ugly": "ugli",
    "early": "earli", "only": "onli", "singly": "singl",
    **{word: word for word in ("sky", "news", "howe", "atlas", "cosmos", "bias", "andes")},
}  # fmt: skip
_FINISHED = frozenset({"inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"})
_LONGEST = 40
"""Words of this length are no English but keys and data. The index leaves them out."""

_Table = tuple[tuple[str, str], ...]


def _table(text: str) -> _Table:
    """Pairs of an ending and what it becomes, the longest endings first."""
    pairs = [(ending, new) for ending, _, new in (pair.partition("=") for pair in text.split())]
    return tuple(sorted(pairs, key=lambda pair: -len(pair[0])))


_STEP_2 = _table(
    "tional=tion enci=ence anci=ance abli=able entli=ent izer=ize ization=ize ational=ate ation=ate ator=ate alism=al aliti=al alli=al "
    "fulness=ful ousli=ous ousness=ous iveness=ive iviti=ive biliti=ble bli=ble ogi=og ogist=og fulli=ful lessli=less li="
)
_STEP_3 = _table("tional=tion ational=ate alize=al icate=ic iciti=ic ical=ic ful= ness= ative=")
_STEP_4 = _table("al= ance= ence= er= ic= able= ible= ant= ement= ment= ent= ism= ate= iti= ous= ive= ize= ion=")


def porter(word: str) -> str:
    """The stem of a word in small letters."""
    if len(word) < 3 or len(word) >= _LONGEST or not word.isascii():
        return word
    if word in _EXCEPTIONS:
        return _EXCEPTIONS[word]
    if "y" in word:
        word = _HARD_Y.sub("Y", word)
    first, second = _regions(word)
    word = _without_plural(word)
    if word in _FINISHED:
        return word
    word = _without_tense(word, first)
    if len(word) > 2 and word[-1] in "yY" and word[-2] not in _VOWELS:
        word = word[:-1] + "i"
    for table, region in ((_STEP_2, first), (_STEP_3, first), (_STEP_4, second)):
        word = _replaced(word, table, region, second)
    return _without_last(word, first, second).replace("Y", "y")


def _regions(word: str) -> tuple[int, int]:
    """Where the parts begin that may lose an ending."""
    found = _FIXED_REGION.match(word) or _REGION.search(word)
    first = found.start(1) if found else len(word)
    found = _REGION.search(word, first)
    return first, found.start(1) if found else len(word)


def _without_plural(word: str) -> str:
    if not word.endswith(("s", "ied")):
        return word
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith(("us", "ss")) or not _HAS_VOWEL.search(word[:-2]):
        return word
    return word[:-1]


def _without_tense(word: str, first: int) -> str:
    for ending in ("eedly", "eed"):
        if word.endswith(ending):
            return word[: -len(ending)] + "ee" if len(word) - len(ending) >= first else word
    for ending in ("ingly", "edly", "ing", "ed"):
        if word.endswith(ending):
            rest = word[: -len(ending)]
            return _mended(rest, first) if _HAS_VOWEL.search(rest) else word
    return word


def _mended(rest: str, first: int) -> str:
    if rest.endswith(("at", "bl", "iz")):
        return rest + "e"
    if rest.endswith(_DOUBLE):
        return rest if len(rest) == 3 and rest[0] in "aeo" else rest[:-1]  # add, egg, odd
    return rest + "e" if first >= len(rest) and _SHORT_SYLLABLE.search(rest) else rest


def _replaced(word: str, table: _Table, region: int, second: int) -> str:
    """The word with its longest ending of a table replaced, if that ending lies in the region and follows what it must follow."""
    for ending, new in table:
        if word.endswith(ending):
            start = len(word) - len(ending)
            before = word[start - 1 : start]
            allowed = {"li": before in "cdeghkmnrt", "ogi": before == "l", "ion": before in "st", "ative": start >= second}.get(
                ending, True
            )
            return word[:start] + new if start >= region and allowed and before else word
    return word


def _without_last(word: str, first: int, second: int) -> str:
    last = len(word) - 1
    if word.endswith("e"):
        return word[:-1] if last >= second or (last >= first and not _SHORT_SYLLABLE.search(word[:-1])) else word
    return word[:-1] if word.endswith("ll") and last >= second else word
