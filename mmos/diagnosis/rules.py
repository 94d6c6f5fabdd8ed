"""Judges a log by rules alone: the category of its failure, the lines that show it, and what helps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from mmos.diagnosis import knowledge
from mmos.diagnosis.connections import refused
from mmos.diagnosis.content import in_content
from mmos.diagnosis.log import Line, Selection
from mmos.diagnosis.of_calls import CHECKED, SPOKEN, VALIDATED
from mmos.diagnosis.of_commands import COMMANDS
from mmos.diagnosis.of_hosts import ACCOUNT, BUSY, DISCOVERY, DOORS, LOADING, MEMORY, NAMES, REQUESTS, WINDOW
from mmos.diagnosis.signs import Finding, Sign, Text
from mmos.diagnosis.verdict import Verdict

MOST_EVIDENCE = 5
_SHORT = 400
"""A log of so few lines is about one thing, and any of them may show the failure. In a longer one, much is said beside it."""
_NEAR = 4
"""Lines before and after a likely one that a rule looks at in a long log."""
_MOST = 50_000
_GUESS = 0.3

Rule = Callable[[Text], Finding | None]


def any_of(*groups: Iterable[Sign]) -> Rule:
    """The first of the signs that a text has."""
    signs = [sign for group in groups for sign in group]
    return lambda text: next((found for sign in signs if (found := text.find(sign))), None)


RULES: tuple[Rule, ...] = (
    any_of(CHECKED),  # the verdict of a checker quotes the call, which may speak of anything
    any_of(SPOKEN, VALIDATED),
    any_of(LOADING, MEMORY, DISCOVERY, BUSY, WINDOW),
    any_of(ACCOUNT, NAMES, DOORS),
    refused,
    in_content,
    any_of(REQUESTS),
    any_of(COMMANDS),
)
"""The first rule that finds something counts: what is exact stands before what is general, and a cause before what follows from it."""

_OF_A_SERVER = any_of(LOADING, MEMORY, DISCOVERY, BUSY, WINDOW)
_SERVER_LOG = r"level=(info|warn|error|debug) source=\w+\.go|^\[gin\] |llama_model_loader:"
"""Lines of the log of an Ollama server. It says what is wrong without the words of a failure."""

_MESSENGER = re.compile(
    r"exit(ed)?( with)?( (code|status))?:? -?\d+|error code:? \d+\s*$|^make(\[\d+\])?: \*\*\*|elifecycle|returned non-zero exit|command failed|^\W*errors?:?\W*$"
    r"|process completed with|failed with errors?\W*$",
    re.IGNORECASE,
)
"""A line that says that something failed, and not what."""
_LEAD = re.compile(r"^(\S*\d\d:\d\d:\d\d\S*\s+|##\[error\]\s*|\[?(error|fatal)\]?:?\s+|e\s{2,}|error\s*[-:]\s*)+", re.IGNORECASE)
_LONGEST = 300


def recognized(lines: Sequence[Line]) -> Finding | None:
    """What the first rule finds in a short text."""
    text = Text(lines)
    return next((found for rule in RULES if (found := rule(text))), None)


def judge(selection: Selection, log: Sequence[Line]) -> Verdict:
    """`log` has the lines that the rules may look at: the whole log, or the largest selection of it that is at hand."""
    found = recognized(log if selection.lines <= _SHORT else _near(log, selection.best))
    if found is None and selection.lines > _SHORT:
        found = _found_in_server_log(log)
    if found is None:
        return _guess(selection.best)
    names = _names(found)
    return Verdict(
        found.category,
        knowledge.cause(found.category, **names),
        found.lines[:MOST_EVIDENCE],
        knowledge.cure(found.category, **names),
        found.confidence,
    )


def _found_in_server_log(log: Sequence[Line]) -> Finding | None:
    text = Text(log[-_MOST:])
    return _OF_A_SERVER(text) if text.has(_SERVER_LOG) else None


def _near(log: Sequence[Line], likely: Iterable[Line]) -> list[Line]:
    """The lines near those that most likely name the cause."""
    numbers = {line.number + step for line in likely for step in range(-_NEAR, _NEAR + 1)}
    return [line for line in log if line.number in numbers]


def _guess(best: Sequence[Line]) -> Verdict:
    """No rule knows the failure: the likeliest lines, and the first that says more than that something failed."""
    telling = [line for line in best if not _MESSENGER.search(line.text)]
    evidence = tuple((telling or best)[:MOST_EVIDENCE])
    sentence = next((text for line in telling if len((text := _LEAD.sub("", line.text.strip())).split()) > 2), None)
    return Verdict(None, sentence and sentence[:_LONGEST], evidence, "", _GUESS if sentence else 0.0)


def _names(found: Finding) -> dict[str, str]:
    """The names for the texts of the knowledge: a group `other_tool` is a `tool`."""
    names = {name.rpartition("_")[2]: value for name, value in found.names.items()}
    if "need" in names:
        names["amounts"] = f" (it needs {names['need']}, and {names['have']} is free)"
    return names
