"""Gives each line of a log its value for a reader who looks for the cause of a failure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from math import log2

from mmos.diagnosis.cleaning import shape
from mmos.diagnosis.marks import NOTHING, Kind, Mark, mark, place
from mmos.diagnosis.scene import Place, job_name, step_name
from mmos.diagnosis.vocabulary import Vocabulary

STRONG = 7.0
"""From this weight on, a line names a failure."""
QUIET = 40
"""After so many lines without a strong one, a strong one is the first of its cascade."""
CLOSING = 30
"""So many lines before the end of what failed, summaries stand."""
TOP = 10
"""Lines that speak of the same things as the most valuable ones gain from it: from so many of them."""
RARE = 12
"""A word in more lines than that says little."""
_WORD = re.compile(r"[A-Za-z_][\w-]{4,60}")
_QUOTED = re.compile(r"`[^`]*`|'[^']*'|\"[^\"]*\"")
_PYTHON_FRAME = re.compile(r'\s*File "[^"]+", line \d+')


def marks(texts: Sequence[str], bodies: Sequence[str], where: Sequence[Place]) -> list[Mark]:
    """What each line is."""
    telling = set(Vocabulary().telling([text.encode() for text in bodies]))
    found: list[Mark] = []
    for index, text in enumerate(bodies):
        if step_name(texts[index]):
            found.append(Mark(Kind.STEP, 6.0 if job_name(texts[index]) else 5.0 if where[index] in (Place.FAILED, Place.UNKNOWN) else 1.0))
        elif index and _PYTHON_FRAME.match(bodies[index - 1]):
            found.append(Mark(Kind.PLACE, 1.5))
        elif index in telling and (weighed := mark(text)).kind is not Kind.NOTHING:
            found.append(weighed)
        else:
            found.append(place(text) if text else NOTHING)
    return found


def values(found: Sequence[Mark], where: Sequence[Place], bodies: Sequence[str], known: Callable[[str], bool]) -> list[float]:
    """The weight of each line: less where it is repeated, known from a run that passed, or out of the step that failed."""
    forms = [_form(text) if each.weight > 0 and each.kind is not Kind.PLACE else "" for each, text in zip(found, bodies, strict=True)]
    often, seen = Counter(forms), Counter[str]()
    gained = []
    for each, spot, form, text in zip(found, where, forms, bodies, strict=True):
        value = each.weight * (1.0 if each.kind is Kind.STEP else spot.value)
        if form:
            seen[form] += 1
            value *= 0.82 ** (seen[form] - 1) / (1 + log2(max(1.0, often[form] / 8)))
            value *= 0.1 if known(shape(text)) else 1.0
        gained.append(value)
    return gained


def lift_firsts(gained: list[float]) -> None:
    """Let the first strong line of each cascade count for more."""
    quiet = QUIET
    for index, value in enumerate(gained):
        if value >= STRONG:
            gained[index] *= 1.15 if quiet >= QUIET else 1.0
            quiet = 0
        else:
            quiet += 1


def lift_summaries(gained: list[float], found: Sequence[Mark], where: Sequence[Place]) -> None:
    """Let the summary in the end of what failed count for more."""
    ends = [index for index, each in enumerate(found) if each.kind is Kind.MESSENGER and where[index] in (Place.FAILED, Place.UNKNOWN)]
    end = ends[-1] if ends else len(found) - 1
    for index in range(max(0, end - CLOSING), end + 1):
        if found[index].kind in (Kind.SUMMARY, Kind.MESSENGER, Kind.TEST):
            gained[index] *= 1.35


def lift_kin(gained: list[float], found: Sequence[Mark], where: Sequence[Place], bodies: Sequence[str]) -> None:
    """Let weak lines that share rare words with the most valuable ones count for more, such as the code that made a message."""
    top = sorted(range(len(gained)), key=lambda index: -gained[index])[:TOP]
    words = [set(_WORD.findall(text)) for text in bodies]
    spread = Counter(word for line in words for word in line)
    rare = {word: spread[word] ** -0.5 for index in top for word in words[index] if 1 < spread[word] <= RARE}
    if not rare:
        return
    for index, line in enumerate(words):
        shared = sum(rare[word] for word in line & rare.keys())
        if shared and gained[index] < STRONG and where[index] is not Place.CLEANING and found[index].kind is not Kind.NOISE:
            gained[index] += min(5.0, 1.5 * shared) / max(1.0, len(line) / 30)


def _form(text: str) -> str:
    """The shape of the line without what it quotes: lines of one form say the same of different things."""
    return shape(_QUOTED.sub("''", text))
