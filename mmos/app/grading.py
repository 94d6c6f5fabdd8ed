"""Grades a file by the checks that need no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmos.fences import fence
from mmos.quality.checks import check
from mmos.quality.finding import Finding, Subject
from mmos.quality.languages import language_of_file
from mmos.quality.score import score_of


@dataclass(frozen=True)
class Grade:
    """What the checks say of a file."""

    score: float = 1.0
    findings: tuple[Finding, ...] = ()

    def new_errors(self, before: Grade) -> Iterator[Finding]:
        """Errors that the file did not have before."""
        had = Counter(_what(finding) for finding in before.findings)
        for finding in self.findings:
            had[_what(finding)] -= 1
            if finding.severity == "error" and had[_what(finding)] < 0:
                yield finding


def grade(name: str, text: str) -> Grade:
    if not text.strip():
        return Grade()
    findings = check(Subject("", as_answer(name, text)))
    return Grade(score_of(findings), findings)


def broken(name: str, old: str, new: str) -> str:
    """What does not parse in a new text of a file whose old text does. Empty: nothing."""
    faults = [finding.message for finding in grade(name, new).findings if finding.kind == "syntax"]
    if not faults or any(finding.kind == "syntax" for finding in grade(name, old).findings):
        return ""
    return faults[0]


def as_answer(name: str, text: str) -> str:
    """A file as an answer that holds it. Prose is one by itself; code stands in a block that names its file."""
    if language_of_file(name) in ("", "markdown", "text"):
        return text
    return f"{fence(text)}{Path(name).suffix[1:] or 'text'} {name}\n{text}\n{fence(text)}\n"


def _what(finding: Finding) -> tuple[str, str]:
    """What is wrong, without the place: lines move."""
    return finding.kind, finding.quote or finding.message
