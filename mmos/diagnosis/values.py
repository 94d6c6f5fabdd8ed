"""Gives each line of a log its value for a reader who looks for the cause of a failure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from heapq import nlargest
from itertools import accumulate
from math import exp, log2

from mmos.diagnosis.cleaning import form
from mmos.diagnosis.marks import NOTHING, WARNING, Kind, Mark, mark, place
from mmos.diagnosis.phrases import STRICT
from mmos.diagnosis.scene import Place, job_name, step_name
from mmos.diagnosis.vocabulary import Vocabulary

AGAIN, SCATTERED, KNOWN = 0.82, 0.4, 0.1
"""What is left of a line that is said again, how much it loses for each doubling of the stretches it stands in,
and what is left if a good log has it."""
COMPANY, FIRST, NEAR_END, NAMED_AGAIN, LAST_WORD = 0.35, 1.15, 0.4, 1.2, 1.15
"""What a line gains at most by other strong lines near it, as first of them, near the end, by what the end names again,
as a summary in the end. All were chosen on failing output of many tools among lines of steps that worked (`tests/failing_output.py`)."""
LAST = 4.0
"""The worth of the last line of what failed, where no word of it tells anything. What a tool of an unknown kind says stands there."""
WORTH = 3.0
"""A line of less value says nothing of a failure."""
STRONG = 7.0
"""From this weight on, a line names a failure."""
QUIET = 40
"""After so many lines without a strong one, a strong one is the first of its cascade."""
NEAR = 12
"""So near a line stands to another one that speaks of the same failure."""
CLOSING = 30
"""So many lines before the end of what failed, summaries stand."""
TOP = 10
"""Lines that speak of the same things as the most valuable ones gain from it: from so many of them."""
STRETCH = 60
"""What is said in many stretches of so many lines does no harm, most likely."""
STRICT_IN = 400
"""In so many of the last lines a tool says that warnings are errors."""
RARE = 12
"""A word in more lines than that says little."""
_WORD = re.compile(r"[A-Za-z_][\w-]{4,60}")
_OLD = re.compile(r"(?i)deprecat|^npm warn")
_QUOTED = re.compile(r"`[^`]*`|'[^']*'|\"[^\"]*\"")
_PYTHON_FRAME = re.compile(r'\s*File "[^"]+", line \d+')


def marks(texts: Sequence[str], bodies: Sequence[str], where: Sequence[Place]) -> list[Mark]:
    """What each line is."""
    strict = any(word in text.lower() for text in bodies[-STRICT_IN:] for word in STRICT)
    telling = {index for index, _ in Vocabulary().telling([text.encode() for text in bodies])}
    found: list[Mark] = []
    for index, text in enumerate(bodies):
        if step_name(texts[index]):
            found.append(Mark(Kind.STEP, 6.0 if job_name(texts[index]) else 5.0 if where[index] in (Place.FAILED, Place.UNKNOWN) else 1.0))
        elif index and _PYTHON_FRAME.match(bodies[index - 1]):
            found.append(Mark(Kind.PLACE, 1.5))
        elif index in telling and (weighed := mark(text)).kind is not Kind.NOTHING:
            found.append(Mark(Kind.CAUSE, 8.0) if strict and weighed == WARNING and not _OLD.search(text) else weighed)
        else:
            found.append(place(text) if text else NOTHING)
    return found


def values(found: Sequence[Mark], where: Sequence[Place], bodies: Sequence[str], known: Callable[[str], bool] | None) -> list[float]:
    """The weight of each line: less where it is repeated, known from a run that passed, or out of the step that failed."""
    plain = [_plain(text) if each.weight > 0 and each.kind is not Kind.PLACE else "" for each, text in zip(found, bodies, strict=True)]
    scattered = Counter(kind for kind, _ in {(kind, index // STRETCH) for index, kind in enumerate(plain)})
    seen = Counter[str]()
    gained = []
    for each, spot, kind, text in zip(found, where, plain, bodies, strict=True):
        value = each.weight * (1.0 if each.kind is Kind.STEP else spot.value)
        if kind:
            seen[kind] += 1
            value *= AGAIN ** (seen[kind] - 1) / (1 + SCATTERED * log2(scattered[kind]))
            value *= KNOWN if known and known(text) else 1.0
        gained.append(value)
    return gained


def lift(gained: list[float], found: Sequence[Mark], where: Sequence[Place], bodies: Sequence[str]) -> None:
    """Let lines count for more that stand where causes stand: with others, first of them, near the end, named again in the end."""
    end = _end(found, where)
    company = list(accumulate((min(value, 8.0) for value in gained), initial=0.0))
    words = [set(_WORD.findall(text)) for text in bodies]
    spread = Counter(word for line in words for word in line)
    last = _rare((index for index in range(max(0, end - CLOSING), end + 1) if gained[index] >= 5.0), words, spread)
    before = list(gained)
    quiet = QUIET
    for index, value in enumerate(before):
        if value < WORTH:
            quiet += 1
            continue
        near = company[min(len(before), index + NEAR + 1)] - company[max(0, index - NEAR)] - min(value, 8.0)
        after = company[min(len(before), index + NEAR + 1)] - company[index + 1]
        gained[index] *= (1 + COMPANY * min(1.0, near / 30)) * (1 + NEAR_END * exp(-abs(end - index) / 200))
        if value >= STRONG:
            gained[index] *= FIRST if quiet >= QUIET and after >= 10 else 1.0
            quiet = 0
        if not last.keys().isdisjoint(words[index]):
            gained[index] *= NAMED_AGAIN
        if end - CLOSING <= index <= end and found[index].kind in (Kind.SUMMARY, Kind.MESSENGER, Kind.TEST):
            gained[index] *= LAST_WORD
    _lift_kin(gained, found, where, (words, spread))
    for index in range(max(0, end - CLOSING), end + 1):
        if _unknown(found[index], bodies[index]) and where[index] in (Place.FAILED, Place.UNKNOWN):
            gained[index] += LAST * 0.9 ** (end - index)


def _unknown(found: Mark, text: str) -> bool:
    """Whether nothing is known of the line, not even that it does no harm."""
    return found.kind in (Kind.NOTHING, Kind.PLACE) and text != "" and mark(text).kind is not Kind.NOISE


def _end(found: Sequence[Mark], where: Sequence[Place]) -> int:
    """Where the failure ended: the last line that says so."""
    ends = [index for index, each in enumerate(found) if each.kind is Kind.MESSENGER and where[index] in (Place.FAILED, Place.UNKNOWN)]
    return ends[-1] if ends else len(found) - 1


def _rare(top: Iterable[int], words: Sequence[set[str]], spread: Counter[str]) -> dict[str, float]:
    """The words of the lines that few lines have, and how much each says."""
    return {word: spread[word] ** -0.5 for index in top for word in words[index] if 1 < spread[word] <= RARE}


def _lift_kin(gained: list[float], found: Sequence[Mark], where: Sequence[Place], text: tuple[Sequence[set[str]], Counter[str]]) -> None:
    """Let weak lines that share rare words with the most valuable ones count for more, such as the code that made a message."""
    words, spread = text
    top = nlargest(TOP, range(len(gained)), key=gained.__getitem__)
    rare = _rare((index for index in top if gained[index] >= WORTH), words, spread)
    for index, line in enumerate(words):
        if gained[index] < STRONG and where[index] is not Place.CLEANING and found[index].kind is not Kind.NOISE:
            shared = sum(rare[word] for word in line & rare.keys())
            gained[index] += min(5.0, 1.5 * shared) / max(1.0, len(line) / 30)


def _plain(text: str) -> str:
    """The form of the line without what it quotes: lines of one form say the same of different things."""
    return form(_QUOTED.sub("''", text))
