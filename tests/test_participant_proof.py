"""What a count of a host proves about a prompt: whether all of it was read."""

from __future__ import annotations

from typing import Any

import pytest

from mmos.messages import Message, Reply, Usage
from mmos.participant.proof import cut, overflow
from mmos.prompting.budget import NOTHING
from mmos.prompting.compose import Known, Plan

WINDOW = 4096


def plan(tokens: int, **more: Any) -> Plan:
    return Plan(NOTHING, 0, tokens=tokens, **more)


def reply(tokens: int, output: int = 10, **more: Any) -> Reply:
    return Reply(Message("assistant", "So."), "m", "h", Usage(tokens, output), **more)


@pytest.mark.parametrize(
    ("expected", "tokens", "calibrated"),
    [(3000, 2900, True), (3000, 2200, True), (3000, 1000, False), (3000, 0, True), (2100, 2050, True), (3000, 20, True)],
)
def test_a_prompt_that_was_read_and_a_count_that_says_nothing(expected: int, tokens: int, calibrated: bool) -> None:
    assert cut(plan(expected), reply(tokens), WINDOW, calibrated=calibrated) is None


def test_a_count_far_below_a_calibrated_estimate_proves_a_cut_and_names_what_fits() -> None:
    error = cut(plan(3000), reply(1500), WINDOW, calibrated=True)
    assert error is not None
    assert (error.window, error.prompt_tokens) == (1500, None)


def test_half_the_window_is_what_ollama_leaves_of_a_prompt_that_is_too_long() -> None:
    error = cut(plan(2900), reply(2050), WINDOW, calibrated=False)
    assert error is not None
    assert (error.window, error.prompt_tokens) == (None, WINDOW + 1)


def test_a_host_that_counts_only_what_it_had_not_in_its_cache_is_not_suspected() -> None:
    known = plan(3000, estimated=900.0, known=Known(NOTHING, 2100))
    assert cut(known, reply(950), WINDOW, calibrated=True) is None
    assert cut(plan(3000), reply(950, placement={"cached": True}), WINDOW, calibrated=True) is None


def test_prompt_and_answer_that_fill_the_window() -> None:
    assert overflow(reply(3000, 1096), WINDOW)
    assert not overflow(reply(3000, 1000), WINDOW)
    assert not overflow(reply(3000, 1096, done_reason="length"), WINDOW), "another warning says so"
