"""What a count of a host proves about a prompt: whether all of it was read."""

from __future__ import annotations

from typing import Any

import pytest

from mmos.messages import Message, Reply, Usage
from mmos.participant.proof import cut, overflow

WINDOW = 4096


def reply(tokens: int, output: int = 10, **more: Any) -> Reply:
    return Reply(Message("assistant", "So."), "m", "h", Usage(tokens, output), **more)


@pytest.mark.parametrize(
    ("expected", "tokens", "doubt"),
    [(3000, 2900, 0.0), (3000, 2200, 0.0), (3000, 1000, 700.0), (3000, 0, 0.0), (2100, 2050, 0.0), (3000, 20, 0.0)],
)
def test_a_prompt_that_was_read_and_a_count_that_says_nothing(expected: int, tokens: int, doubt: float) -> None:
    assert cut(expected, doubt, reply(tokens), WINDOW) is None


def test_a_count_far_below_a_sure_estimate_proves_a_cut_and_names_what_fits() -> None:
    error = cut(3000, 300.0, reply(1500), WINDOW)
    assert error is not None
    assert (error.window, error.prompt_tokens) == (1500, None)


def test_half_the_window_is_what_ollama_leaves_of_a_prompt_that_is_too_long() -> None:
    error = cut(2900, 1000.0, reply(2050), WINDOW)
    assert error is not None
    assert (error.window, error.prompt_tokens) == (None, WINDOW + 1)


def test_a_host_that_counts_only_what_it_had_not_in_its_cache_is_not_suspected() -> None:
    assert cut(3000, 90.0, reply(950), WINDOW, new=900.0) is None
    assert cut(3000, 90.0, reply(950, placement={"cached": True}), WINDOW) is None


def test_prompt_and_answer_that_fill_the_window() -> None:
    assert overflow(reply(3000, 1096), WINDOW)
    assert not overflow(reply(3000, 1000), WINDOW)
    assert not overflow(reply(3000, 1096, done_reason="length"), WINDOW), "another warning says so"
