"""Splits a message into sentences, finds those that a pattern matches, and cuts them out."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from unicodedata import category, normalize

from mmos.fences import plain, visible

CUT = "[cut out]"
"""Stands where a passage was."""

Span = tuple[int, int]
Spelling = Callable[[str], str]

_SENTENCE = re.compile(r"[^\n]+?(?:[.!?](?=\s)|[。！？]|$)", re.MULTILINE)
_MARKUP = re.compile(r"[*`~]|\b_\B|\B_\b")
_LEAD = re.compile(r"\A[^\w]+")
"""The end of the sentence before, with which a pattern may begin."""
_SPACED = re.compile(r"\b(?:\w ){2,}\w\b")
_MIXED = re.compile(r"\b(?=[a-z013457@$]*[a-z]{2})(?=[a-z]*[013457@$])[a-z013457@$]{4,}")
_DIGITS = str.maketrans("013457@$", "oieastas")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
_QUOTED = re.compile("[\"“„«][^\"“”„«»\n]{1,400}[\"”“»]|(?<!\\w)['‘][^'‘’\n]{1,400}['’](?!\\w)|`[^`\n]{1,400}`")
_HYPHEN = re.compile(r"(?<=\w)-(?=\w)")
_MENTIONS = re.compile(
    r"\b(?:contain|line|say|said|string|prompt|input|attack|inject|payload|text|phrase|example|such as|like|filter|pattern|regex|test|log|comment|ticket|literal|word|sentence|catch|match|block)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Sentence:
    start: int
    end: int
    opens_line: bool


def found(text: str, patterns: Iterable[re.Pattern[str]]) -> list[Span]:
    """The places of all sentences that a pattern matches, whichever way the words are spelled. What is only quoted does not count."""
    sentences = _sentences(text)
    places: list[Span] = []
    for spell in (_latin, _unbroken, _as_written):
        joined, starts = _joined(text, sentences, spell)
        for pattern in patterns:
            for match in pattern.finditer(joined):
                begin = match.start() + len(match[0]) - len(_LEAD.sub("", match[0]))
                first, last = (bisect_right(starts, at) - 1 for at in (begin, max(begin, match.end() - 1)))
                places += [] if _is_mention(text, sentences[first : last + 1], pattern, spell) else _spans(sentences[first : last + 1])
    return places


def without(text: str, places: Iterable[Span], instead: str = CUT) -> str:
    """The text, with something else where each place was. Places may overlap."""
    parts: list[str] = []
    at = 0
    for start, end in _merged(places):
        parts += [text[at:start], instead]
        at = end
    return "".join([*parts, text[at:]]).strip()


def in_code(text: str) -> list[Span]:
    """The places of code blocks and of code within a line."""
    return [match.span() for match in _CODE.finditer(text)]


def _spans(sentences: list[_Sentence]) -> list[Span]:
    return [(sentence.start, sentence.end) for sentence in sentences]


def _merged(places: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(places):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _sentences(text: str) -> list[_Sentence]:
    sentences: list[_Sentence] = []
    for match in _SENTENCE.finditer(text):
        start = match.end() - len(match[0].lstrip())
        if start < match.end():
            sentences.append(_Sentence(start, match.end(), not text[text.rfind("\n", 0, start) + 1 : start].strip()))
    return sentences


def _joined(text: str, sentences: list[_Sentence], spell: Spelling) -> tuple[str, list[int]]:
    joined, starts = "", []
    for sentence in sentences:
        joined += "" if not joined else "\n" if sentence.opens_line else " "
        starts.append(len(joined))
        joined += spell(text[sentence.start : sentence.end])
    return joined, starts


def _is_mention(text: str, sentences: list[_Sentence], pattern: re.Pattern[str], spell: Spelling) -> bool:
    """Whether the words stand in quotes, and the sentence says that it is about them."""
    if not sentences:
        return True
    whole = text[sentences[0].start : sentences[-1].end]
    quotes = [match for match in _QUOTED.finditer(whole) if pattern.search(spell(match[0]))]
    return any(_MENTIONS.search(whole[: quote.start()]) for quote in quotes) and not pattern.search(spell(_QUOTED.sub(" ", whole)))


def _latin(sentence: str) -> str:
    """The sentence in lower case and in letters without accents. Digits that stand for letters are letters."""
    whole = _MARKUP.sub("", plain(sentence)).casefold()
    if not whole.isascii():
        whole = "".join(sign for sign in normalize("NFKD", whole) if category(sign) != "Mn")
    whole = _SPACED.sub(lambda spaced: spaced[0].replace(" ", ""), whole)
    return " ".join(_MIXED.sub(lambda word: word[0].translate(_DIGITS), whole).replace("’", "'").split())


def _unbroken(sentence: str) -> str:
    """The same, without hyphens inside of words."""
    return _latin(_HYPHEN.sub("", sentence)) if _HYPHEN.search(sentence) else ""


def _as_written(sentence: str) -> str:
    """The sentence in lower case and in its own letters."""
    return "" if sentence.isascii() else " ".join(_MARKUP.sub("", visible(sentence)).casefold().split())
