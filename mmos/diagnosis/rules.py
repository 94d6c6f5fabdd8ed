"""Judges a log by rules alone: the category of its failure, the lines that show it, and what helps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from mmos.diagnosis import knowledge
from mmos.diagnosis.cleaning import body
from mmos.diagnosis.connections import refused
from mmos.diagnosis.content import in_content
from mmos.diagnosis.log import Line, Selection
from mmos.diagnosis.marks import Kind, mark, passed
from mmos.diagnosis.of_calls import CHECKED, SPOKEN, VALIDATED
from mmos.diagnosis.of_commands import COMMANDS
from mmos.diagnosis.of_hosts import ACCOUNT, BUSY, CRASHES, DISCOVERY, DOORS, LOADING, MEMORY, MODEL_HOST, NAMES, REQUESTS, WINDOW
from mmos.diagnosis.signs import Finding, Sign, Text
from mmos.diagnosis.verdict import Verdict

MOST_EVIDENCE = 5
_SHORT = 100
"""A log of so few lines is about one thing, and any of them may show the failure. In a longer one, much is said beside it."""
_LIKELY = 5
_NEAR = 4
"""In a long log, a sign counts only in so many of the likeliest lines, with so many lines before and after each as what is beside it."""
_MOST = 5000
"""Lines at the end of the log of a server that the rules look at."""
_GUESS = 0.3
_NAMING = frozenset({Kind.CAUSE, Kind.TEST, Kind.ASSERTION, Kind.WORDS})
"""What a line must be to be quoted as a cause that no rule knows."""
_FAILING = _NAMING | {Kind.SUMMARY, Kind.MESSENGER, Kind.START}
_LAST = 5
"""In so many lines at the end of a log stands its verdict."""

Rule = Callable[[Text], Finding | None]


def any_of(*groups: Iterable[Sign]) -> Rule:
    """The first of the signs that a text has."""
    signs = [sign for group in groups for sign in group]
    return lambda text: next((found for sign in signs if (found := text.find(sign))), None)


RULES: tuple[Rule, ...] = (
    any_of(CHECKED),  # the verdict of a checker quotes the call, which may speak of anything
    any_of(SPOKEN, VALIDATED),
    any_of(LOADING, MEMORY, BUSY, WINDOW),
    any_of(ACCOUNT, NAMES, DOORS, DISCOVERY),
    refused,
    in_content,
    any_of(REQUESTS, CRASHES, COMMANDS),
)
"""The first rule that finds something counts: what is exact stands before what is general, and a cause before what follows from it."""

_OF_A_SERVER = any_of(LOADING, MEMORY, BUSY, WINDOW, DISCOVERY)
_SERVER_LOG = r"level=(info|warn|error|debug) source=\w+\.go|^\[gin\] |llama_model_loader:"
"""Lines of the log of an Ollama server. It says what is wrong without the words of a failure."""

_MESSENGER = re.compile(
    r"exit(ed)?( with)?( (code|status))?:? -?\d+|error code:? \d+\s*$|^make(\[\d+\])?: \*\*\*|elifecycle|returned non-zero exit|command failed|^\W*errors?:?\W*$"
    r"|process completed with|^\W*=+ .*\d+ (failed|passed)|^\W*=+ \w+ =+$|failed with errors?\W*$",
    re.IGNORECASE,
)
"""A line that says that something failed, and not what."""
_LEAD = re.compile(r"^(\S*\d\d:\d\d:\d\d\S*\s+|##\[error\]\s*|\[?(error|fatal)\]?:?\s+|e\s{2,}|error\s*[-:]\s*)+", re.IGNORECASE)
_LONGEST = 300
_EXPECTED = re.compile(
    r"(?i)\bassert(ion)?(error)?\b|\b(want|expected)\b[^\n]{0,100}\b(got|received|in)\b|\b(got|status)\b[^\n]{0,100}\bwant\b"
)
"""What a test says of what it expected."""
_ASSERTED = re.compile(r"\W{0,4}E {2,9}(?![+ ])\S|\s+\w+_test\.go:\d+: \S|\s*Failure/Error: \S")
"""What pytest, Go and RSpec write of a failed test, unlike its name: why it failed."""


def recognized(lines: Sequence[Line], focus: Line | None = None) -> Finding | None:
    """What the first rule finds in a short text, or in one line of it."""
    text = Text(lines, focus)
    return next((found for rule in RULES if (found := rule(text))), None)


def judge(selection: Selection, log: Sequence[Line]) -> Verdict:
    """`log` has the lines that the rules may look at: the whole log, or the largest selection of it that is at hand."""
    if _ended_well([body(line.text) for line in log[-_LAST:]]):
        return Verdict(None, None, (), "", 0.0)
    long = selection.lines > _SHORT
    found = _found_near(log, selection.best) or _found_in_server_log(log) if long else recognized(log)
    if found is None:
        return _guess(selection.best)
    found = _at_its_source(_of_a_test(found, log), log, selection.best)
    names = _names(found)
    evidence = tuple({line.number: line for line in (*(selection.best if long else ()), *found.lines)}.values())
    evidence = tuple(sorted(evidence, key=lambda line: line not in found.lines))[:MOST_EVIDENCE]
    cause = knowledge.cause(found.category, **names)
    cure = knowledge.cure if Text(evidence if long else log).has(MODEL_HOST) else knowledge.cure_elsewhere
    if knowledge.FAILURES[found.category].family == "commands" and not _MESSENGER.search(found.lines[0].text):
        cause = f"{cause.rstrip('.')}: {_sentence(found.lines[0])}"
    return Verdict(found.category, cause, evidence, cure(found.category, **names), found.confidence)


def _ended_well(last: Sequence[str]) -> bool:
    """Whether the last verdict of the log is that all went well. Words of a failure before it were of no harm, then."""
    for text in reversed(last):
        if passed(text):
            return True
        if mark(text).kind in _FAILING:
            return False
    return False


def _of_a_test(found: Finding, log: Sequence[Line]) -> Finding:
    """The failed test, if what was found is only what the test expected: no host said it."""
    if knowledge.FAILURES[found.category].family != "hosts" or not _EXPECTED.search(found.lines[0].text):
        return found
    return next((test for sign in COMMANDS if sign.category == "TEST_FAILED" and (test := Text(log).find(sign))), found)


def _at_its_source(found: Finding, log: Sequence[Line], likely: Sequence[Line]) -> Finding:
    """The same with the line that says why: what was wrong in a test, or the first of many errors of a compiler."""
    if found.category == "TEST_FAILED":
        why = next((line for line in (*likely, *log) if _ASSERTED.match(line.text)), None)
        return found if why is None else found._replace(lines=(why, *found.lines))
    if found.category == "COMPILE_ERROR":
        errors = [line for line in likely if (other := recognized([line])) and other.category == found.category]
        first = min((*errors, *found.lines[:1]), key=lambda line: line.number)
        return found._replace(lines=(first,))
    return found


def _found_near(log: Sequence[Line], likely: Sequence[Line]) -> Finding | None:
    """What a rule finds in the likeliest line, else in the next. A rank costs confidence."""
    at = {line.number: place for place, line in enumerate(log)}
    for rank, line in enumerate(likely[:_LIKELY]):
        place = at.get(line.number)
        found = None if place is None else recognized(log[max(0, place - _NEAR) : place + _NEAR + 1], log[place])
        if found:
            return found._replace(confidence=round(found.confidence * (1 - rank / 10), 2))
    return None


def _found_in_server_log(log: Sequence[Line]) -> Finding | None:
    text = Text(log[-_MOST:])
    return _OF_A_SERVER(text) if text.has(_SERVER_LOG) else None


def _guess(best: Sequence[Line]) -> Verdict:
    """No rule knows the failure: the likeliest lines, and the first that says more than that something failed."""
    telling = [line for line in best if not _MESSENGER.search(line.text)]
    evidence = tuple((telling or best)[:MOST_EVIDENCE])
    sentence = _telling(telling)
    return Verdict(None, sentence, evidence, "", _GUESS if sentence else 0.0)


def _telling(lines: Iterable[Line]) -> str | None:
    """The first line that says what failed. A line that is only near the end of the log names no cause."""
    return next((text for line in lines if mark(body(line.text)).kind in _NAMING and len((text := _sentence(line)).split()) > 2), None)


def _sentence(line: Line) -> str:
    """The line without its time and its marks."""
    return _LEAD.sub("", line.text.strip()).strip("_=*# ")[:_LONGEST]


def _names(found: Finding) -> dict[str, str]:
    """The names for the texts of the knowledge: a group `other_tool` is a `tool`. None is an option of a command."""
    names = {name.rpartition("_")[2]: value.lstrip("-") for name, value in found.names.items()}
    if "need" in names:
        names["amounts"] = f" (it needs {names['need']}, and {names['have']} is free)"
    return names
