"""The result document: every key, every null, and the exit code that goes with it."""

from __future__ import annotations

import pytest

from mmos.events import (
    CallRepaired,
    Entry,
    Event,
    HistoryShortened,
    LaneOpened,
    ModelReplied,
    QuestionAsked,
    Reason,
    RunFinished,
    RunStarted,
    Status,
    Warned,
)
from mmos.messages import Message, Usage
from mmos.views.document import LIMITS, UNSERVED, document, exit_code, failure
from mmos.views.run import RunView

KEYS = ["version", "run", "thread", "status", "answer", "reason", "question", "roles", "tools", "usage", "repairs", "warnings"]
USAGE = ["turns", "model_calls", "prompt_tokens", "output_tokens", "seconds", "load_seconds", "swaps", "cached", "reused_prompt_tokens"]
ROLE = ["role", "model", "host", "calls", "prompt_tokens", "output_tokens", "load_seconds", "queue_seconds", "busy_seconds"]


def told(*facts: Event) -> dict:
    begun = (RunStarted("How?", "p"), LaneOpened("r", "arbiter", Message("user", "How?")))
    return document(RunView.of(Entry("r", "t", 10.0 + second, fact) for second, fact in enumerate((*begun, *facts))))


def test_every_key_is_always_there() -> None:
    for made in (told(), told(RunFinished("answered", "So.")), failure("usage", "No.")):
        assert [key for key in made if key in KEYS] == KEYS
        assert list(made["usage"]) == USAGE


def test_what_is_not_there_is_null() -> None:
    made = told(RunFinished("answered", "So."))
    assert (made["version"], made["run"], made["thread"], made["status"], made["answer"]) == (1, "r", "t", "answered", "So.")
    assert (made["reason"], made["question"], made["roles"], made["tools"], made["repairs"], made["warnings"]) == (
        None,
        None,
        [],
        [],
        [],
        [],
    )
    assert made["usage"]["seconds"] == 2.0


def test_a_run_that_never_began_has_no_names() -> None:
    made = failure("config_invalid", "line 3: no", "Mend it.")
    assert (made["run"], made["thread"], made["status"], made["answer"]) == (None, None, "failed", None)
    assert made["reason"] == {"code": "config_invalid", "message": "line 3: no", "next": "Mend it."}


def test_roles_repairs_and_warnings_are_listed() -> None:
    usage = Usage(7, 3, load_seconds=0.12345, prompt_seconds=0.1, output_seconds=0.2, total_seconds=0.5)
    made = told(
        ModelReplied("a1", "r", "arbiter", "m", "h", Message("assistant", "So."), usage),
        CallRepaired("c1", "r", "repair", "a comma too many"),
        Warned("look out"),
        HistoryShortened("r", "arbiter", 4, 2),
    )
    assert [list(role) for role in made["roles"]] == [ROLE]
    assert (made["roles"][0]["load_seconds"], made["roles"][0]["queue_seconds"]) == (0.123, 0.077)
    assert made["repairs"] == [{"call": "c1", "stage": "repair", "what": "a comma too many"}]
    assert made["warnings"][0] == "look out"
    assert "the 4 oldest exchanges" in made["warnings"][1]


def test_a_question_is_shown_only_while_the_run_waits_for_it() -> None:
    asked = QuestionAsked("q1", "r/1", "coding", "c1", "Tabs?", "choice", ("tabs", "spaces"), "spaces")
    waiting = told(asked, RunFinished("waiting", None, Reason("question_open", "coding asks")))
    assert waiting["question"] == {
        "id": "q1", "kind": "choice", "text": "Tabs?", "options": ["tabs", "spaces"], "default": "spaces", "deadline": None, "from": "coding",
    }  # fmt: skip
    assert told(asked, RunFinished("failed", None, Reason("question_unanswered", "")))["question"] is None


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        ("answered", None, 0),
        ("waiting", "question_open", 3),
        ("cancelled", "cancelled", 130),
        ("partial", "stream_cut", 5),
        ("partial", "timeout", 5),
        ("failed", "timeout", 5),
        ("failed", "limit_calls", 5),
        ("failed", "loop", 5),
        ("failed", "no_host", 4),
        ("failed", "host_unreachable", 4),
        ("failed", "model_missing", 4),
        ("failed", "stream_cut", 4),
        ("failed", "no_answer", 1),
        ("failed", "question_unanswered", 1),
        ("failed", "window_exceeded", 1),
        ("failed", "internal", 1),
        ("failed", None, 1),
    ],
)
def test_exit_codes_follow_the_status(status: Status, reason: str | None, code: int) -> None:
    assert exit_code(status, reason) == code


def test_no_reason_means_a_limit_and_no_host_at_once() -> None:
    assert not LIMITS & UNSERVED
