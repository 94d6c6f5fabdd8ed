"""Reads what a judge says of an answer, point by point, and believes only what it can quote (pure functions)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mmos.fences import one_line, plain
from mmos.quality.finding import Finding, Severity

Opinion = Literal["good", "bad", "cannot_verify"]


@dataclass(frozen=True)
class Point:
    """A question that a judge answers."""

    name: str
    kind: str
    """The kind of the finding, when the answer is bad in this."""
    severity: Severity
    penalty: float
    """The part of the score that an answer loses when it is bad in this."""
    of_question: bool = False
    """Whether words of the question may be the evidence: what is missing cannot be quoted from the answer."""


RUBRIC = (
    Point("correct", "incorrect", "error", 0.5),
    Point("complete", "incomplete", "warning", 0.3, of_question=True),
    Point("instructions", "instructions", "warning", 0.3, of_question=True),
    Point("safe", "unsafe", "error", 0.5),
)
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        point.name: {
            "type": "object",
            "properties": {
                "quote": {"type": "string", "minLength": 1},
                "fault": {"type": "string"},
                "cure": {"type": "string"},
                "verdict": {"type": "string", "enum": ["good", "bad", "cannot_tell"]},
            },
            "required": ["quote", "fault", "cure", "verdict"],
            "additionalProperties": False,
        }
        for point in RUBRIC
    },
    "required": [point.name for point in RUBRIC],
    "additionalProperties": False,
}
"""What a judge has to give. The evidence comes before the verdict, because a model writes in this order."""

LEAST_QUOTE = 8
"""A shorter quotation proves nothing, unless it is the whole answer."""
LONGEST = 500
"""Characters of a text of a judge that a finding keeps."""

_ELLIPSIS = re.compile(r"\.\.\.|…|\[\.\.\.\]|\[…\]")
_MARKS = " \t\n\"'`*_“”‘’«»"
_ALIKE = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "*": "", "`": ""})


@dataclass(frozen=True)
class Reading:
    """What a judge said that counts."""

    opinions: Mapping[str, Opinion]
    """By point."""
    findings: tuple[Finding, ...] = ()

    @property
    def counts(self) -> bool:
        return any(opinion != "cannot_verify" for opinion in self.opinions.values())


UNREADABLE = Reading({point.name: "cannot_verify" for point in RUBRIC})


def read(data: Any, question: str, answer: str, judge: str) -> Reading:
    """The opinion on each point whose quotation is really there. `data`: the value that fits `SCHEMA`; anything else says nothing."""
    if not isinstance(data, Mapping):
        return UNREADABLE
    opinions: dict[str, Opinion] = {}
    findings: list[Finding] = []
    for point in RUBRIC:
        said = data.get(point.name)
        said = said if isinstance(said, Mapping) else {}
        opinion = opinions[point.name] = _opinion(point, said, question, answer)
        if opinion == "bad":
            findings.append(_finding(point, said, answer, judge))
    return Reading(opinions, tuple(findings))


def _opinion(point: Point, said: Mapping[str, Any], question: str, answer: str) -> Opinion:
    verdict, quote = said.get("verdict"), _text(said, "quote")
    if verdict == "good" and is_quoted(quote, answer):
        return "good"
    if verdict == "bad" and _text(said, "fault") and (is_quoted(quote, answer) or (point.of_question and is_quoted(quote, question))):
        return "bad"
    return "cannot_verify"


def is_quoted(quote: str, text: str) -> bool:
    """Whether words are really in a text. White space, quotation marks and emphasis do not count; a quotation may leave out what is between two parts."""
    whole = _normal(text)
    parts = [part for part in (_normal(part).strip(_MARKS + ".,;:") for part in _ELLIPSIS.split(quote)) if part]
    if not parts or sum(map(len, parts)) < min(LEAST_QUOTE, len(whole.strip(_MARKS + ".,;:"))):
        return False
    place = 0
    for part in parts:
        place = whole.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return True


def _finding(point: Point, said: Mapping[str, Any], answer: str, judge: str) -> Finding:
    quote = _text(said, "quote")
    fault, cure = (one_line(_text(said, name)) for name in ("fault", "cure"))
    return Finding(point.kind, point.severity, _where(quote, answer), fault, cure, quote, judge)


def _where(quote: str, answer: str) -> str:
    """The line of the answer in which a quotation begins. Empty: it is not in the answer, or nobody can say where."""
    first = next((line.strip(_MARKS) for line in quote.splitlines() if line.strip(_MARKS)), "")
    lines = answer.splitlines()
    place = next((number for number, line in enumerate(lines, 1) if first and first in line), 0)
    return f"line {place}" if place and len(lines) > 1 else ""


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value.strip()[:LONGEST] if isinstance(value, str) else ""


def _normal(text: str) -> str:
    return " ".join(plain(text).translate(_ALIKE).casefold().split())
