"""Patterns as a whole: several models work on one task, over real HTTP."""

from __future__ import annotations

import pytest

from mmos import RunOptions
from mmos.errors import UsageError
from mmos.messages import File
from mmos.testing import Call, Fail, stage

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


CONFLICT = '{"conflicts": [{"between": ["security", "style"], "about": "whether eval may stay", "resolved": "it must go"}]}'
ASPECTS = {
    "pattern": "parallel",
    "models": [{"role": "coding", "task": "security"}, {"role": "analysis", "task": "style"}],
    "aggregator_model": "judge",
}


async def test_aspects_are_looked_at_side_by_side_and_contradictions_are_named():
    roles = {"arbiter": [], "coding": ["eval is unsafe"], "analysis": ["eval is short"], "judge": [CONFLICT, "Remove eval."]}
    async with stage(roles, orchestration={"patterns": {"look": ASPECTS}}) as on:
        answer = await on.app.run("Review eval(x).", options=RunOptions(pattern="look"))
        assert answer.text == "Remove eval."
        (document,) = answer.document()["patterns"]
        assert document["conflicts"] == [{"between": ["security", "style"], "about": "whether eval may stay", "resolved": "it must go"}]
        assert "whether eval may stay" in on.heard("judge")[1]
        assert "What you do in this step: security" in on.heard("coding")[0]


async def test_an_aggregator_that_fails_loses_no_result():
    roles = {
        "arbiter": [],
        "coding": ["eval is unsafe"],
        "analysis": ["eval is short"],
        "judge": [Fail("x"), Fail("x"), Fail("x"), Fail("x")],
    }
    async with stage(roles, orchestration={"patterns": {"look": ASPECTS}}) as on:
        answer = await on.app.run("Review eval(x).", options=RunOptions(pattern="look"))
        assert "eval is unsafe" in (answer.text or "")
        assert "eval is short" in (answer.text or "")
        assert answer.document()["patterns"][0]["status"] == "partial"


async def test_files_are_shared_among_the_members():
    pattern = {"pattern": "parallel", "models": ["coding", "analysis"]}
    files = [File(f"{name}.py", f"# {name}") for name in ("one", "two", "three")]
    roles = {"arbiter": [], "coding": ["good", "fine", '{"conflicts": []}', "All good."], "analysis": ["bad"]}
    async with stage(roles) as on:
        answer = await on.app.run("Review.", files=files, options=RunOptions(pattern=pattern))
        assert answer.text == "All good."
        assert [one["task"] for one in answer.document()["patterns"][0]["members"]][3:] == ["find conflicts", "merge"]
        assert "# two" in on.heard("analysis")[0]
        assert "# one" not in on.heard("analysis")[0]


async def test_the_member_that_fits_answers_and_the_next_one_when_it_fails():
    pattern = {"pattern": "specialized", "models": [{"role": "analysis"}, {"role": "coding"}]}
    roles = {"arbiter": [], "coding": [Fail("x"), Fail("x"), Fail("x")], "analysis": ["Here it is."]}
    async with stage(roles, orchestration={"patterns": {"fit": pattern}}) as on:
        answer = await on.app.run("Write a Python function that sorts a list.", options=RunOptions(pattern="fit"))
        (document,) = answer.document()["patterns"]
        assert answer.text == "Here it is."
        assert [(one["name"], one["status"]) for one in document["members"]] == [("coding", "failed"), ("analysis", "answered")]
        assert "code_generation" in document["why"]


async def test_the_arbiter_uses_a_pattern_as_a_tool():
    use = Call("run_pattern", {"pattern": "fix", "task": "Write add."})
    roles = {"arbiter": [use, "Done: a + b."], "coding": [WRONG], "analysis": [RIGHT]}
    async with stage(roles, orchestration={"patterns": {"fix": SEQUENCE}}) as on:
        answer = await on.app.run("I need add.")
        assert answer.text == "Done: a + b."
        assert answer.document()["tools"] == [{"name": "run_pattern", "calls": 1, "failed": 0}]
        assert "return a + b" in on.heard("arbiter")[1]
        assert "I need add." in on.heard("coding")[0]


async def test_members_advise_a_role_that_keeps_its_tools():
    pattern = {"pattern": "ensemble", "models": [{"role": "coding"}, {"role": "analysis"}], "aggregator_model": "arbiter"}
    roles = {"arbiter": [Call("look", {}), "Both are right."], "coding": ["one"], "analysis": ["two"]}

    def look() -> str:
        """Look."""
        return "seen"

    on_role = {"patterns": {"both": pattern}, "arbiter": {"model": "pattern:both"}}
    async with stage(roles, tools=[look], orchestration=on_role) as on:
        answer = await on.app.run("Which?")
        assert answer.text == "Both are right."
        assert (len(on.sent("coding")), len(on.sent("analysis"))) == (1, 1), "they are asked once in a turn of the user"
        for body in on.sent("arbiter"):
            assert "coding says:" in str(body["messages"])
            assert body["tools"]


async def test_patterns_nest_and_a_member_may_be_a_pattern():
    keys = {
        "patterns": {
            "inner": {"pattern": "sequential", "models": ["one", "two"]},
            "outer": {"pattern": "sequential", "models": ["pattern:inner", "three"]},
        }
    }
    async with stage({"arbiter": [], "one": ["1"], "two": ["2"], "three": ["3"]}, orchestration=keys) as on:
        answer = await on.app.run("Count.", options=RunOptions(pattern="outer"))
        assert answer.text == "3"
        assert "<<<\n2\n>>>" in on.heard("three")[0]
        assert [(one["name"], len(one["members"])) for one in answer.document()["patterns"]] == [("outer", 2), ("inner", 2)]


async def test_a_pattern_takes_no_part_in_itself():
    keys = {
        "patterns": {"turn": {"pattern": "sequential", "models": [{"role": "coding"}, "two"]}},
        "specialists": {"coding": {"tools": {"allow": ["run_pattern"]}}},
    }
    call = Call("run_pattern", {"pattern": "turn", "task": "Go on."})
    async with stage({"arbiter": [], "coding": [call, "Then alone."], "two": ["Done."]}, orchestration=keys) as on:
        answer = await on.app.run("Go.", options=RunOptions(pattern="turn"))
        assert answer.text == "Done."
        assert "cannot take part in itself" in on.heard("coding")[1]
        assert len(answer.document()["patterns"]) == 1
