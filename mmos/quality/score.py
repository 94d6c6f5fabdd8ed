"""Makes one number of findings."""

from __future__ import annotations

from collections.abc import Iterable

from mmos.quality.finding import Finding

KEPT = {"error": 0.4, "warning": 0.85, "note": 0.98}
"""The share of the score that a finding leaves. So an error alone is below 0.5, and more findings are worse."""


def score_of(findings: Iterable[Finding]) -> float:
    """1.0: nothing was found. 0.0 is approached and never reached."""
    score = 1.0
    for finding in findings:
        score *= KEPT[finding.severity]
    return round(score, 4)


def passes(findings: Iterable[Finding]) -> bool:
    """Whether no finding is an error."""
    return all(finding.severity != "error" for finding in findings)
