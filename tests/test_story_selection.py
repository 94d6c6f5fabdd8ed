"""Stories of who works on a task: rules as advice and as orders, strategies, and what happens when the choice cannot be served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.choice_events import TaskRouted
from mmos.cli.chat.reports import reasons
from mmos.cli.requests import requests
from mmos.cli.trace import lines
from mmos.errors import UsageError
from mmos.testing import Call, consult, facts, stage

BUG = "This function raises a KeyError. Fix the bug: def get(d): return d['a']"
HELLO = "What is the capital of France?"
IS_BUG = "task.type == 'bug_fixing'"


def ruled(*rules: dict[str, Any], **routing: Any) -> dict[str, Any]:
    return {"routing": {"rules": list(rules), **routing}}


def rule(condition: str = IS_BUG, **actions: Any) -> dict[str, Any]:
    return {"condition": condition, **actions}


def users(body: Any) -> str:
    return "\n".join(message["content"] for message in body["messages"] if message["role"] == "user")


# ---------------------------------------------------------------- rules


async def test_a_rule_is_advice_in_the_first_turn() -> None:
    roles = {"arbiter": [consult("coding"), "Fixed."], "coding": ["Use d.get."]}
    async with stage(roles, orchestration=ruled(rule(specialist="coding"))) as on:
        answer = await on.app.run(BUG)
        first, second = map(users, on.sent("arbiter"))
        assert "[This task looks like bug_fixing, complexity" in first
        assert "A rule suggests that you consult coding first.]" in first
        assert "A rule suggests" not in second, "the beginning of the prompt stays as it is"
        sent = requests(await on.app.journal.read(run=answer.run), answer.run)[0]
        assert "A rule suggests that you consult coding first." in str(sent), "runs show --prompts"
        route = answer.document()["route"]
        assert (route["type"], route["rules"], route["choice"], route["acted"], route["by"]) == (
            "bug_fixing", [IS_BUG], "coding", False, "rules",
        )  # fmt: skip
        assert (await on.app.replay(answer.run)).same


async def test_a_task_that_meets_no_rule_costs_nothing_more() -> None:
    async with stage({"arbiter": ["Paris."], "coding": []}, orchestration=ruled(rule(specialist="coding"))) as on:
        answer = await on.app.run(HELLO)
        assert "[" not in users(on.sent("arbiter")[0])
        assert answer.usage["model_calls"] == 1
        route = answer.document()["route"]
        assert (route["rules"], route["choice"], route["why"], route["by"]) == ([], None, ["no rule is met"], "none")


async def test_a_run_without_rules_and_strategy_is_not_routed() -> None:
    async with stage({"arbiter": ["Paris."]}) as on:
        answer = await on.app.run(HELLO)
        assert answer.document()["route"] is None
        assert await facts(on.app, answer.run, TaskRouted) == []


async def test_an_enforced_rule_makes_the_arbiter_consult_first() -> None:
    roles = {"arbiter": [consult("coding"), "Fixed."], "coding": ["Use d.get."], "reasoning": []}
    async with stage(roles, orchestration=ruled(rule(specialist="coding"), enforce=True)) as on:
        answer = await on.app.run(BUG)
        assert answer.text == "Fixed."
        first, second = on.sent("arbiter")
        assert [tool["function"]["name"] for tool in first["tools"]] == ["consult_coding_specialist"]
        assert len(second["tools"]) > 1, "afterwards it is free"
        assert "Consult coding before you answer.]" in users(first)
        assert answer.document()["route"]["acted"] is True
        assert (await on.app.replay(answer.run)).same


async def test_an_early_answer_is_sent_back() -> None:
    roles = {"arbiter": ["I know it.", consult("coding"), "Fixed."], "coding": ["Use d.get."]}
    async with stage(roles, orchestration=ruled(rule(specialist="coding", enforce=True))) as on:
        answer = await on.app.run(BUG)
        assert (answer.text, len(on.sent("coding"))) == ("Fixed.", 1)


async def test_an_arbiter_that_answers_all_the_same_is_told_of() -> None:
    roles = {"arbiter": ["I know it.", "I do know it.", "I said so."], "coding": []}
    async with stage(roles, orchestration=ruled(rule(specialist="coding", enforce=True))) as on:
        answer = await on.app.run(BUG)
        assert answer.text == "I said so."
        assert answer.document()["warnings"][-1] == "A rule says that the arbiter must consult coding first, and it answered without that."


async def test_one_tool_for_all_specialists_can_be_enforced() -> None:
    roles = {"arbiter": [consult("coding"), "Fixed."], "coding": ["Use d.get."], "reasoning": []}
    way = {"arbiter": {"consult": "one"}, **ruled(rule(specialist="coding", enforce=True))}
    async with stage(roles, orchestration=way) as on:
        await on.app.run(BUG)
        assert [tool["function"]["name"] for tool in on.sent("arbiter")[0]["tools"]] == ["consult_coding_specialist"]


async def test_prefer_takes_the_first_that_a_host_can_serve() -> None:
    way = {"specialists": {"away": {"model": "nowhere:70b"}}, **ruled(rule(prefer=["away", "coding"], enforce=True))}
    async with stage({"arbiter": [consult("coding"), "Fixed."], "coding": ["Use d.get."]}, orchestration=way) as on:
        answer = await on.app.run(BUG)
        assert (answer.text, answer.document()["route"]["choice"]) == ("Fixed.", "coding")


async def test_a_rule_that_nobody_can_serve_is_a_warning() -> None:
    way = {"specialists": {"away": {"model": "nowhere:70b"}}, **ruled(rule(prefer=["away"], enforce=True))}
    async with stage({"arbiter": ["I do it myself."]}, orchestration=way) as on:
        answer = await on.app.run(BUG)
        assert answer.status == "answered"
        warning = answer.document()["warnings"][0]
        assert warning.startswith("MMOS cannot do what a rule says: nobody can be consulted of away.")
        assert answer.document()["route"]["acted"] is False


async def test_a_rule_names_the_model_that_answers() -> None:
    roles = {"arbiter": ["Small."], "big": ["Large."]}
    async with stage(roles, orchestration=ruled(rule(model="big", enforce=True))) as on:
        answer = await on.app.run(BUG)
        assert answer.text == "Large."
        assert [(use["role"], use["model"]) for use in answer.document()["roles"]] == [("arbiter", "big")]
        assert (await on.app.replay(answer.run)).same
        said = await on.app.run(BUG, options=mmos.RunOptions(roles={"arbiter": "arbiter"}))
        assert said.text == "Small.", "what the user says for the run counts more"


async def test_a_model_that_no_host_has_is_a_warning() -> None:
    async with stage({"arbiter": ["Small."]}, orchestration=ruled(rule(model="nowhere:70b", enforce=True))) as on:
        answer = await on.app.run(BUG)
        assert (answer.text, answer.document()["warnings"]) == (
            "Small.", ["MMOS cannot do what a rule says: no host can serve nowhere:70b. arbiter answers."],
        )  # fmt: skip


async def test_a_rule_lets_one_model_answer_alone() -> None:
    roles = {"arbiter": ["Alone."], "coding": []}
    async with stage(roles, orchestration=ruled(rule(strategy="single", enforce=True))) as on:
        answer = await on.app.run(BUG)
        assert answer.text == "Alone."
        assert "tools" not in on.sent("arbiter")[0]
        assert answer.document()["route"]["strategy"] == "single"


# ---------------------------------------------------------------- strategies


async def test_single_is_one_model_without_tools() -> None:
    async with stage(
        {"arbiter": ["Alone.", "Again.", "As usual."], "coding": []}, orchestration={"defaults": {"strategy": "single"}}
    ) as on:
        answer = await on.app.run(BUG)
        assert answer.text == "Alone."
        body = on.sent("arbiter")[0]
        assert "tools" not in body
        assert [message["role"] for message in body["messages"]] == ["user"]
        assert answer.view.options["strategy"] == "single", "a resumed run keeps it when the file changes"
        await on.app.run(BUG, options=mmos.RunOptions(role_only="arbiter"))
        assert "tools" in on.sent("arbiter")[1], "who says who answers means it"


async def test_intelligent_lets_the_coder_answer_code() -> None:
    roles = {"arbiter": [], "coding": ["d.get('a')"], "reasoning": []}
    async with stage(roles, orchestration={"defaults": {"strategy": "intelligent"}}) as on:
        answer = await on.app.run(BUG)
        assert answer.text == "d.get('a')"
        assert [use["role"] for use in answer.document()["roles"]] == ["coding"]
        route = answer.document()["route"]
        assert (route["choice"], route["by"], route["strategy"]) == ("coding", "rules", "intelligent")
        assert route["why"][0] == "coding has CODE_SPECIALIZED, which such a task needs"
        assert route["candidates"][0]["name"] == "coding"
        assert (await on.app.replay(answer.run)).same
        entries = await on.app.journal.read(run=answer.run)
        assert any("route: bug_fixing" in line and "coding by rule" in line for line in lines(entries))
        assert any("coding has CODE_SPECIALIZED" in line for line in reasons(entries, 200))
        assert any("arbiter (arbiter): score" in line for line in [*lines(entries)]), "the others, too, with their terms"
        assert any("reasoning (reasoning): score" in line for line in reasons(entries, 200))


async def test_a_task_of_no_clear_class_goes_to_the_arbiter() -> None:
    async with stage({"arbiter": ["Hm?"], "coding": []}) as on:
        answer = await on.app.run("?!", options=mmos.RunOptions(strategy="intelligent"))
        assert answer.text == "Hm?"
        assert answer.document()["route"]["why"] == ["the class of the task is not sure, so the arbiter answers"]


async def test_intelligent_acts_on_rules_first() -> None:
    roles = {"arbiter": [consult("reasoning"), "So."], "coding": [], "reasoning": ["Because."]}
    async with stage(roles, orchestration=ruled(rule(specialist="reasoning"))) as on:
        answer = await on.app.run(BUG, options=mmos.RunOptions(strategy="intelligent"))
        assert (answer.text, answer.document()["route"]["choice"]) == ("So.", "reasoning")


async def test_the_next_one_answers_when_the_best_cannot_be_served() -> None:
    way = {"specialists": {"security": {"model": "nowhere:70b", "description": "finds security holes"}}}
    roles = {"arbiter": [], "coding": ["It is safe."]}
    async with stage(roles, orchestration=way) as on:
        task = "Review this login handler for SQL injection and other vulnerabilities."
        answer = await on.app.run(task, options=mmos.RunOptions(strategy="intelligent"))
        assert answer.text == "It is safe."
        (warning,) = answer.document()["warnings"]
        assert warning.startswith("security (nowhere:70b) fits the task best, but no host can serve it, so coding answers.")


async def test_a_model_that_only_the_configuration_describes_can_be_chosen() -> None:
    way = {"models": {"checker": {"model": "guard", "capabilities": ["SECURITY_FOCUSED", "CODE_SPECIALIZED", "REASONING"]}}}
    async with stage({"arbiter": [], "guard": ["Two holes."]}, orchestration=way) as on:
        del on.app.config.orchestration.specialists["guard"]
        task = "Review this login handler for SQL injection and other vulnerabilities."
        answer = await on.app.run(task, options=mmos.RunOptions(strategy="intelligent", roles={"arbiter": "arbiter"}))
        assert (answer.text, answer.document()["route"]["choice"]) == ("Two holes.", "checker")


async def test_a_choice_that_contradicts_the_options_is_refused() -> None:
    async with stage({"arbiter": []}) as on:
        for options in (
            mmos.RunOptions(strategy="intelligent", model="arbiter"),
            mmos.RunOptions(strategy="intelligent", role_only="arbiter"),
        ):
            with pytest.raises(UsageError, match="The strategy intelligent chooses who answers"):
                await on.app.run(BUG, options=options)
        with pytest.raises(UsageError, match="With the strategy single, a model answers without a role"):
            await on.app.run(BUG, options=mmos.RunOptions(strategy="single", role_only="arbiter"))
        with pytest.raises(UsageError, match="The arbiter must consult coding, but it does not answer"):
            await on.app.run(BUG, options=mmos.RunOptions(consult="coding", model="arbiter"))
        with pytest.raises(UsageError, match="The arbiter cannot consult 'codin'"):
            await on.app.run(BUG, options=mmos.RunOptions(consult="codin"))


async def test_a_run_that_was_cut_off_keeps_its_choice(tmp_path: Path) -> None:
    question = Call("escalate_to_user", {"question": "Which key?"})
    roles: dict[str, Any] = {"arbiter": [], "coding": [question, "Then 'b'."]}
    way: dict[str, Any] = {"specialists": {"coding": {"tools": ["escalate_to_user"]}}, "defaults": {"strategy": "intelligent"}}
    async with stage(roles, state=tmp_path, orchestration=way) as on:
        waiting = await on.app.run(BUG, options=mmos.RunOptions(on_question="wait"))
        assert waiting.status == "waiting"
    way["defaults"] = {"strategy": "single"}
    roles["coding"] = ["Then 'b'."]
    async with stage(roles, state=tmp_path, orchestration=way) as on:
        await on.app.answer(waiting.run, "b")
        answer = await on.app.resume(waiting.run)
        assert (answer.text, answer.document()["route"]["choice"]) == ("Then 'b'.", "coding")
        assert len(await facts(on.app, answer.run, TaskRouted)) == 1
        fork = await on.app.fork(waiting.run)
        assert (await on.app.journal.read(run=fork.run))[-1].event.options["role_only"] == "coding"  # type: ignore[attr-defined]


async def test_the_next_one_answers_when_the_host_goes_away_after_the_choice() -> None:
    roles = {"arbiter": ["I stand in."], "coding": []}
    async with stage(roles, orchestration={"defaults": {"strategy": "intelligent"}}) as on:
        await on.app.models()  # the list of models is fresh, and the host still has the coder in it
        del on.host.installed["coding:latest"]
        answer = await on.app.run(BUG)
        assert (answer.text, answer.document()["route"]["choice"]) == ("I stand in.", "coding")
        assert any("arbiter answers in place of coding" in warning for warning in answer.document()["warnings"])


async def test_a_rule_may_name_a_class_of_the_configuration() -> None:
    examples = ["Write a poem about the sea.", "A sonnet about autumn, please.", "Compose a haiku about snow."]
    way = {"routing": {"classes": {"poetry": {"examples": examples}}, "rules": [rule("task.type == 'poetry'", specialist="poet")]}}
    async with stage({"arbiter": ["So."], "poet": []}, orchestration=way) as on:
        answer = await on.app.run("Write a poem about the sea.")
        assert answer.document()["route"]["choice"] == "poet"
