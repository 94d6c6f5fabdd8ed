"""The category of a failed run, from the reason that the run has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mmos.diagnosis.knowledge import FAILURES
from mmos.diagnosis.reasons import CATEGORIES, judge_reason

CONCEPTS = (Path(__file__).parent.parent / "docs" / "concepts.md").read_text(encoding="utf-8")
NO_FAILURE = {"question_open", "cancelled", "usage", "not_found", "internal", "tool_outcome_unknown"}
"""Reasons that need no diagnosis, or that say all there is to say."""


@pytest.mark.parametrize(
    ("code", "message", "category"),
    [
        ("host_unreachable", "Nothing listens at http://127.0.0.1:11434 (here).", "SERVER_NOT_RUNNING"),
        ("host_unreachable", "Nothing listens at http://192.168.1.4:11434 (gpu).", "BOUND_TO_LOCALHOST_ONLY"),
        ("out_of_memory", "gpu has too little memory for m: cudaMalloc failed: out of memory.", "INSUFFICIENT_VRAM"),
        ("out_of_memory", "gpu has too little memory for m: model requires more system memory (3 GiB) than is available (2 GiB).", "INSUFFICIENT_RAM"),
        ("host_busy", "The queue of gpu is full.", "SERVER_BUSY"),
        ("host_busy", "gpu takes no more calls for now (429).", "RATE_LIMITED"),
        ("no_host", "No host can serve m: gpu does not have the model m.", "MODEL_NOT_FOUND"),
        ("tool_arguments", "city is missing; it takes a text", "MISSING_REQUIRED_ARG"),
        ("tool_arguments", 'days: "three" is not allowed; it takes a whole number', "ARG_TYPE_ERROR"),
        ("tool_arguments", 'unit: "kelvin" is not allowed; it takes one of "c", "f"', "ARG_VALUE_ERROR"),
        ("tool_arguments", "colour is not known; known are: city, days", "UNEXPECTED_ARG"),
        ("unauthorized", "The account behind cloud is spent: insufficient_quota.", "QUOTA_EXCEEDED"),
        ("load_failed", "gpu gave up loading m: timed out waiting for llama-server to start.", "MODEL_LOAD_TIMEOUT"),
        ("limit_turns", "arbiter took all its 12 turns.", "LIMIT_REACHED"),
        ("state_full", "The disk is full.", "STATE_UNUSABLE"),
    ],
)  # fmt: skip
def test_a_reason_has_a_category(code: str, message: str, category: str) -> None:
    verdict = judge_reason(code, message)
    assert (verdict.category, verdict.cause, verdict.evidence[0].text) == (category, message, message)


def test_the_next_step_of_the_reason_is_the_cure() -> None:
    assert judge_reason("loop", "It made the same call.", "Try another model.").cure == "Try another model."
    assert judge_reason("model_missing", "", host="gpu", model="m:1").cure.startswith("Fetch it with `mmos models pull m:1`, or with")


def test_what_is_no_failure_has_no_category() -> None:
    assert judge_reason("cancelled", "You stopped it.").category is None
    assert judge_reason("unheard_of", "").cause is None


def test_every_documented_reason_is_known() -> None:
    reasons = set(re.findall(r"^\| `([a-z_]+)` \|", CONCEPTS.partition("## Reasons")[2].partition("\n## ")[0], re.MULTILINE))
    assert len(reasons) > 30
    assert reasons - NO_FAILURE <= CATEGORIES.keys()
    assert {category for found in CATEGORIES.values() for category in found if category} <= FAILURES.keys()
    of_runs = {category for category, failure in FAILURES.items() if failure.family == "runs"}
    assert of_runs <= {found[0] for found in CATEGORIES.values()}
