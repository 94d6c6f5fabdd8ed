"""The section `recovery` of the configuration."""

from __future__ import annotations

from typing import get_args

import pytest

from mmos.config.load import from_mapping, from_text
from mmos.config.schema import Remedy
from mmos.errors import ConfigError
from mmos.recovery.suggestions import SUGGESTIONS

FILE = """\
orchestration:
  arbiter: {model: m}
  specialists: {thinker: {model: m}}
  recovery: %s
"""


def test_the_suggestions_that_a_file_may_name_are_those_that_there_are() -> None:
    assert set(get_args(Remedy)) == set(SUGGESTIONS)


def test_the_defaults() -> None:
    recovery = from_mapping({"orchestration": {"arbiter": {"model": "m"}}}, environ={}).orchestration.recovery
    assert (recovery.enabled, recovery.role, recovery.attempts, recovery.ask_before) == (True, "reasoning", 2, ["suggest_rollback"])


@pytest.mark.parametrize(
    "keys", ["{}", "{enabled: false}", "{role: thinker}", "{role: arbiter}", "{role: reasoning}", "{ask_before: []}", "{attempts: 1}"]
)
def test_what_a_file_may_say(keys: str) -> None:
    assert from_text(FILE % keys, "o.yaml", {}).orchestration.recovery


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("{role: thinkre}", "allowed: the name of a role: arbiter, thinker; did you mean 'thinker'?"),
        ("{ask_before: [suggest_rolback]}", "did you mean 'suggest_rollback'?"),
        ("{attempts: 0}", "recovery.attempts"),
        ("{attemps: 1}", "recovery.attemps"),
    ],
)
def test_what_a_file_may_not_say(keys: str, problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        from_text(FILE % keys, "o.yaml", {})
    assert len(raised.value.problems) == 1
    assert problem in str(raised.value.problems[0])
