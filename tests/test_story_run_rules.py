"""Stories of rules about what happens in a run: they become true, the arbiter reads of them, and MMOS acts on them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import mmos
from mmos.app import open_app
from mmos.choice_events import RuleMet
from mmos.cli.chat.reports import reasons
from mmos.cli.requests import requests
from mmos.cli.trace import lines, progress
from mmos.rehearsal.pieces import Stall
from mmos.testing import Call, Host, Model, Say, configuration, consult, facts, serve, stage, until

FAILED = "run.failures > 0"


def ruled(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"routing": {"rules": list(rules)}, **more}


def rule(condition: str, *, enforce: bool = False, **actions: Any) -> dict[str, Any]:
    return {"condition": condition, "enforce": enforce, **actions}


def users(body: Any) -> str:
    return "\n".join(message["content"] for message in body["messages"] if message["role"] == "user")


def offered(body: Any) -> list[str]:
    return [tool["function"]["name"] for tool in body.get("tools", [])]


@mmos.tool
def build() -> str:
    """Build the project."""
    raise OSError("the disk is full")


BUILD = Call("build", {})
OFF = {"recovery": {"enabled": False}}


# ---------------------------------------------------------------- a failed call


async def test_a_rule_about_failures_is_advice_in_the_next_turn_alone() -> None:
    roles = {"arbiter": [BUILD, consult("reasoning"), "Free the disk."], "reasoning": ["It is full."]}
    async with stage(roles, tools=[build], orchestration=ruled(rule(FAILED, specialist="reasoning"), **OFF)) as on:
        answer = await on.app.run("Build it.")
        first, second, third = map(users, on.sent("arbiter"))
        words = f"[Rule 1 is true now: {FAILED} (run.failures is 1). It suggests that you consult reasoning now.]"
        assert words in second
        assert "Rule 1" not in first + third, "it is told once"
        assert words in str(requests(await on.app.journal.read(run=answer.run), answer.run)[1]), "runs show --prompts"
        (met,) = await facts(on.app, answer.run, RuleMet)
        assert (met.number, met.facts, met.turn, met.acted, met.advice) == (1, {"run.failures": 1}, 1, False, {"specialist": "reasoning"})
        route = answer.document()["route"]
        assert route["rules"] == [FAILED]
        assert route["met"] == [
            {"number": 1, "condition": FAILED, "facts": {"run.failures": 1}, "turn": 2, "acted": False, "what": "should consult reasoning", "fault": None}
        ]  # fmt: skip
        assert (await on.app.replay(answer.run)).same
        entries = await on.app.journal.read(run=answer.run)
        line = f"rule 1 is true: {FAILED} (run.failures is 1): advice: should consult reasoning"
        assert any(line in shown for shown in lines(entries)), "runs show"
        assert any(line in shown for shown in reasons(entries, 200)), "/why"


async def test_an_enforced_rule_about_failures_makes_the_arbiter_consult_now() -> None:
    roles = {"arbiter": [BUILD, consult("reasoning"), "Free the disk."], "reasoning": ["It is full."]}
    orchestration = ruled(rule(FAILED, specialist="reasoning", enforce=True), **OFF)
    async with stage(roles, tools=[build], orchestration=orchestration) as on:
        answer = await on.app.run("Build it.")
        assert (answer.text, answer.document()["warnings"]) == ("Free the disk.", [])
        first, second, third = on.sent("arbiter")
        assert offered(second) == ["consult_reasoning_specialist"]
        assert "build" in offered(first), "the rule was not true yet"
        assert "build" in offered(third), "afterwards it is free"
        assert "Consult reasoning before you answer.]" in users(second)
        (met,) = await facts(on.app, answer.run, RuleMet)
        assert progress(met) == f"rule 1 is true: {FAILED} (run.failures is 1): must consult reasoning"
        assert (await on.app.replay(answer.run)).same


async def test_whom_it_consulted_before_the_rule_does_not_count() -> None:
    again = consult("reasoning", "And now?")
    roles = {"arbiter": [consult("reasoning"), BUILD, again, "Free the disk."], "reasoning": ["Build it.", "It is full."]}
    orchestration = ruled(rule(FAILED, specialist="reasoning", enforce=True), **OFF)
    async with stage(roles, tools=[build], orchestration=orchestration) as on:
        answer = await on.app.run("Build it.")
        assert answer.text == "Free the disk."
        assert [offered(body) == ["consult_reasoning_specialist"] for body in on.sent("arbiter")] == [False, False, True, False]


async def test_a_consultation_that_fails_does_not_bind_for_ever() -> None:
    roles = {"arbiter": [BUILD, consult("reasoning"), "I give up."], "reasoning": ["", "", ""]}
    orchestration = ruled(rule(FAILED, specialist="reasoning", enforce=True), **OFF)
    async with stage(roles, tools=[build], orchestration=orchestration) as on:
        answer = await on.app.run("Build it.")
        assert answer.text == "I give up."
        assert (
            "Rule 1 says that the arbiter must consult reasoning. The consultation failed, and the run went on."
            in answer.document()["warnings"]
        )
        assert len(await facts(on.app, answer.run, RuleMet)) == 1, "another failure makes it no truer"


async def test_what_cannot_be_done_is_said_and_the_run_goes_on() -> None:
    orchestration = ruled(rule("run.turns >= 1", specialist="ghost", model="nowhere:70b", enforce=True), **OFF)
    orchestration["specialists"] = {"ghost": {"model": "nowhere:7b"}}
    async with stage({"arbiter": [BUILD, "Done."]}, tools=[build], orchestration=orchestration) as on:
        answer = await on.app.run("Build it.")
        assert answer.text == "Done."
        assert any(warning.startswith("MMOS cannot do what rule 1 says.") for warning in answer.document()["warnings"])
        (met,) = await facts(on.app, answer.run, RuleMet)
        assert (met.acted, met.fault) == (False, "No host can serve nowhere:70b.")


async def test_an_arbiter_with_one_tool_for_all_specialists_is_bound_to_it() -> None:
    one = Call("consult_specialist", {"specialist": "reasoning", "query": "Why?"})
    orchestration = ruled(rule(FAILED, specialist="reasoning", enforce=True), **OFF, arbiter={"consult": "one"})
    async with stage({"arbiter": [BUILD, one, "Free it."], "reasoning": ["Full."]}, tools=[build], orchestration=orchestration) as on:
        answer = await on.app.run("Build it.")
        assert (answer.text, answer.document()["warnings"]) == ("Free it.", [])
        assert [offered(body) == ["consult_specialist"] for body in on.sent("arbiter")] == [False, True, False]
        assert "Consult reasoning before you answer.]" in users(on.sent("arbiter")[1])


async def test_a_grammar_holds_a_model_without_tools_to_a_rule() -> None:
    orchestration = ruled(rule(FAILED, specialist="reasoning", enforce=True), **OFF, arbiter={"channel": "schema"})
    roles = {"arbiter": [BUILD, consult("reasoning"), "Free it."], "reasoning": ["Full."]}
    async with stage(roles, tools=[build], orchestration=orchestration) as on:
        answer = await on.app.run("Build it.")
        assert (answer.text, answer.document()["warnings"]) == ("Free it.", [])
        formats = [str(body["format"]) for body in on.sent("arbiter")]
        assert ["build" in one for one in formats] == [True, False, True]
        assert ["consult_reasoning_specialist" in one for one in formats] == [True, True, True]
        assert (await on.app.replay(answer.run)).same


# ---------------------------------------------------------------- once, and again when it becomes true again


async def test_a_rule_counts_again_when_it_becomes_true_again() -> None:
    roles = {
        "arbiter": [consult("weak"), consult("weak"), consult("weak"), "So."],
        "weak": ["I'm sorry, but I can't help.", "A.", "I cannot help with that."],
    }
    async with stage(roles, orchestration=ruled(rule("response.refused", specialist="weak"), **OFF)) as on:
        answer = await on.app.run("Say A.")
        assert [met.turn for met in await facts(on.app, answer.run, RuleMet)] == [1, 3]
        told = ["Rule 1" in users(body) for body in on.sent("arbiter")]
        assert told == [False, True, False, True]


async def test_of_rules_that_become_true_at_once_the_first_counts() -> None:
    roles = {"arbiter": [BUILD, BUILD, "Full."], "reasoning": [], "coding": []}
    rules = [
        rule("run.failures > 1", specialist="coding"),
        rule(FAILED, specialist="reasoning"),
        rule("run.calls > 0", specialist="coding"),
    ]
    async with stage(roles, tools=[build], orchestration=ruled(*rules, **OFF)) as on:
        answer = await on.app.run("Build it.")
        met = await facts(on.app, answer.run, RuleMet)
        assert [(one.number, one.holding) for one in met] == [(2, (2, 3)), (1, (1, 2, 3))]


async def test_a_resumed_run_keeps_which_rules_have_counted(tmp_path: Path) -> None:
    question = Call("escalate_to_user", {"question": "Which disk?"})
    roles: dict[str, Any] = {"arbiter": [BUILD, question], "reasoning": []}
    orchestration = ruled(rule(FAILED, specialist="reasoning"), **OFF)
    async with stage(roles, state=tmp_path, tools=[build], orchestration=orchestration) as on:
        waiting = await on.app.run("Build it.", options=mmos.RunOptions(on_question="wait"))
        assert waiting.status == "waiting"
    roles["arbiter"] = ["Free b."]
    async with stage(roles, state=tmp_path, tools=[build], orchestration=orchestration) as on:
        await on.app.answer(waiting.run, "b")
        answer = await on.app.resume(waiting.run)
        assert answer.text == "Free b."
        assert "Rule 1" not in users(on.sent("arbiter")[0])
        assert len(await facts(on.app, answer.run, RuleMet)) == 1


async def test_a_run_cut_off_between_the_rule_and_its_turn_is_told_once(tmp_path: Path) -> None:
    roles: dict[str, Any] = {"arbiter": [BUILD, consult("reasoning"), "Full."], "reasoning": ["It is full."]}
    orchestration = ruled(rule(FAILED, specialist="reasoning", enforce=True), **OFF)
    async with stage(roles, state=tmp_path, tools=[build], orchestration=orchestration) as on:
        answer = await on.app.run("Build it.")
        entries = await on.app.journal.read(run=answer.run)
        place = next(number for number, entry in enumerate(entries) if isinstance(entry.event, RuleMet))
        whole = await on.app.journal.read(thread=answer.document()["thread"])
    cut = {entry.seq for entry in entries[place + 1 :]}
    roles["arbiter"] = [consult("reasoning"), "Full."]
    async with stage(roles, tools=[build], orchestration=orchestration) as on:
        for entry in whole:
            if entry.seq not in cut:
                on.app.journal.append(entry.run, entry.thread, entry.event)
        await on.app.journal.durable(answer.run)
        again = await on.app.resume(answer.run)
        assert again.text == "Full."
        assert offered(on.sent("arbiter")[0]) == ["consult_reasoning_specialist"]
        assert "Consult reasoning before you answer.]" in users(on.sent("arbiter")[0])
        assert len(await facts(on.app, again.run, RuleMet)) == 1


# ---------------------------------------------------------------- answers


async def test_facts_about_the_newest_answers() -> None:
    rules = [
        rule("response.confidence < 0.5", specialist="weak"),
        rule("response.failed and response.empty", specialist="coding"),
        rule("response.quality < 0.6 and not response.empty", specialist="weak"),
        rule("response.empty", specialist="weak"),
    ]
    roles = {
        "arbiter": [consult("weak"), consult("coding"), consult("weak"), "So."],
        "weak": ["Perhaps.\nConfidence: 30%", "```python\ndef f(:\n```"],
        "coding": ["", "", ""],
    }
    async with stage(roles, orchestration=ruled(*rules, **OFF)) as on:
        answer = await on.app.run("Write f in Python.")
        met = await facts(on.app, answer.run, RuleMet)
        assert [one.number for one in met] == [1, 2, 3]
        assert met[0].facts == {"response.confidence": 0.3}


async def test_an_empty_reply_of_the_arbiter_is_a_response() -> None:
    roles = {"arbiter": ["", "Paris."], "reasoning": []}
    async with stage(roles, orchestration=ruled(rule("response.empty", specialist="reasoning"), **OFF)) as on:
        answer = await on.app.run("What is the capital of France?")
        assert answer.text == "Paris."
        assert "It suggests that you consult reasoning now." in users(on.sent("arbiter")[1])


# ---------------------------------------------------------------- turns, models, strategies


async def test_a_rule_changes_the_model_from_a_turn_on() -> None:
    roles = {"arbiter": [BUILD], "large": ["Full, says the large one."]}
    async with stage(roles, tools=[build], orchestration=ruled(rule(FAILED, model="large", enforce=True), **OFF)) as on:
        answer = await on.app.run("Build it.")
        assert answer.text == "Full, says the large one."
        assert [use["model"] for use in answer.document()["roles"]] == ["arbiter", "large"]
        assert "Rule 1" not in users(on.sent("large")[0]), "the model need not know"
        assert answer.document()["route"]["met"][0]["what"] == "goes on with large"
        assert (await on.app.replay(answer.run)).same


async def test_who_names_the_model_keeps_it_and_a_rule_about_the_task_does_not() -> None:
    rules = [rule("task.type == 'bug_fixing'", model="medium", enforce=True), rule(FAILED, model="large", enforce=True)]
    roles = {"arbiter": [BUILD, "Mine."], "medium": [BUILD], "large": ["Large."]}
    async with stage(roles, tools=[build], orchestration=ruled(*rules, **OFF)) as on:
        answer = await on.app.run("Hello", options=mmos.RunOptions(roles={"arbiter": "arbiter"}))
        assert answer.text == "Mine."
        assert "MMOS cannot do what rule 2 says. The options of the run name the model of the arbiter." in answer.document()["warnings"]
        answer = await on.app.run("This function raises a KeyError. Fix the bug: def get(d): return d['a']")
        assert [use["model"] for use in answer.document()["roles"]] == ["medium", "large"]


async def test_a_model_on_another_host_is_found_and_missed_when_that_host_leaves_the_file(tmp_path: Path) -> None:
    question = Call("escalate_to_user", {"question": "Which disk?"})
    there = Host("there", [Model.scripted("large", [[question], "never"])])
    changes = ruled(rule(FAILED, model="large", enforce=True), **OFF)
    async with serve(there) as url:
        changes["servers"] = {"there": {"url": url}}
        async with stage({"arbiter": [BUILD]}, state=tmp_path, tools=[build], orchestration=changes) as on:
            waiting = await on.app.run("Build it.", options=mmos.RunOptions(on_question="wait"))
            (met,) = await facts(on.app, waiting.run, RuleMet)
            assert (waiting.status, met.model, met.servers) == ("waiting", "large", ("there",))
    del changes["servers"]
    async with open_app(configuration({"arbiter": Model.scripted("arbiter", [])}, {"here": url}, changes), state=tmp_path) as app:
        await app.answer(waiting.run, "a")
        answer = await app.resume(waiting.run)
        assert (answer.status, answer.reason.message) == ("failed", "There is no host 'there'; hosts: here.")


async def test_the_own_model_stands_in_for_one_that_goes_away() -> None:
    roles = {"arbiter": [BUILD, "I go on."], "large": []}
    async with stage(roles, tools=[build], orchestration=ruled(rule(FAILED, model="large", enforce=True), **OFF)) as on:
        await on.app.models()  # the list of models is fresh, and the host still has the large one in it
        del on.host.installed["large:latest"]
        answer = await on.app.run("Build it.")
        assert answer.text == "I go on."


async def test_a_rule_about_turns_makes_the_arbiter_answer() -> None:
    roles = {"arbiter": [BUILD, BUILD, "That is all."], "reasoning": []}
    async with stage(roles, tools=[build], orchestration=ruled(rule("run.turns >= 2", strategy="single", enforce=True), **OFF)) as on:
        answer = await on.app.run("Build it.")
        assert answer.text == "That is all."
        bodies = on.sent("arbiter")
        assert [bool(offered(body)) for body in bodies] == [True, True, False]
        assert "Answer now, without calling a tool.]" in users(bodies[2])


async def test_numbers_of_a_rule_are_short() -> None:
    orchestration = ruled(rule("run.seconds / 3 >= 0 and run.turns == 1", specialist="reasoning"), **OFF)
    async with stage({"arbiter": [BUILD, "So."], "reasoning": []}, tools=[build], orchestration=orchestration) as on:
        answer = await on.app.run("Build it.")
        (met,) = await facts(on.app, answer.run, RuleMet)
        assert 0 < met.facts["run.seconds"] == float(f"{met.facts['run.seconds']:.6g}")
        assert f"(run.seconds is {met.facts['run.seconds']}, run.turns is 1)" in users(on.sent("arbiter")[1])


async def test_a_rule_names_the_task_and_the_run() -> None:
    roles = {"arbiter": [BUILD, "So."], "reasoning": []}
    condition = "task.type == 'bug_fixing' and run.failures > 0 and 'KeyError' in task.text"
    async with stage(roles, tools=[build], orchestration=ruled(rule(condition, specialist="reasoning"), **OFF)) as on:
        answer = await on.app.run("This function raises a KeyError. Fix the bug: def get(d): return d['a']")
        (met,) = await facts(on.app, answer.run, RuleMet)
        assert met.facts == {"task.type": "bug_fixing", "run.failures": 1}


async def test_whoever_says_who_answers_gets_no_rules() -> None:
    async with stage({"arbiter": ["a", "b"]}, orchestration=ruled(rule("run.turns >= 0", strategy="single"))) as on:
        for options in (mmos.RunOptions(model="arbiter"), mmos.RunOptions(role_only="arbiter")):
            answer = await on.app.run("Hello", options=options)
            assert await facts(on.app, answer.run, RuleMet) == []
            assert answer.document()["route"] is None


# ---------------------------------------------------------------- hosts


async def test_a_busy_host_lets_another_model_answer() -> None:
    slow = Model.scripted("arbiter", [[Say("a"), Stall()], "never"])
    orchestration = ruled(rule("host.busy and host.name == 'here' and host.reachable", model="small", enforce=True))
    orchestration["servers"] = {"here": {"parallel": 1, "vram_gb": 64}}
    async with stage({"arbiter": slow, "small": ["Quick."]}, orchestration=orchestration, parallel=2, vram_gb=64) as on:
        first = asyncio.create_task(on.app.run("A long one."))
        await until(lambda: on.sent("arbiter"))
        answer = await on.app.run("A short one.")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert answer.text == "Quick."
        (met,) = await facts(on.app, answer.run, RuleMet)
        assert met.facts == {"host.busy": True, "host.name": "here", "host.reachable": True}
        assert met.turn == 0


async def test_facts_about_an_idle_host() -> None:
    condition = "host.kind == 'ollama' and not host.busy and host.queue == 0 and host.vram_gb == 24 and 'arbiter:latest' in host.models and run.turns == 1"
    orchestration = ruled(rule(f"{condition} and 'arbiter:latest' in host.loaded and host.vram_used > 0", specialist="reasoning"), **OFF)
    orchestration["servers"] = {"here": {"vram_gb": 24}}
    async with stage({"arbiter": [BUILD, "So."], "reasoning": []}, tools=[build], orchestration=orchestration) as on:
        await on.app.models()
        answer = await on.app.run("Build it.")
        (met,) = await facts(on.app, answer.run, RuleMet)
        assert met.facts["host.models"] == ["arbiter:latest", "reasoning:latest"]
