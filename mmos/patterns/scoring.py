"""Scores an answer by the checks that need no model."""

from __future__ import annotations

from mmos.patterns.work import Contribution, Work


def scored(work: Work, given: Contribution) -> tuple[float, str]:
    """The score of an answer, and its worst faults. The run keeps both."""
    from mmos.citing import numbers_of  # only where answers are checked
    from mmos.quality.checks import check
    from mmos.quality.finding import Subject
    from mmos.quality.score import score_of

    files = {file.name: file.text for file in work.message.files if file.text}
    findings = check(Subject(work.question, given.text, files, numbers_of(work.context.scope)))
    score, fault = score_of(findings), "; ".join(finding.message for finding in findings[:3])
    work.vote(given.key, None, score, fault)
    return score, fault
