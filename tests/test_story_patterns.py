"""Patterns as a whole: several models work on one task, over real HTTP."""

from __future__ import annotations

import pytest

from mmos import RunOptions
from mmos.errors import UsageError
from mmos.testing import Fail, stage

WRONG, RIGHT = "def add(a, b): return a - b", "def add(a, b): return a + b"
SEQUENCE = {"pattern": "sequential", "models": [{"role": "coding", "task": "generate"}, {"role": "analysis", "task": "validate"}]}


async def test_a_sequence_goes_on_from_the_result_before():
    async with stage({"arbiter": [], "coding": [WRONG], "analysis": [RIGHT]}, orchestration={"patterns": {"fix": SEQUENCE}}) as on:
        answer = await on.app.run("Write add.", options=RunOptions(pattern="fix"))
        assert (answer.status, answer.text) == ("answered", RIGHT)
        (document,) = answer.document()["patterns"]
        assert [(one["name"], one["status"], one["host"]) for one in document["members"]] == [
            ("coding", "answered", "here"),
            ("analysis", "answered", "here"),
        ]
        assert (document["name"], document["pattern"], document["input_count"], document["chosen"]) == ("fix", "sequential", 2, 1)
        assert "return a - b" in on.heard("analysis")[0]
        assert not on.sent("arbiter")


async def test_a_step_that_fails_is_left_out_aloud():
    async with stage({"arbiter": [], "coding": [WRONG], "analysis": [Fail("broken")]}, orchestration={"patterns": {"fix": SEQUENCE}}) as on:
        answer = await on.app.run("Write add.", options=RunOptions(model="pattern:fix"))
        assert (answer.status, answer.text) == ("answered", WRONG)
        assert [one["status"] for one in answer.document()["patterns"][0]["members"]] == ["answered", "failed"]
        assert any("analysis gave the pattern fix no answer" in warning for warning in answer.view.warnings)


async def test_a_pattern_of_its_own_needs_no_configuration():
    own = {"pattern": "sequential", "models": ["coding", "analysis"]}
    async with stage({"arbiter": [], "coding": ["one"], "analysis": ["two"]}) as on:
        answer = await on.app.run("Count.", options=RunOptions(pattern=own))
        assert (answer.text, answer.document()["patterns"][0]["name"]) == ("two", "sequential")


async def test_a_name_that_no_pattern_has_is_refused_with_the_nearest():
    async with stage({"arbiter": []}, orchestration={"patterns": {"fix": {"pattern": "sequential", "models": ["a"]}}}) as on:
        with pytest.raises(UsageError, match=r"'fixx'.*did you mean 'fix'"):
            await on.app.run("Write add.", options=RunOptions(pattern="fixx"))
