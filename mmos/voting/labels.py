"""Reads a label, or yes or no, in an answer."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

_YES, _NO = "yes", "no"
_FIRST = re.compile(
    r"^[\W_]{0,12}(?:answer|short answer|verdict|conclusion|result)?[\W_]{0,12}(yes|no|true|false|correct|incorrect)\b", re.IGNORECASE
)
_SAID = re.compile(
    r"\b(?:answer|verdict|conclusion|summary)\b\W{0,6}(?:is\W{1,6})?(?:\\boxed\{)?(?:\\text\{)?(yes|no|true|false)\b", re.IGNORECASE
)
_LINE = re.compile(r"(?im)(?:^[\W_]{0,6}|[:;]\s+\**)(yes|no)\b(?=\s*[,.:;*!-]|$)")
_WORDS = {"yes": _YES, "true": _YES, "correct": _YES, "no": _NO, "false": _NO, "incorrect": _NO}
_DENIED = re.compile(
    r"\b(?:do(?:es)?|did|is|are|was|were|can|could|should|has|have|will|would)\s*(?:not|n't|n’t)\b|\b(?:cannot|won['’]t|never|lacks?|free\s+(?:of|from)|absence\s+of)\b"
    r"|\b(?:is|are|has|have|contains?|find|found|see|shows?|reveals?|with)\s+(?:\W{0,3})no\b|\bno\s+(?:\w+\W+){0,5}(?:found|present|exists?|issues?|instances?|risk|vulnerabilit)",
    re.IGNORECASE,
)
_STATED = re.compile(
    r"\b(?:contains?|has|have|exhibits?|suffers?|introduces?|leads?\s+to|results?\s+in|vulnerable|there\s+(?:is|are)|is\s+an?|causes?|present|exists?|occurs?\s+(?:here|in)|avoids?|safe)\b",
    re.IGNORECASE,
)
_HEDGED = re.compile(
    r"\b(?:if|whether|when|occurs?\s+when|would|could|might|may|in\s+general|let'?s|let\s+us|to\s+(?:determine|check|prevent|avoid|fix|understand|analy[sz]e)|refers?\s+to)\b|\?",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?:^|[.!?:\n])\s*(?:is|are|was|were|does|do|did|can|could|should|has|have|will|would|must|may)\b[^?]{3,400}\?", re.IGNORECASE
)
_GOOD = re.compile(r"\b(?:avoids?|safe|mitigated|prevented|blocked)\b", re.IGNORECASE)
_DOUBTED = re.compile(
    r"\b(?:not|never)\s+(?:\w+\s+)?(?:safe|prevent|protect|mitigate|check|guard|sanitize|validate|escape|secure)", re.IGNORECASE
)
_REASON = re.compile(
    r"\b(?:because|due\s+to|since|which|that\s+(?:is|are|does|do|was)|by\s+\w+ing|as\s+(?:it|they))\b|[.!?]\s*\n",
    re.IGNORECASE,
)
"""Where the claim of a sentence ends. A denial behind it belongs to the reason."""
_CLAUSE = re.compile(r";|,\s+(?:and|but|while)\b", re.IGNORECASE)
_SHORTEST = 15
_OPENS = re.compile(
    r"^\W{0,12}(?:so|therefore|thus|hence|(?:in\s+)?(?:conclusion|summary))?\W{0,12}(yes|no)(?:\s*[,.:;–—]|$)", re.IGNORECASE
)
_CONCLUDES = re.compile(r"^\W{0,12}(?:so|therefore|thus|hence|overall|(?:in\s+)?(?:conclusion|summary|short))\b", re.IGNORECASE)
_ALTERNATIVES = re.compile(r"\bor\b", re.IGNORECASE)
_LONGEST = 5
"""Words of a label. A longer line is a sentence."""
_SENTENCE = re.compile(r"(?:(?<=[.!?\n])|(?<=[.!?][\"”)]))\s+")
_EARLY = 250
"""Characters in which an answer says at once what it concludes."""
_COMMON = frozenset({
    "does", "this", "that", "code", "contain", "instances", "known", "security", "the", "of", "a", "an", "as", "is", "are", "there",
    "any", "in", "it", "with", "have", "has", "do",
})  # fmt: skip


def yes_or_no(text: str, question: str = "") -> str | None:
    """yes or no: as the answer concludes, as it begins, or as it states what is asked."""
    statements = _statements(text, question)
    concluding = [one.vote for one in statements if one.concludes and one.is_clear]
    if concluding:
        return concluding[-1]
    for found in (_FIRST.search(text.strip()), *reversed(list(_SAID.finditer(text))), *_LINE.finditer(text)):
        if found:
            return _WORDS[found[1].lower()]
    return _stated(statements)


class _Statement(NamedTuple):
    """A sentence that states or denies what is asked."""

    vote: str
    place: int
    is_clear: bool
    concludes: bool


def _stated(statements: Sequence[_Statement]) -> str | None:
    """A clear sentence at the beginning counts, else the last one: answers conclude at their ends."""
    clear = [one for one in statements if one.is_clear]
    if clear and clear[0].place < _EARLY:
        return clear[0].vote
    votes = clear or statements
    return votes[-1].vote if votes else None


def _statements(text: str, question: str) -> list[_Statement]:
    """The sentences about what is asked: with most of its words, or if there is none, with some."""
    asked = {word[:6] for word in re.findall(r"[a-z]{3,}", _asked(question)) if word not in _COMMON}
    plain = re.sub(r"[*`]+", "", re.sub(r"```.*?```", " ", text, flags=re.DOTALL))
    sentences = [(_count(sentence, asked), sentence) for sentence in _SENTENCE.split(plain)]
    for least in sorted({min(len(asked), 3), 1}, reverse=True):
        found = [_statement(sentence, plain, asked) for words, sentence in sentences if words >= least > 0 and _says(sentence)]
        if found:
            return found
    return []


def _count(text: str, words: Collection[str]) -> int:
    return sum(word in text.lower() for word in words)


def _claim(clause: str) -> str:
    """A clause without its reason, which may deny something else."""
    claim = _REASON.split(clause, maxsplit=1)[0]
    return claim if len(claim) >= _SHORTEST else clause  # the reason stands first


def _says(sentence: str) -> bool:
    return any(pattern.search(sentence) for pattern in (_OPENS, _STATED, _DENIED))


def _statement(sentence: str, text: str, asked: Collection[str]) -> _Statement:
    claims = [claim for clause in _CLAUSE.split(sentence) if _says(claim := _claim(clause))]
    claim = max(claims, key=lambda one: _count(one, asked), default=sentence)
    if (said := _OPENS.search(sentence)) and not _CLAUSE.search(sentence):  # yes, it has faults, but not this one
        vote = said[1].lower()
    else:
        vote = _NO if (_DENIED.search(claim) or _GOOD.search(claim)) and not _DOUBTED.search(claim) else _YES
    return _Statement(vote, text.find(sentence), not _HEDGED.search(sentence), bool(_CONCLUDES.search(sentence)))


def _asked(question: str) -> str:
    """The sentence that asks. Code or a text may stand around it."""
    sentences = re.findall(r"[^.?!\n]{8,300}\?", question)
    return (sentences[0] if sentences else question[-400:]).lower()


def label_of(text: str, question: str = "") -> str | None:
    """The label in an answer: yes or no where that is asked, else its announced or its first line."""
    polar = yes_or_no(text, question)
    if polar is not None and (_FIRST.search(text.strip()) or "?" in question):
        return polar
    if asks_yes_or_no(question):
        return None
    announced = re.findall(r"(?im)\b(?:label|class|category|answer|verdict)\b\W{0,4}(?:is\W{1,4})?([^\n.]{1,60})", text)
    line = announced[-1] if announced else text.strip().splitlines()[0]
    words = "" if line.rstrip().endswith(":") else plain_label(line)  # the title of an explanation
    return words if 0 < len(words.split()) <= _LONGEST else None


def asks_yes_or_no(question: str) -> bool:
    """Whether only yes and no answer a question."""
    return any(not _ALTERNATIVES.search(asked) for asked in _ASKS.findall(question))


def plain_label(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s-]+", " ", text).lower().split())


def named_label(text: str, labels: Collection[str]) -> str | None:
    """The only one of these labels that an answer names. yes and no are words of many sentences, and say nothing here."""
    padded = f" {plain_label(text)} "
    named = [label for label in labels if label not in (_YES, _NO) and f" {label} " in padded]
    return named[0] if len(named) == 1 else None
