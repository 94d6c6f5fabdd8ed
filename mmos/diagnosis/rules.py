"""Judges a log by rules alone: the category of its failure, the lines that show it, and what helps."""

from __future__ import annotations

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

Rule = Callable[[Text], Finding | None]


def any_of(signs: Iterable[Sign]) -> Rule:
    """The first of the signs that the log has."""
    return lambda text: next((found for sign in signs if (found := text.find(sign))), None)


RULES: tuple[Rule, ...] = (
    any_of(CHECKED),  # the verdict of a checker quotes the call, which may speak of anything
    any_of(SPOKEN),
    any_of(VALIDATED),
    any_of(LOADING),
    any_of(MEMORY),
    any_of(DISCOVERY),
    any_of(BUSY),
    any_of(WINDOW),
    any_of(ACCOUNT),
    any_of(NAMES),
    any_of(DOORS),
    refused,
    in_content,
    any_of(REQUESTS),
    any_of(COMMANDS),
)
"""The first rule that finds something counts: what is exact stands before what is general, and a cause before what follows from it."""


def judge(selection: Selection, log: Sequence[Line]) -> Verdict:
    """`log` has the lines that the rules may look at: the whole log, or the largest selection of it that is at hand."""
    text = Text(log, selection.best)
    found = next((found for rule in RULES if (found := rule(text))), None)
    if found is None:
        return Verdict(None, None, tuple(selection.best[:MOST_EVIDENCE]), "", 0.0)
    evidence = found.lines[:MOST_EVIDENCE]
    names = named(found)
    return Verdict(
        found.category, knowledge.cause(found.category, **names), evidence, knowledge.cure(found.category, **names), found.confidence
    )


def named(found: Finding) -> dict[str, str]:
    """The names for the texts of the knowledge: a group `other_tool` is a `tool`."""
    names = {name.rpartition("_")[2]: value for name, value in found.names.items()}
    if "need" in names:
        names["amounts"] = f" (it needs {names['need']}, and {names['have']} is free)"
    return names
