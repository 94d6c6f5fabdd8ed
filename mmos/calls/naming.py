"""Finds the offered tool that a name means: the exact name, one without its prefix, another spelling, or a typing error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from mmos.calls.spec import Spec

ALIKE = 0.8
"""How similar two words must be, by difflib: one typing error in a word of five letters."""
SHORTEST = 4
"""A shorter word must be exact: `get` is not `set`."""
LONGEST_WORD = 60
"""A longer word must be exact, too."""
LONG = 7
"""Another letter is a typing error in words of at least this length. In a shorter word it makes another word: `insert` and `invert`."""
LONGEST = 100
LONGEST_TEXT = 4 * LONGEST
"""The longest name with quotes, spaces and backslashes around it."""

_ENDINGS = ("s", "es", "d", "ed")
"""Endings that a short word may have or lack. Another ending makes another word: `timer` is not `time`."""
_SIGNS = re.compile(r"[^a-z0-9]+")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_PREFIXES = frozenset(("functions", "function", "tools", "tool", "api", "default_api", "tool_code"))
_STEPS = re.compile(r"\.|/|::|__|:")
_CALLING = re.compile(r"\.(?:call|invoke|run|execute|__call__)$")
"""Some models write this after the name of a tool."""
_NUMBERED = re.compile(r"^\d+[.:)]\s*|[:#]\d+$|\(\s*\)$")


@dataclass(frozen=True)
class Match:
    """The tool that a name means, the repair of the name, and other tools that it may mean."""

    spec: Spec | None = None
    repair: str = ""
    rivals: tuple[str, ...] = ()


class Names:
    """Finds offered tools by their names."""

    def __init__(self, specs: Iterable[Spec]) -> None:
        self.specs: Mapping[str, Spec] = {spec.name: spec for spec in specs}
        self.plain_pieces: dict[str, bool] = {}
        """Whether a piece of a stream is plain text after any other text, by piece."""

    @cached_property
    def _folded(self) -> Mapping[str, Sequence[str]]:
        return _grouped((folded(name), name) for name in self.specs)

    @cached_property
    def _tails(self) -> Mapping[str, Sequence[str]]:
        """The tools by the end of their name, without its first steps."""
        return _grouped((folded(tail), name) for name in self.specs for tail in _without_steps(name))

    @cached_property
    def _beginnings(self) -> frozenset[str]:
        """All beginnings of the names."""
        return frozenset(known[:end] for known in (*self._folded, *self._tails) for end in range(min(len(known), LONGEST) + 1))

    @cached_property
    def _words(self) -> Mapping[str, Sequence[str]]:
        return {name: _words(name) for name in self.specs}

    @cached_property
    def mention(self) -> re.Pattern[str]:
        """Finds every place that may name an offered tool, in any spelling without a typing error."""
        names = {tail for name in self.specs for tail in (name, *_without_steps(name)) if tail == name or len(_words(tail)) > 1}
        groups: dict[str, set[str]] = {}
        for name in names:
            if words := _words(name):
                groups.setdefault(words[0][0], set()).add(_spelled(words))
        # Grouped by first letters: at most places, one letter rules out every name.
        ways = (f"{_letter(first)}(?:{'|'.join(sorted(group, key=len, reverse=True))})" for first, group in groups.items())
        return re.compile("|".join(ways) or r"(?!)")

    def begins(self, word: str) -> bool:
        """Whether a word may be the beginning of an offered name."""
        *steps, last = _STEPS.split(word)
        if not last:  # the end of a sentence, or of one of the prefixes that models like
            return steps[-1].lower() in _PREFIXES or folded(word) in self._beginnings
        return folded(last) in self._beginnings or folded(word) in self._folded

    def sure(self, text: str) -> Match:
        """The tool of this name, in any spelling and with any prefix, but without a typing error."""
        if text in self.specs:
            return Match(self.specs[text])
        if len(text) > LONGEST_TEXT:
            return Match()
        name = _tidied(text)
        if name in self.specs:
            return Match(self.specs[name], f"name: {text} is {name}")
        if len(name) > LONGEST or not name:
            return Match()
        tries = (name, *_without_steps(name), *([name[: calling.start()]] if (calling := _CALLING.search(name)) else ()))
        for index, word in ((self._folded, word) for word in tries):
            if names := index.get(folded(word)):
                return self._one(text, names)
        return self._one(text, self._tails.get(folded(name), ()))

    def near(self, text: str) -> Match:
        """The same. If there is none, the one tool whose name differs only by a typing error or by the order of its words."""
        match = self.sure(text)
        if match.spec or match.rivals or not text or len(text) > LONGEST:
            return match
        for tail in (_tidied(text), *_without_steps(_tidied(text))):
            words = _words(tail)
            alike = [name for name, known in self._words.items() if _alike(words, known)]
            if alike:
                return self._one(text, alike)
        return Match()

    def _one(self, text: str, names: Sequence[str]) -> Match:
        if len(names) == 1:
            return Match(self.specs[names[0]], f"name: {text[:LONGEST]} is {names[0]}")
        return Match(rivals=tuple(names))


def folded(name: str) -> str:
    """Only the letters and digits: `getWeather`, `get-weather` and `Get_Weather` are one name."""
    return _SIGNS.sub("", name.lower())


def _grouped(pairs: Iterable[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    groups: dict[str, list[str]] = {}
    for key, name in pairs:
        if key and name not in groups.setdefault(key, []):
            groups[key].append(name)
    return groups


def _tidied(text: str) -> str:
    name = text.strip(" \t\r\n`'\"*<>[]").replace("\\", "")
    return _NUMBERED.sub("", name).strip()


def _without_steps(name: str) -> list[str]:
    """`functions.web.search` -> `web.search`, `search`."""
    return [name[step.end() :] for step in _STEPS.finditer(name) if folded(name[step.end() :])]


def _words(name: str) -> Sequence[str]:
    return [word.lower() for word in _WORDS.findall(name)]


def _spelled(words: Sequence[str]) -> str:
    r"""A pattern for a name without its first letter, in any spelling: `get_weather`, `get\_weather`, `get-weather`, `getWeather`."""
    return r"\\?[\W_]?".join("".join(map(_letter, word)) for word in (words[0][1:], *words[1:]))


def _letter(sign: str) -> str:
    return f"[{sign}{sign.upper()}]" if sign.isalpha() else sign


def _alike(words: Sequence[str], known: Sequence[str]) -> bool:
    if sorted(words) == sorted(known):
        return bool(words)
    whole, other = "".join(words), "".join(known)
    if len(words) == len(known):
        return all(_same_word(one, two) for one, two in zip(words, known, strict=True))
    return _same_word(whole, other)


def _same_word(word: str, known: str) -> bool:
    """The same word, or one with a typing error. The first letters must be equal: `increase` is not `decrease`."""
    if word == known:
        return True
    if (
        max(len(word), len(known)) > LONGEST_WORD
        or min(len(word), len(known)) < SHORTEST
        or word[0] != known[0]
        or abs(len(word) - len(known)) > 2
    ):
        return False
    if word.startswith(known) or known.startswith(word):
        ending = max(word, known, key=len)[min(len(word), len(known)) :]
        return ending in _ENDINGS or min(len(word), len(known)) >= LONG
    if len(word) == len(known) and sorted(word) != sorted(known) and len(word) < LONG:
        return False
    return SequenceMatcher(None, word, known, autojunk=False).ratio() >= ALIKE
