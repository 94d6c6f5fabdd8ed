"""Finds where in a job a line stands: in the step that failed, in another one, in the cleaning up, or in a test that passed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum


class Place(Enum):
    """Where a line stands, and the share of its weight that it keeps there."""

    FAILED = 1.0
    UNKNOWN = 0.999
    """In a log without steps, or in which no step says that it failed."""
    EARLIER = 0.5
    LATER = 0.3
    PASSED = 0.2
    """Between the first line of a test and the line that says that it passed."""
    ECHO = 0.15
    """The text of a script that is about to run."""
    CLEANING = 0.1


_STEP = re.compile(r"##\[group\](?:Run |Post )|##\[section\]Starting:|\[Pipeline\] (?:stage|\{ \()|\$ (?=\S)|== Step |Step \d+/\d+ : ")
_NAME = re.compile(r"Complete job name: |Running hooks for ")
_ECHO_END = "##[endgroup]"
_CLEANING = re.compile(
    r"Post job cleanup\.|Cleaning up orphan processes|##\[group\]Post |Cleaning up project directory|Running after_script|"
    r"Uploading artifacts for failed"
)
_ERROR = re.compile(r"##\[error\]|##vso\[task\.logissue type=error|ERROR: Job failed")
_TEST_RUN = re.compile(r"=== RUN +(\S+)")
_TEST_VERDICT = re.compile(r"--- (PASS|FAIL|SKIP): (\S+)")
_CLEANED = -1


def places(texts: Sequence[str], numbers: Sequence[int]) -> list[Place]:
    """The place of each line. Lines between those with these numbers are not known."""
    steps, echoed = _steps(texts, numbers)
    failed = {step for step, text in zip(steps, texts, strict=True) if _ERROR.match(text) and step != _CLEANED}
    first = min(failed, default=0)
    found = [_place(step, echo, failed, first) for step, echo in zip(steps, echoed, strict=True)]
    for start, stop in _passed_tests(texts):
        found[start:stop] = [Place.PASSED] * (stop - start)
    return found


def step_name(text: str) -> bool:
    """Whether the line names a job, or the command of a step."""
    return _NAME.match(text) is not None or _STEP.match(text) is not None


def job_name(text: str) -> bool:
    return _NAME.match(text) is not None


def _place(step: int, echoed: bool, failed: set[int], first: int) -> Place:
    if step == _CLEANED:
        return Place.CLEANING
    if echoed:
        return Place.ECHO
    if not failed:
        return Place.UNKNOWN
    return Place.FAILED if step in failed else Place.LATER if step > first else Place.EARLIER


def _steps(texts: Sequence[str], numbers: Sequence[int]) -> tuple[list[int], list[bool]]:
    """The number of the step of each line, and whether the line is part of the echo of its script."""
    step, echoed = 0, False
    steps, echo = [], []
    for index, text in enumerate(texts):
        echoed = echoed and numbers[index] == numbers[index - 1] + 1
        opens = step != _CLEANED and text.startswith("##[") and _STEP.match(text) is not None
        if opens:
            step, echoed = step + 1, False
        elif text.startswith(_ECHO_END) or _ERROR.match(text):
            echoed = False
        elif _CLEANING.match(text):
            step, echoed = _CLEANED, False
        steps.append(step)
        echo.append(echoed)
        echoed = echoed or opens
    return steps, echo


def _passed_tests(texts: Sequence[str]) -> list[tuple[int, int]]:
    """The lines of each Go test that passed. Where tests run side by side, nobody can tell whose lines they are."""
    started: dict[str, int] = {}
    found = []
    for index, text in enumerate(texts):
        if text.startswith("=== PAUSE"):
            return []
        if run := _TEST_RUN.match(text):
            started[run[1]] = index
        elif (verdict := _TEST_VERDICT.match(text)) and verdict[1] != "FAIL" and verdict[2] in started:
            found.append((started.pop(verdict[2]), index + 1))
    return found
