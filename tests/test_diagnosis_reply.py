"""A model's answer about a failure: what is kept of it, and what is objected to."""

from __future__ import annotations

from typing import Any

import pytest

from mmos.diagnosis.reply import Suggestion, is_messenger, is_messenger_line, objections, read, supported, unfounded

LOG = {1: "Traceback (most recent call last):", 2: "ModuleNotFoundError: No module named 'yaml'", 3: "make: *** [test] Error 1", 4: ""}


def has(text: str) -> bool:
    return any(text.lower() in line.lower() for line in LOG.values())


def answer(cause: str, *evidence: int, **more: Any) -> dict[str, Any]:
    return {"cause": cause, "evidence": list(evidence), "suggestions": [], "confidence": 0.8, "more": "", **more}


@pytest.mark.parametrize(
    "cause",
    [
        "make exited with code 2",
        "The build failed.",
        "The command failed with exit code 1.",
        "Process completed with exit code 1.",
        "The test step of the job failed with a non-zero exit status",
        "it crashed",
    ],
)
def test_who_only_reports_a_failure_is_the_messenger(cause: str) -> None:
    assert is_messenger(cause)


@pytest.mark.parametrize(
    "cause",
    [
        "The module 'yaml' is not installed.",
        "The connection to the database failed because nothing listens on port 5432.",
        "The disk is full.",
        "test_sum failed because 2 is not 3.",
    ],
)
def test_a_cause_is_no_messenger(cause: str) -> None:
    assert not is_messenger(cause)


def test_lines_of_messengers_are_known() -> None:
    assert all(
        map(is_messenger_line, ("make: *** [all] Error 2", "##[error]Process completed with exit code 1.", "npm ERR! code ELIFECYCLE"))
    )
    assert not any(is_messenger_line(LOG[line]) for line in (1, 2))


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        (answer("The module 'yaml' is missing.", 2), []),
        (answer("The module 'yaml' is missing."), ["no_evidence"]),
        (answer("The module 'yaml' is missing.", 2, 99), ["no_such_line"]),
        (answer("The module 'yaml' is missing.", 4), ["no_such_line"]),
        (answer("make failed with exit code 1", 3), ["messenger"]),
        (answer("The file /etc/passwd cannot be read.", 2), ["unfounded"]),
        (answer("", 99), []),
    ],
)
def test_what_the_log_does_not_support_is_objected_to(given: dict[str, Any], problems: list[str]) -> None:
    assert [each.text for each in objections(read(given), LOG, 4, has)] == problems


def test_names_must_be_in_the_log() -> None:
    assert unfounded("`yaml` of app/x.py lacks parse_all, see line 42", has) == ["app/x.py", "parse_all", "42"]
    assert unfounded("No module named 'YAML' is there.", has) == []


def test_what_remains_is_supported_and_a_messenger_is_quoted_only_alone() -> None:
    kept = supported(read(answer("The module 'yaml' is missing.", 3, 2, 99)), LOG, has)
    assert (kept.cause, kept.evidence) == ("The module 'yaml' is missing.", (2,))
    assert supported(read(answer("A rule of the linter is broken.", 3)), LOG, has).evidence == (3,)
    for nothing in (answer("The module 'yaml' is missing.", 99), answer("make exited with code 2", 2), answer("`left-pad` is gone.", 2)):
        kept = supported(read({**nothing, "suggestions": [{"kind": "ask", "text": "Why?"}]}), LOG, has)
        assert (kept.cause, kept.evidence, kept.suggestions, kept.confidence) == ("", (), (), 0.0)
    unknown = supported(read(answer("", 2, suggestions=[{"kind": "ask", "text": "Why?"}])), LOG, has)
    assert (unknown.evidence, unknown.suggestions) == ((), (Suggestion("ask", "Why?"),))


def test_suggestions_are_typed_and_bounded() -> None:
    given = [
        {"kind": "command", "text": "Install\n it.", "command": "pip install pyyaml"},
        {"kind": "edit", "text": "Remove the import.", "command": "rm -rf /"},
        {"kind": "command", "text": "Two lines", "command": "a\nb"},
        {"kind": "ask", "text": " "},
        *({"kind": "config", "text": f"number {number}"} for number in range(9)),
    ]
    read_ = read(answer("x" * 2000, 1, 1, confidence=85, suggestions=given))
    assert read_.suggestions[:3] == (
        Suggestion("command", "Install it.", "pip install pyyaml"),
        Suggestion("edit", "Remove the import."),
        Suggestion("command", "Two lines"),
    )
    assert (len(read_.suggestions), read_.confidence, read_.evidence, len(read_.cause)) == (5, 0.85, (1,), 600)


def test_no_text_of_a_model_steers_the_terminal() -> None:
    hidden = {"kind": "command", "text": "Run\x1b[8m it.", "command": "make \x1b[2K\rrm -rf build"}
    seen = read({**answer("It is\x1b]0;x\x07 broken\u202e.", 1), "suggestions": [hidden]})
    assert seen.cause == "It is]0;x broken."
    assert [(each.text, each.command) for each in seen.suggestions] == [("Run[8m it.", "")]
