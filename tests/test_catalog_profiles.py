"""Tests of `mmos.catalog.profiles`: which models get which help."""

from __future__ import annotations

import pytest

from mmos.calls.tool_choice import AUTO, ToolChoice
from mmos.catalog.profiles import PROFILES, calls_at_once, profile_of


@pytest.mark.parametrize("name", ["smollm2:135m", "qwen2.5:0.5b", "qwen3:0.6b", "hf.co/x/SmolLM2-360M-Instruct:latest"])
def test_tiny_models_make_one_call_at_a_time(name: str) -> None:
    assert calls_at_once(name) == 1


@pytest.mark.parametrize("name", ["qwen2.5:14b", "llama3.2:1b", "phi4", "mixtral:8x7b", "arbiter", ""])
def test_other_models_and_those_whose_names_say_nothing_get_no_help(name: str) -> None:
    assert (calls_at_once(name), profile_of(name)) == (None, None)


def test_each_profile_has_its_reason() -> None:
    assert all(len(profile.why) > 20 for profile in PROFILES)


def test_a_limit_never_forbids_calls_that_must_be_made() -> None:
    assert AUTO.at_most(None) is AUTO
    assert AUTO.at_most(1).most == 1
    assert AUTO.at_most(9) is AUTO
    assert ToolChoice(frozenset("abc"), least=2).at_most(1).most == 2
    assert ToolChoice(most=0).at_most(1).most == 0
