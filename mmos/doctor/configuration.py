"""Turns the problems that `mmos config check` finds into findings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mmos.doctor.facts import Facts
from mmos.doctor.findings import Finding, error, warning
from mmos.errors import Problem

_ELSEWHERE = re.compile(r"orchestration\.servers\.[^.]+\.(api_key_env|kind|models\..*)$")
"""Keys of which other checks say more."""


def configuration(facts: Facts) -> Iterator[Finding]:
    for problem in facts.problems:
        yield error("config_invalid", _subject(problem), problem.message, facts.cure or "Correct it, then: mmos config check")
    for problem in facts.unusable:
        yield error("config_unusable", _subject(problem), problem.message, "Correct it, then: mmos config check")
    for problem in facts.config.warnings if facts.config else ():
        if not _ELSEWHERE.match(problem.key):
            yield warning("config_warning", _subject(problem), problem.message, "mmos config show tells where every value comes from")


def _subject(problem: Problem) -> str:
    return ": ".join(part for part in (problem.where, problem.key) if part) or "configuration"
