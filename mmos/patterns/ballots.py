"""Reads what an answer votes for, so that answers in other words can be counted together; pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from mmos.comparing import final

Kind = Literal["choice", "yes_no", "number", "json", "label", "text"]
LONGEST_LABEL = 80
LONGEST_VOTE = 200
"""Characters of a vote that people see."""
ALIKE = 0.85
"""The cosine of two vectors from which two texts may be the same."""
LONGEST_NUMBER = 40
OVERLAP = 0.6
"""Texts with fewer words in common are different answers, whatever else is alike."""

_YES_NO = re.compile(
    r"\byes or no\b|\btrue or false\b|^\W*(?:is|are|was|were|does|do|did|can|could|should|has|have|will|would|must|may)\b", re.IGNORECASE
)
_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|old|long|far|tall)\b|\bcalculate\b|\bcompute\b|\bwhat is [-(]?\d|\bthe (?:number|sum|product|total)\b",
    re.IGNORECASE,
)
_ABSTAINS = re.compile(
    r"\W{0,8}(?:i (?:do not|don['’]t) know|i(?:['’]m| am) not (?:sure|certain)|i (?:cannot|can['’]t) (?:answer|determine|say|help)|cannot be determined|unknown|no answer|n/a)\b",
    re.IGNORECASE,
)
_NEGATIONS = re.compile(
    r"\b(?:not|no|never|none|neither|nor|without|cannot|\w+n['’]t|false|incorrect|wrong|un(?:safe|able|likely))\b", re.IGNORECASE
)
_WORDS = re.compile(r"[^\W_]{2,}")
_NAMES = re.compile(r"(?<![.!?:\n] )(?<!^)\b[A-Z][\w-]+", re.MULTILINE)
_FENCE = re.compile(r"^\s*```\w*\n(.*?)\n?```\s*$", re.DOTALL)


@dataclass(frozen=True)
class Ballot:
    """The vote of an answer."""

    vote: str
    """In a short normal form. Empty: it abstains."""

    @property
    def abstains(self) -> bool:
        return not self.vote


def kind_of(question: str, answers: Sequence[str]) -> Kind:
    """What these answers have in common that can be compared."""
    said = [text for text in answers if text.strip() and not _ABSTAINS.match(text)]
    if final.options(question):
        return "choice"
    if said and all(_json(text) is not None for text in said):
        return "json"
    if _YES_NO.search(question) and _most(said, lambda text: final.verdict(text) is not None):
        return "yes_no"
    if _ASKS_NUMBER.search(question) and _most(said, lambda text: final.number(text) is not None):
        return "number"
    if said and all(_is_short(text) for text in said):
        return "number" if all(final.number(text) is not None and len(text) < LONGEST_NUMBER for text in said) else "label"
    return "text"


def ballot(kind: Kind, text: str, question: str = "") -> Ballot:
    """The vote of an answer. An answer that says nothing, or that it does not know, abstains."""
    text = final.visible(text).strip()
    if not text or (len(text) < LONGEST_VOTE and _ABSTAINS.match(text)):
        return Ballot("")
    return Ballot(_vote(kind, text, question)[:10_000])


def _vote(kind: Kind, text: str, question: str) -> str:
    match kind:
        case "choice":
            return final.choice(text, final.options(question)) or ""
        case "yes_no":
            verdict = final.verdict(text)
            return "" if verdict is None else "yes" if verdict else "no"
        case "number":
            number = final.number(text)
            return "" if number is None else f"{number[0]:.10g}{'%' if number[1] else ''}"
        case "json":
            value = _json(text)
            return "" if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return final.plain(final.conclusion(text) or text) if kind == "label" else " ".join(text.split())


def agree(one: str, other: str, likeness: Callable[[str, str], float] | None = None) -> bool:
    """Whether two texts say the same. Numbers, negations and names must be the same in both: texts that contradict each other are often alike."""
    if final.plain(one) == final.plain(other):
        return True
    if any(found(one) != found(other) for found in (_numbers, _negations, _names)):
        return False
    words, others = (set(_WORDS.findall(final.plain(text))) for text in (one, other))
    shared = len(words & others) / max(1, len(words | others))
    return shared >= OVERLAP if likeness is None else likeness(one, other) >= ALIKE and shared > 0


def _numbers(text: str) -> set[float]:
    return {value for value, _ in final.numbers(text)}


def _negations(text: str) -> bool:
    return len(_NEGATIONS.findall(text)) % 2 == 1


def _names(text: str) -> set[str]:
    return {name.casefold() for name in _NAMES.findall(text)}


def _json(text: str) -> Any:
    """The object or the list that a text is, also in a code block. None: it is none."""
    inner = _FENCE.match(text)
    body = (inner[1] if inner else text).strip()
    if not body.startswith(("{", "[")):
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _is_short(text: str) -> bool:
    return len(text.strip()) <= LONGEST_LABEL and "\n" not in text.strip()


def _most(texts: Sequence[str], holds: Callable[[str], bool]) -> bool:
    return bool(texts) and 2 * sum(map(holds, texts)) > len(texts)


# ---------------------------------------------------------------- counting


@dataclass(frozen=True)
class Tally:
    """The votes, counted."""

    vote: str
    """What won. Empty: all abstain."""
    behind: tuple[str, ...]
    """The keys of those who stand behind it."""
    agreement: float
    """The share of the weight of all, abstentions included, that stands behind it."""
    is_tie: bool = False


def tally(votes: Mapping[str, str], weights: Mapping[str, float]) -> Tally:
    """Count votes by key. Equal votes are one. A tie goes to the one whose best voter counts most, and is marked."""
    totals: dict[str, float] = {}
    for key, vote in votes.items():
        if vote:
            totals[vote] = totals.get(vote, 0.0) + weights[key]
    if not totals:
        return Tally("", (), 0.0)
    first = {vote: min(key for key in votes if votes[key] == vote) for vote in totals}
    ranked = sorted(totals, key=lambda vote: (-totals[vote], -max(weights[key] for key in votes if votes[key] == vote), first[vote]))
    whole = sum(weights[key] for key in votes)
    is_tie = len(ranked) > 1 and totals[ranked[0]] - totals[ranked[1]] < 1e-9 * max(1.0, whole)
    behind = tuple(key for key, vote in votes.items() if vote == ranked[0])
    return Tally(ranked[0], behind, round(totals[ranked[0]] / whole, 4), is_tie)
