"""Finds what two specialists disagree about, and checks it if a script can."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mmos.rehearsal.prompt import Prompt
from mmos.rehearsal.skills import arithmetic, count_words, sort_words, value_of

EQUATION = re.compile(r"(?<![\w.])([-(\d][\d\s().*/%+-]*[\d)])\s*=\s*(-?\d+(?:\.\d+)?)")
COUNT = re.compile(r"\b(\d+)\s+(words|lines|characters|sentences|items)\b", re.IGNORECASE)
VERDICT = re.compile(r"\A\W*(yes|no)\b", re.IGNORECASE)
STATEMENT = re.compile(r"\b(?:answer|result|total|limit|value|number) is:?\s+(-?\d+(?:\.\d+)?)", re.IGNORECASE)
SIGNATURE = re.compile(r"\s*\([^()]*\)\s*\Z")
YES_OR_NO = "yes or no"
FEWEST = 3
"""A line with at least this many items is a list."""


@dataclass(frozen=True)
class Voice:
    """A specialist and its claim."""

    role: str
    value: str


@dataclass(frozen=True)
class Disagreement:
    """Two specialists with different values for the same thing."""

    subject: str
    first: Voice
    second: Voice

    @property
    def values(self) -> tuple[str, str]:
        return self.first.value, self.second.value

    def text(self) -> str:
        first, second = self.first, self.second
        about = "" if self.subject == YES_OR_NO else f" about {self.subject}"
        return f"They disagree{about}: the {first.role} specialist says {first.value}, the {second.role} specialist says {second.value}."


def claims(text: str) -> dict[str, str]:
    """The claims of a text, by subject. Of several claims about a subject the first counts."""
    found: dict[str, str] = {}
    for subject, value in _claims(text):
        found.setdefault(subject, value)
    return found


def _claims(text: str) -> Iterator[tuple[str, str]]:
    for sum_, value in EQUATION.findall(text):
        yield re.sub(r"\s+", "", sum_), value
    for number, unit in COUNT.findall(text):
        yield f"the number of {unit.lower()}", number
    if verdict := VERDICT.match(text):
        yield YES_OR_NO, verdict.group(1).lower()
    for value in STATEMENT.findall(text):
        yield "the number", value
    for line in text.splitlines():
        items = [item.strip() for item in SIGNATURE.sub("", line).rstrip(".").split(",")]
        if len(items) >= FEWEST and all(item and len(item.split()) <= FEWEST for item in items):
            yield f"the order of {', '.join(sorted(items))}", ", ".join(items)


def disagreement(texts: Mapping[str, str]) -> Disagreement | None:
    """The first subject about which two roles disagree. `said` has the text of each role."""
    voices = [(role, claims(text)) for role, text in texts.items()]
    for place, (role, mine) in enumerate(voices):
        for other, theirs in voices[place + 1 :]:
            for subject in mine:
                if subject in theirs and not _same(mine[subject], theirs[subject]):
                    return Disagreement(subject, Voice(role, mine[subject]), Voice(other, theirs[subject]))
    return None


def _same(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return one == other


CHECKS: Sequence[Callable[[Prompt], str | None]] = (arithmetic, count_words, sort_words)


def own_result(about: Disagreement, prompt: Prompt) -> str | None:
    """The result of the arbiter's own check. None: it cannot do this work itself."""
    try:
        return str(value_of(about.subject))
    except (ValueError, ZeroDivisionError):
        results = (claims(check(prompt) or "") for check in CHECKS)
        return next((found[about.subject] for found in results if about.subject in found), None)


def settlement(about: Disagreement, value: str) -> str:
    """The text about the disagreement and the result of the check."""
    right = next((voice.role for voice in (about.first, about.second) if _same(voice.value, value)), None)
    end = f"Take what the {right} specialist says." if right else "Neither of them is right."
    return f"{about.text()} I did it myself and get {value}. {end}"
