"""Says whether an answer is what was expected. Each kind of expectation names what is wrong with an answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mmos.calls.naming import Names
from mmos.calls.patience import Misread
from mmos.calls.patterns import search
from mmos.calls.shape import Shape, bare
from mmos.calls.text import RawReply, read_text
from mmos.comparing import final

CLOSE = 1e-6
"""Two numbers are the same if they differ by no more than this part of them."""
LONGEST_PATTERN_TEXT = 20_000
"""Characters of an answer in which a pattern is searched."""
SHOWN = 60


class Expectation(Protocol):
    """What a case expects of an answer."""

    def problem(self, answer: str) -> str:
        """What is wrong with an answer. Empty: it is right."""
        ...


def _shown(text: object) -> str:
    words = " ".join(str(text).split())
    return words if len(words) <= SHOWN else f"{words[: SHOWN - 1]}…"


@dataclass(frozen=True)
class Words:
    """These words are the answer, or stand in it. If a text marks its answer, only that counts."""

    wanted: str

    def problem(self, answer: str) -> str:
        marked = final.conclusion(answer)
        found, wanted = final.plain(answer if marked is None else marked), final.plain(self.wanted)
        said = found.replace(f"not {wanted}", "").replace(f"n't {wanted}", "")
        if final.has_words(said, wanted) or found.replace(" ", "") == wanted.replace(" ", ""):
            return ""
        return f"it does not say {_shown(self.wanted)}"


@dataclass(frozen=True)
class Contains:
    """All these words stand in the answer."""

    wanted: Sequence[str]

    def problem(self, answer: str) -> str:
        text = final.plain(answer)
        missing = [words for words in self.wanted if not final.has_words(text, final.plain(words))]
        return f"it lacks {', '.join(map(_shown, missing))}" if missing else ""


@dataclass(frozen=True)
class Excludes:
    """None of these words stands in the answer."""

    unwanted: Sequence[str]

    def problem(self, answer: str) -> str:
        text = final.plain(answer)
        found = [words for words in self.unwanted if final.has_words(text, final.plain(words))]
        return f"it says {', '.join(map(_shown, found))}" if found else ""


@dataclass(frozen=True)
class Equals:
    """The answer is this text and nothing more, in any case, spacing and Markdown."""

    wanted: str

    def problem(self, answer: str) -> str:
        return "" if final.plain(bare(answer)) == final.plain(self.wanted) else f"it is not {_shown(self.wanted)}"


@dataclass(frozen=True)
class Pattern:
    """A regular expression matches somewhere in the answer. The work for it is limited, so no pattern can hang."""

    pattern: str

    def problem(self, answer: str) -> str:
        try:
            return "" if search(self.pattern, answer[-LONGEST_PATTERN_TEXT:]) else f"it does not match {_shown(self.pattern)}"
        except Misread:
            return f"matching {_shown(self.pattern)} takes too much work"


@dataclass(frozen=True)
class Number:
    """The answer is this number."""

    value: float
    tolerance: float | None = None
    """How far from it the answer may be. None: only rounding."""

    def problem(self, answer: str) -> str:
        found = final.number(answer)
        if found is None:
            return "it has no number"
        value, is_percentage = found
        within = CLOSE * max(1.0, abs(self.value)) if self.tolerance is None else self.tolerance
        if any(math.isfinite(one) and abs(one - self.value) <= within for one in (value, *((value / 100,) if is_percentage else ()))):
            return ""
        return f"it says {value:g}, not {self.value:g}"


@dataclass(frozen=True)
class Choice:
    """The answer chooses this letter, or says the text of its option."""

    letter: str
    options: Mapping[str, str] = field(default_factory=dict)

    def problem(self, answer: str) -> str:
        found = final.choice(answer, self.options)
        return "" if found == self.letter else "it chooses nothing" if found is None else f"it chooses {found}, not {self.letter}"


@dataclass(frozen=True)
class Verdict:
    """The answer says yes, or no."""

    yes: bool

    def problem(self, answer: str) -> str:
        found = final.verdict(answer)
        return "" if found is self.yes else "it says neither yes nor no" if found is None else f"it says {'yes' if found else 'no'}"


@dataclass(frozen=True)
class Fits:
    """The answer is JSON that fits a schema."""

    shape: Shape

    def problem(self, answer: str) -> str:
        return " ".join(self.shape.problems(answer)[:1])


@dataclass(frozen=True)
class WantedCall:
    """A tool call. Each argument has the values that are right."""

    name: str
    arguments: Mapping[str, Sequence[Any]]
    optional: frozenset[str] = frozenset()

    def is_met_by(self, name: str, arguments: Mapping[str, Any]) -> bool:
        if name != self.name or arguments.keys() - self.arguments.keys() or self.arguments.keys() - arguments.keys() - self.optional:
            return False
        return all(any(same(value, right) for right in self.arguments[key]) for key, value in arguments.items())


@dataclass(frozen=True)
class Calls:
    """The answer is made of exactly these tool calls, in any order."""

    wanted: Sequence[WantedCall]
    names: Names
    """The tools that were offered."""

    def problem(self, answer: str) -> str:
        found = list(read_text(RawReply(answer, self.names)).calls)
        if len(found) != len(self.wanted):
            return f"it has {len(found)} tool calls, not {len(self.wanted)}"
        for wanted in self.wanted:
            met = next((call for call in found if wanted.is_met_by(call.name, call.arguments)), None)
            if met is None:
                return f"it does not make the right call of {_shown(wanted.name)}"
            found.remove(met)
        return ""


def same(one: Any, other: Any) -> bool:
    """Whether two values of JSON mean the same: texts in any case and spacing, whole numbers and fractions alike."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=CLOSE)
    if isinstance(one, str) and isinstance(other, str):
        return final.plain(one) == final.plain(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return bool(one == other)


@dataclass(frozen=True)
class Several:
    """All of several expectations, or one of them."""

    parts: Sequence[Expectation]
    combine: Callable[[Sequence[str]], str]

    def problem(self, answer: str) -> str:
        return self.combine([part.problem(answer) for part in self.parts])


def every(parts: Sequence[Expectation]) -> Expectation:
    return parts[0] if len(parts) == 1 else Several(parts, lambda problems: "; ".join(filter(None, problems)))


def one_of(parts: Sequence[Expectation]) -> Expectation:
    return parts[0] if len(parts) == 1 else Several(parts, lambda problems: "" if "" in problems else problems[0])
