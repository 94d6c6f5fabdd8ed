"""Who answers a run by the configuration: a pattern of the defaults or of a rule, or a role whose model is a pattern."""

from __future__ import annotations

import pytest

from mmos import RunOptions
from mmos.errors import UsageError
from mmos.testing import Call, consult, stage

PAIR = {"pattern": "sequential", "models": ["first", "second"], "description": "writes and mends"}
BUILDS = {"condition": "task.type == 'code_generation'"}
CODE = "Write a Python function that sorts a list of numbers."
ROLES = {"arbiter": ["The arbiter."], "first": ["one"], "second": ["two"]}


def keys(**more: object) -> dict[str, object]:
    return {"patterns": {"pair": PAIR}, **more}


@pytest.mark.parametrize("defaults", [{"pattern": "pair"}, {"strategy": "pair"}, {"pattern": "other", "strategy": "pair"}])
async def test_the_pattern_of_the_defaults_answers(defaults):
    patterns = {"patterns": {"pair": PAIR, "other": {"pattern": "sequential", "models": ["first"]}}}
    async with stage(ROLES, orchestration={**patterns, "defaults": defaults}) as on:
        answer = await on.app.run("Hello.")
        assert (answer.text, [one["name"] for one in answer.document()["patterns"]]) == ("two", ["pair"])
        assert not on.sent("arbiter")


@pytest.mark.parametrize("options", [RunOptions(strategy="single"), RunOptions(role_only="arbiter"), RunOptions(model="arbiter")])
async def test_a_run_that_says_who_answers_is_not_touched(options):
    async with stage(ROLES, orchestration=keys(defaults={"pattern": "pair"})) as on:
        answer = await on.app.run("Hello.", options=options)
        assert (answer.text, answer.document()["patterns"]) == ("The arbiter.", [])


async def test_an_enforced_rule_gives_the_task_to_its_pattern():
    rules = {"routing": {"enforce": True, "rules": [{**BUILDS, "pattern": "pair"}]}}
    async with stage(ROLES, orchestration=keys(**rules)) as on:
        answer = await on.app.run(CODE)
        assert answer.text == "two"
        assert (answer.document()["route"]["choice"], answer.document()["route"]["by"]) == ("pair", "rules")
        assert (await on.app.run("Hello.")).text == "The arbiter."


async def test_a_rule_that_advises_tells_the_arbiter_of_the_pattern():
    rules = {"routing": {"rules": [{**BUILDS, "pattern": "pair"}]}}
    use = Call("run_pattern", {"pattern": "pair", "task": "Sort."})
    async with stage({**ROLES, "arbiter": [use, "Done."]}, orchestration=keys(**rules)) as on:
        assert (await on.app.run(CODE)).text == "Done."
        assert "A rule suggests that you use run_pattern with the pattern pair for this task." in on.heard("arbiter")[0]


async def test_a_rule_that_is_not_met_leaves_the_run_to_the_pattern_of_the_defaults():
    rules = {"routing": {"enforce": True, "rules": [{**BUILDS, "model": "arbiter"}]}}
    async with stage(ROLES, orchestration=keys(defaults={"pattern": "pair"}, **rules)) as on:
        answer = await on.app.run("Hello.")
        assert (answer.text, answer.document()["route"]["choice"]) == ("two", "pair")
        assert (await on.app.run(CODE)).text == "The arbiter."


async def test_where_the_strategy_finds_nobody_the_pattern_of_the_defaults_answers():
    async with stage(ROLES, orchestration=keys(defaults={"pattern": "pair", "strategy": "intelligent"})) as on:
        answer = await on.app.run("Hmm.")
        assert answer.text == "two"
        assert "the configuration names this pattern for all other runs" in answer.document()["route"]["why"]


async def test_a_rule_about_the_run_makes_the_arbiter_use_the_pattern():
    rules = {"routing": {"enforce": True, "rules": [{"condition": "run.turns >= 1", "pattern": "pair"}]}}
    turns = [consult("first"), Call("run_pattern", {"pattern": "pair", "task": "Sort."}), "Done."]
    async with stage({**ROLES, "first": ["zero", "one"], "arbiter": turns}, orchestration=keys(**rules)) as on:
        answer = await on.app.run("Hello.")
        assert (answer.text, answer.view.rules.documents()[0]["what"]) == ("Done.", "must use the pattern pair")
        assert "Use run_pattern with the pattern pair now, before you answer." in str(on.sent("arbiter")[1]["messages"])
        assert answer.document()["patterns"][0]["name"] == "pair"


async def test_a_role_whose_model_is_a_pattern_is_advised_by_its_members():
    async with stage({**ROLES, "arbiter": []}, orchestration=keys(arbiter={"model": "pattern:pair"})) as on:
        answer = await on.app.run("Hello.")
        assert answer.document()["patterns"][0]["name"] == "pair"
        assert (answer.status, answer.text) == ("answered", "two")


async def test_a_pattern_and_the_strategy_single_are_a_contradiction():
    async with stage(ROLES, orchestration=keys()) as on:
        with pytest.raises(UsageError, match="the pattern pair"):
            await on.app.run("Hello.", options=RunOptions(pattern="pair", strategy="single"))
