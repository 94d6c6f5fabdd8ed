"""Reads what an answer stands for: a short normal form of its choice, its number, its label, its calls or its text."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mmos.voting.choices import choice_of, options_in
from mmos.voting.labels import label_of, named_label, yes_or_no
from mmos.voting.numbers import number_of
from mmos.voting.structures import calls_of, json_of
from mmos.voting.wording import normal

Kind = Literal["choice", "number", "yes_no", "label", "text", "json", "tool_calls"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NO_CALL = "no call"
"""The vote of an answer that calls no tool."""

_ABSTAINS = re.compile(
    r"\b(?:i|we)\s+(?:do\s+not|don'?t|can\s?not|can'?t|am\s+(?:not\s+able|unable)|could\s+not|couldn'?t)\s+(?:really\s+)?(?:to\s+)?"
    r"(?:know|say|tell|answer|determine|decide|help|assist|comply)\b|\b(?:no\s+idea|not\s+sure|impossible\s+to\s+(?:say|tell|know))\b",
    re.IGNORECASE,
)
DOES_NOT_SAY = "it does not say"
_IN_WORDS: Collection[Kind] = ("number", "label", "text")
"""Kinds for which "I do not know" could be read as an answer."""
_END_OF_THOUGHTS = "</think>"
_BRIEF = 200
_LONGEST = 20_000
"""Characters of an answer that are read: half of them from its end."""
_QUESTION = re.compile(r"\b(?:is|are|was|were|does|do|did|can|could|should|will|would|has|have|may)\b[^?]{1,400}\?", re.IGNORECASE)
_OPEN = re.compile(r"(?:^|[.?!:\n])\s*(?:how|what|which|who|whom|whose|when|where|why)\b[^.?!:\n]*$", re.IGNORECASE)
"""The beginning of a question that wants more than yes or no."""
_ASKS_NUMBER = re.compile(
    r"\bhow\s+(?:many|much|long|far|old|often|tall|fast)\b|\b(?:calculate|compute|evaluate)\b|\bwhat\s+is\s+[-\d(]", re.IGNORECASE
)


@dataclass(frozen=True)
class Ballot:
    """What an answer stands for."""

    vote: str | None
    """Its normal form. None: it abstains."""
    why: str = ""
    """Why it abstains."""


def ballot(kind: Kind, answer: str | Sequence[Any] | None, question: str = "") -> Ballot:
    """The vote of an answer: a text, or calls of tools."""
    if kind == "tool_calls":
        return _of_calls(answer)
    answer = answer.rpartition(_END_OF_THOUGHTS)[2] if isinstance(answer, str) else ""
    if not answer.strip():
        return Ballot(None, "it is empty")
    if kind in _IN_WORDS and len(answer) < _BRIEF and _ABSTAINS.search(answer):
        return Ballot(None, DOES_NOT_SAY)
    text = answer if len(answer) <= _LONGEST else f"{answer[: _LONGEST // 2]}\n{answer[-_LONGEST // 2 :]}"
    vote = _READERS[kind](text, question)
    if vote is None:
        return Ballot(None, DOES_NOT_SAY if _ABSTAINS.search(text) else f"no {kind.replace('_', ' or ')} can be read in it")
    return Ballot(vote)


def _of_calls(answer: str | Sequence[Any] | None) -> Ballot:
    calls = calls_of(answer)
    if calls is None:
        return Ballot(None, "its calls cannot be read")
    return Ballot(calls or NO_CALL)


def ballots(kind: Kind, answers: Mapping[str, str | Sequence[Any] | None], question: str = "") -> dict[str, Ballot]:
    """The votes of several answers. A sentence votes for the only label of the others that it names."""
    found = {name: ballot(kind, answer, question) for name, answer in answers.items()}
    if kind != "label":
        return found
    labels = {one.vote for one in found.values() if one.vote}
    for name, answer in answers.items():
        if found[name].vote is None and isinstance(answer, str) and (named := named_label(answer, labels)):
            found[name] = Ballot(named)
    return found


_READERS: Mapping[Kind, Callable[[str, str], str | None]] = {
    "choice": choice_of,
    "number": lambda text, _: number_of(text),
    "yes_no": yes_or_no,
    "label": label_of,
    "json": lambda text, _: json_of(text),
    "text": lambda text, _: normal(text) or None,
}


def kind_of(question: str, answers: Iterable[str]) -> Kind:
    """What kind of answer a question wants, as far as it and the answers show."""
    texts = [text for text in answers if text.strip()]
    if len(options_in(question)) > 1 and _share(texts, lambda text: choice_of(text, question)) > 0.5:
        return "choice"
    if texts and all(json_of(text) is not None for text in texts):
        return "json"
    last = question.rstrip()[-600:]
    if _asks_yes_or_no(last) and _share(texts, lambda text: yes_or_no(text, question)) > 0.5:
        return "yes_no"
    if _ASKS_NUMBER.search(last) and _share(texts, number_of) > 0.5:
        return "number"
    return "text"


def _asks_yes_or_no(text: str) -> bool:
    """Whether one of its questions can be answered by yes or no. "How many legs do they have?" cannot."""
    return any(not _OPEN.search(text[: match.start()]) for match in _QUESTION.finditer(text))


def _share(texts: Sequence[str], read: Callable[[str], str | None]) -> float:
    return sum(read(text) is not None for text in texts) / len(texts) if texts else 0.0
