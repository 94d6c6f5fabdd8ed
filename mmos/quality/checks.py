"""Checks an answer without asking a model: each check is a function that yields what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from mmos.quality.answer import Reading, read
from mmos.quality.citations import citations
from mmos.quality.completeness import completeness
from mmos.quality.demands import demands
from mmos.quality.finding import Finding, Subject
from mmos.quality.grammars import TITLES, is_installed, is_known
from mmos.quality.other_names import other_names
from mmos.quality.patterns import patterns
from mmos.quality.python_dangers import python_dangers
from mmos.quality.python_injection import python_injection
from mmos.quality.python_names import python_names
from mmos.quality.python_paths import python_paths
from mmos.quality.python_smells import python_smells
from mmos.quality.python_web import python_web
from mmos.quality.secrets import secrets
from mmos.quality.syntax import syntax

Check = Callable[[Reading], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    completeness,
    syntax,
    secrets,
    patterns,
    python_injection,
    python_paths,
    python_web,
    python_dangers,
    python_names,
    other_names,
    citations,
    demands,
    python_smells,
)
"""In the order of their findings."""

KINDS: Mapping[str, str] = {
    "syntax": "Code that does not parse.",
    "truncated": "The answer, its code or a list in it ends in the middle.",
    "secret": "A key, a token or a password that looks real.",
    "injection": "A value is put into an SQL statement, a command, HTML or a template as it is.",
    "dangerous_call": "A text is run as code, data is loaded in an unsafe way, or a command deletes too much.",
    "path_traversal": "A name from outside becomes a path.",
    "ssrf": "An address from outside is loaded.",
    "open_redirect": "A user is sent to an address that comes from outside.",
    "xxe": "XML from outside can load files.",
    "insecure": "A protection is turned off.",
    "weak_crypto": "A broken cipher, or a fast hash of a password.",
    "weak_random": "A secret value that can be predicted.",
    "unknown_name": "A module, a package or a name that does not exist.",
    "citation": "A line, a file, a quotation or a source that is not there.",
    "unmet": "The question asks for something that the answer does not have.",
    "placeholder": "A part of the code is left out.",
    "empty": "There is no answer.",
    "refusal": "The answer refuses.",
    "repetition": "The answer says the same again and again.",
    "performance": "Code that gets slow with more data.",
    "style": "Code that works and that a reader would call wrong.",
    "too_long": "The answer is too long to check.",
}
"""What a finding of each kind means. Findings have no other kinds."""

LONGEST = 2_000_000
"""What is longer is not checked."""
MOST = 50
"""So many findings of one kind are given; more tell nothing new."""


def check(subject: Subject) -> tuple[Finding, ...]:
    """What is wrong with an answer, the worst first."""
    if len(subject.answer) > LONGEST:
        return (Finding("too_long", "note", "", f"The answer has {len(subject.answer):,} characters, and is not checked."),)
    reading = read(subject)
    found = dict.fromkeys(finding for one in CHECKS for finding in _of_check(one, reading))
    return tuple(sorted(_limited(found), key=lambda finding: ("error", "warning", "note").index(finding.severity)))


def _of_check(one: Check, reading: Reading) -> list[Finding]:
    try:
        return list(one(reading))
    except RecursionError:  # code that nests deeper than any that people write
        return []


def skipped(subject: Subject) -> tuple[str, ...]:
    """The languages in an answer that are not parsed, because their grammars are not installed."""
    languages = {block.language for block in read(subject).blocks} if len(subject.answer) <= LONGEST else set[str]()
    return tuple(sorted(TITLES[one] for one in languages if is_known(one) and not is_installed(one)))


def _limited(found: dict[Finding, None]) -> Iterator[Finding]:
    counts: dict[str, int] = {}
    for finding in found:
        counts[finding.kind] = counts.get(finding.kind, 0) + 1
        if counts[finding.kind] <= MOST:
            yield finding
