"""Finds the offered tool that a name means: the exact name, one without its prefix, another spelling, or a typing error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from mmos.calls.spec import Spec

ALIKE = 0.8
"""How alike two words must be to be one, as difflib counts: one slip in a word of five letters."""
SHORTEST = 4
"""A shorter word must be exact: `get` and `set` are no slips of each other."""
LONGEST_WORD = 60
"""So must a longer one."""
LONG = 7
"""A letter for another is a slip in words of this length; in shorter ones it is another word: `insert` and `invert`."""
LONGEST = 100
LONGEST_SAID = 4 * LONGEST
"""With quotes, blanks and backslashes around the name."""

_ENDINGS = ("s", "es", "d", "ed")
"""What may be one too many, or missing, at the end of a short word: `timer` is no slip of `time`."""
_SIGNS = re.compile(r"[^a-z0-9]+")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_PREFIXES = frozenset(("functions", "function", "tools", "tool", "api", "default_api", "tool_code"))
_STEPS = re.compile(r"\.|/|::|__|:")
_CALLING = re.compile(r"\.(?:call|invoke|run|execute|__call__)$")
"""What some models put behind the name of a tool."""
_NUMBERED = re.compile(r"^\d+[.:)]\s*|[:#]\d+$|\(\s*\)$")


@dataclass(frozen=True)
class Meant:
    """The tool that a name means, how that was found out, and which others it may mean as well."""

    spec: Spec | None = None
    repair: str = ""
    rivals: tuple[str, ...] = ()


class Names:
    """The offered tools, ready to be found."""

    def __init__(self, specs: Iterable[Spec]) -> None:
        self.specs: Mapping[str, Spec] = {spec.name: spec for spec in specs}
        self.plain_pieces: dict[str, bool] = {}
        """Pieces of streamed text that have been judged: whether they are plain, whatever came before."""

    @cached_property
    def _folded(self) -> Mapping[str, Sequence[str]]:
        return _grouped((folded(name), name) for name in self.specs)

    @cached_property
    def _tails(self) -> Mapping[str, Sequence[str]]:
        """By what is left of an offered name without its first steps."""
        return _grouped((folded(tail), name) for name in self.specs for tail in _without_steps(name))

    @cached_property
    def _beginnings(self) -> frozenset[str]:
        """All that a name may be while it is being written."""
        return frozenset(known[:end] for known in (*self._folded, *self._tails) for end in range(min(len(known), LONGEST) + 1))

    @cached_property
    def _words(self) -> Mapping[str, Sequence[str]]:
        return {name: _words(name) for name in self.specs}

    @cached_property
    def mention(self) -> re.Pattern[str]:
        """Finds every place that may name an offered tool, in any spelling that is no slip."""
        names = {tail for name in self.specs for tail in (name, *_without_steps(name)) if tail == name or len(_words(tail)) > 1}
        groups: dict[str, set[str]] = {}
        for name in names:
            if words := _words(name):
                groups.setdefault(words[0][0], set()).add(_spelled(words))
        # Grouped by first letters: at most places, one letter rules out every name.
        ways = (f"{_letter(first)}(?:{'|'.join(sorted(group, key=len, reverse=True))})" for first, group in groups.items())
        return re.compile("|".join(ways) or r"(?!)")

    def begins(self, word: str) -> bool:
        """Whether an offered name may be in the middle of being written."""
        *steps, last = _STEPS.split(word)
        if not last:  # the end of a sentence, or of one of the prefixes that models like
            return steps[-1].lower() in _PREFIXES or folded(word) in self._beginnings
        return folded(last) in self._beginnings or folded(word) in self._folded

    def sure(self, said: str) -> Meant:
        """The tool of this name, in any spelling and with any prefix, but without a slip."""
        if said in self.specs:
            return Meant(self.specs[said])
        if len(said) > LONGEST_SAID:
            return Meant()
        name = _tidied(said)
        if name in self.specs:
            return Meant(self.specs[name], f"name: {said} is {name}")
        if len(name) > LONGEST or not name:
            return Meant()
        tries = (name, *_without_steps(name), *([name[: calling.start()]] if (calling := _CALLING.search(name)) else ()))
        for index, word in ((self._folded, word) for word in tries):
            if found := index.get(folded(word)):
                return self._one(said, found)
        return self._one(said, self._tails.get(folded(name), ()))

    def near(self, said: str) -> Meant:
        """The same, or the one tool whose name this is but for a slip in a word or the order of the words."""
        meant = self.sure(said)
        if meant.spec or meant.rivals or not said or len(said) > LONGEST:
            return meant
        for tail in (_tidied(said), *_without_steps(_tidied(said))):
            words = _words(tail)
            alike = [name for name, known in self._words.items() if _alike(words, known)]
            if alike:
                return self._one(said, alike)
        return Meant()

    def _one(self, said: str, found: Sequence[str]) -> Meant:
        if len(found) == 1:
            return Meant(self.specs[found[0]], f"name: {said[:LONGEST]} is {found[0]}")
        return Meant(rivals=tuple(found))


def folded(name: str) -> str:
    """The letters and digits alone: `getWeather`, `get-weather` and `Get_Weather` are one name."""
    return _SIGNS.sub("", name.lower())


def _grouped(pairs: Iterable[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    groups: dict[str, list[str]] = {}
    for key, name in pairs:
        if key and name not in groups.setdefault(key, []):
            groups[key].append(name)
    return groups


def _tidied(said: str) -> str:
    name = said.strip(" \t\r\n`'\"*<>[]").replace("\\", "")
    return _NUMBERED.sub("", name).strip()


def _without_steps(name: str) -> list[str]:
    """`functions.web.search` -> `web.search`, `search`."""
    return [name[step.end() :] for step in _STEPS.finditer(name) if folded(name[step.end() :])]


def _words(name: str) -> Sequence[str]:
    return [word.lower() for word in _WORDS.findall(name)]


def _spelled(words: Sequence[str]) -> str:
    r"""A pattern for a name without its first letter, in other spellings: `get_weather`, `get\_weather`, `get-weather`, `getWeather`."""
    return r"\\?[\W_]?".join("".join(map(_letter, word)) for word in (words[0][1:], *words[1:]))


def _letter(sign: str) -> str:
    return f"[{sign}{sign.upper()}]" if sign.isalpha() else sign


def _alike(said: Sequence[str], known: Sequence[str]) -> bool:
    if sorted(said) == sorted(known):
        return bool(said)
    whole, other = "".join(said), "".join(known)
    if len(said) == len(known):
        return all(_same_word(one, two) for one, two in zip(said, known, strict=True))
    return _same_word(whole, other)


def _same_word(said: str, known: str) -> bool:
    """One word but for a slip; the first letter counts, for it tells `increase` from `decrease`."""
    if said == known:
        return True
    if (
        max(len(said), len(known)) > LONGEST_WORD
        or min(len(said), len(known)) < SHORTEST
        or said[0] != known[0]
        or abs(len(said) - len(known)) > 2
    ):
        return False
    if said.startswith(known) or known.startswith(said):
        ending = max(said, known, key=len)[min(len(said), len(known)) :]
        return ending in _ENDINGS or min(len(said), len(known)) >= LONG
    if len(said) == len(known) and sorted(said) != sorted(known) and len(said) < LONG:
        return False
    return SequenceMatcher(None, said, known, autojunk=False).ratio() >= ALIKE
