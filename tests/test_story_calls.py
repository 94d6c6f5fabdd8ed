"""Stories of calls that do not come as calls: read, repaired, interpreted, said again, told, and at last the user's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

import mmos
from mmos.app import Answer, RunOptions
from mmos.events import CallRepaired, ModelAsked, ModelFailed
from mmos.rehearsal.pieces import Raw
from mmos.testing import Call, Host, Model, Stage, configuration, facts, serve, stage, until

TAGGED = '<tool_call>\n{"name": "consult_coding_specialist", "arguments": {"query": "How?"}}\n</tool_call>'
PRINTED = '{"name": "consult_coding_specialist", "arguments": {"query": "How?"}}'
UNKNOWN = '<tool_call>\n{"name": "ask_a_wizard", "arguments": {"question": "How do I merge lists in coding?"}}\n</tool_call>'
TORN = '<tool_call>\n{"name": "consult_coding_specialist", "arguments": {"query" oops the coding specialist please}}\n</tool_call>'
RIGHT = Call("consult_coding_specialist", {"query": "How?"})
TEXTS: dict[str, Any] = {"path": "native", "tag": "<nothing>"}
"""A model whose host parses nothing: what it writes comes as text."""


def arbiter(*turns: Any, **card: Any) -> Model:
    return Model.scripted("arbiter", turns, **card)


def interpreter(*turns: Any, **card: Any) -> Model:
    return Model.scripted("functiongemma", turns, **{"path": "functiongemma", **card})


def called(name: str, arguments: str) -> Raw:
    return Raw(f"<start_function_call>call:{name}{{{arguments}}}<end_function_call>")


def calls(answer: Answer) -> list[tuple[str, int, int]]:
    return [(tool["name"], tool["calls"], tool["failed"]) for tool in answer.document()["tools"]]


def stages(answer: Answer) -> list[str]:
    return [repair["stage"] for repair in answer.document()["repairs"]]


def asked(answer: Answer) -> dict[str, int]:
    return {use["role"]: use["calls"] for use in answer.document()["roles"]}


def requests(on: Stage, model: str) -> list[Mapping[str, Any]]:
    return [orjson.loads(seen.body) for seen in on.host.requests if seen.path == "/api/chat" and seen.model.partition(":")[0] == model]


# ---------------------------------------------------------------- read


@pytest.mark.parametrize("text", [PRINTED, f"```json\n{PRINTED}\n```", TAGGED, f"I shall ask.\n{TAGGED}"])
async def test_a_call_that_is_printed_as_text_is_made(text: str) -> None:
    async with stage({"arbiter": arbiter(Raw(text), "Thus.", **TEXTS), "coding": ["So it is done."]}) as on:
        answer = await on.app.run("How?")
        assert (answer.status, answer.text) == ("answered", "Thus.")
        assert calls(answer) == [("consult_coding_specialist", 1, 0)]
        assert answer.usage["model_calls"] == 3
        assert stages(answer) == ["extract"]


async def test_a_plain_turn_and_a_clean_call_cost_what_the_models_ask_for() -> None:
    async with stage({"arbiter": ["Hello.", RIGHT, "Thus."], "coding": ["So."], "interpreter": interpreter()}) as on:
        plain, consulting = await on.app.run("Hello?"), await on.app.run("How?")
        assert (plain.usage["model_calls"], consulting.usage["model_calls"]) == (1, 3)
        assert plain.document()["repairs"] == consulting.document()["repairs"] == []
        assert requests(on, "functiongemma") == []


# ---------------------------------------------------------------- repaired by its schema


async def test_arguments_are_coerced_and_each_change_is_told() -> None:
    def book(seats: int, window: bool, where: list[str]) -> str:
        return f"{seats!r} {window!r} {where!r}"

    call = Call("book", {"Seats": "2", "window": "yes", "where": "front"})
    async with stage({"arbiter": [call, "Booked."]}, tools=[book]) as on:
        answer = await on.app.run("Book.")
        assert on.heard("arbiter")[1] == "2 True ['front']"
        assert stages(answer) == ["repair"] * 4
        assert [repair.what.partition(": ")[2] for repair in await facts(on.app, answer.run, CallRepaired)][1:] == [
            'seats: "2" read as 2',
            'window: "yes" read as true',
            'where: "front" read as ["front"]',
        ]
        assert all(repair["call"] for repair in answer.document()["repairs"])


# ---------------------------------------------------------------- interpreted


async def test_the_interpreter_says_what_an_unreadable_call_means() -> None:
    meant = called("consult_coding_specialist", "query:<escape>How to merge lists<escape>")
    cast = {"arbiter": arbiter(Raw(UNKNOWN), "Thus.", **TEXTS), "coding": ["So it is done."], "interpreter": interpreter(meant)}
    async with stage(cast) as on:
        answer = await on.app.run("How?")
        assert (answer.status, answer.text) == ("answered", "Thus.")
        assert calls(answer) == [("consult_coding_specialist", 1, 0)]
        assert stages(answer) == ["interpreter"]
        assert asked(answer) == {"interpreter": 1, "coding": 1, "arbiter": 2}
        assert [event.role for event in await facts(on.app, answer.run, ModelAsked)] == ["arbiter", "interpreter", "coding", "arbiter"]
        [request] = requests(on, "functiongemma")
        assert request["messages"][0]["content"] == "You are a model that can do function calling with the following functions"
        assert [message["role"] for message in request["messages"]] == ["system", "user"]
        assert len(request["tools"]) <= 4
        assert "<start_function_response>" in request["options"]["stop"]
        history = on.sent("arbiter")[-1]["messages"]
        assert [message["role"] for message in history] == ["system", "user", "assistant", "tool"]


@pytest.mark.parametrize(
    "said",
    [
        Raw("<start_function_call>nonsense<end_function_call>"),  # comes as a call named ""
        called("consult_a_wizard", "query:<escape>How?<escape>"),
        called("consult_coding_specialist", "query:<escape>merge<escape>, two:<escape>lists<escape>"),
        called("consult_coding_specialist", "context:<escape>none<escape>"),
        "I cannot do that.",
        "",
    ],
    ids=["no name", "not offered", "torn at a comma", "nothing that is required", "refusal", "nothing"],
)
async def test_what_the_interpreter_says_is_checked_and_else_the_caller_says_it_again_as_json(said: Any) -> None:
    cast = {"arbiter": arbiter(Raw(UNKNOWN), RIGHT, "Thus.", **TEXTS), "coding": ["So."], "interpreter": interpreter(said)}
    async with stage(cast) as on:
        answer = await on.app.run("How?")
        assert (answer.text, calls(answer)) == ("Thus.", [("consult_coding_specialist", 1, 0)])
        assert stages(answer) == ["arbiter"]
        again = on.sent("arbiter")[1]
        assert "format" in again
        assert "tools" not in again
        assert "ask_a_wizard" in again["messages"][-1]["content"]
        assert "consult_coding_specialist" in orjson.dumps(again["format"]).decode()


async def test_a_value_that_the_interpreters_parser_cut_off_is_not_believed() -> None:
    def diary(day: str) -> str:
        return day

    wish = Raw('<tool_call>{"name": "diari", "arguments": {"day" 2024-01-15}}</tool_call>')
    cast = {
        "arbiter": arbiter(wish, Call("diary", {"day": "2024-01-15"}), "Done.", **TEXTS),
        "interpreter": interpreter(called("diary", "day:2024-01-15")),
    }
    async with stage(cast, tools=[diary]) as on:
        answer = await on.app.run("What did I write on that day?")
        assert on.heard("arbiter")[-1] == "2024-01-15"
        assert stages(answer) == ["arbiter"]


async def test_what_cannot_be_taken_back_is_done_only_with_values_that_somebody_named() -> None:
    wiped: list[str] = []

    def wipe_disk(disk: str) -> str:
        wiped.append(disk)
        return "gone"

    torn = Raw("<tool_call>{'name': 'wipe_disk', 'arguments': {{'disk' sdb}}</tool_call>")
    for meant, done in (("sda", []), ("sdb", ["sdb"])):
        cast = {
            "arbiter": arbiter(torn, "I leave it.", "Ended.", **TEXTS),
            "interpreter": interpreter(called("wipe_disk", f"disk:<escape>{meant}<escape>")),
        }
        async with stage(cast, tools=[wipe_disk]) as on:
            await on.app.run("Make room.")
            assert wiped == done


# ---------------------------------------------------------------- swallowed, dead, garbage


async def test_a_call_that_the_host_swallowed_is_said_again_as_json() -> None:
    cast = {"arbiter": arbiter(Raw(UNKNOWN), RIGHT, "Thus."), "coding": ["So."], "interpreter": interpreter()}
    async with stage(cast) as on:
        answer = await on.app.run("How?")
        assert (answer.text, calls(answer)) == ("Thus.", [("consult_coding_specialist", 1, 0)])
        assert stages(answer) == ["arbiter"]
        assert requests(on, "functiongemma") == []  # there is no text that it could read
        assert asked(answer) == {"arbiter": 3, "coding": 1}


async def test_an_answer_is_welcome_when_it_is_said_again() -> None:
    async with stage({"arbiter": arbiter(Raw(UNKNOWN), "Just so."), "coding": []}) as on:
        heard: list[str] = []
        answer = await on.app.run("How?", on_token=heard.append)
        assert (answer.status, answer.text) == ("answered", "Just so.")
        assert heard[-1] == "Just so."
        assert stages(answer) == ["arbiter"]


async def test_what_an_interpreter_said_is_no_part_of_an_answer_that_is_not_whole() -> None:
    cast = {
        "arbiter": arbiter(Raw(UNKNOWN), "Never.", **TEXTS),
        "coding": ["Half of it."],
        "interpreter": interpreter(called("consult_coding_specialist", "query:<escape>How?<escape>")),
    }
    async with stage(cast) as on:
        answer = await on.app.run("How?", options=RunOptions(max_turns=1))
        assert (answer.status, answer.text) == ("partial", "coding:\nHalf of it.")


async def test_an_interpreter_has_a_second_model() -> None:
    meant = called("consult_coding_specialist", "query:<escape>How do I merge lists?<escape>")
    cast = {"arbiter": arbiter(Raw(UNKNOWN), "Thus.", **TEXTS), "coding": ["So it is done."], "interpreter": interpreter(meant)}
    async with stage(cast, orchestration={"specialists": {"interpreter": {"model": ["nope:1b", "functiongemma"]}}}) as on:
        answer = await on.app.run("How?")
        assert (answer.text, stages(answer)) == ("Thus.", ["interpreter"])
        (warning,) = answer.document()["warnings"]
        assert warning.startswith("interpreter (nope:1b) gave no answer: No host can serve nope:1b.")


async def test_a_dead_interpreter_only_costs_a_rung() -> None:
    roles = {
        "arbiter": arbiter(Raw(UNKNOWN), RIGHT, Raw(UNKNOWN), RIGHT, "Thus.", **TEXTS),
        "coding": Model.scripted("coding", ["So.", "And so."]),
    }
    gone = {
        "servers": {"gone": {"url": "http://127.0.0.1:9"}},
        "specialists": {"interpreter": {"model": "functiongemma", "server": "gone"}},
    }
    async with stage(roles, orchestration=gone) as on:
        answer = await on.app.run("How?")
        assert (answer.status, answer.text) == ("answered", "Thus.")
        assert stages(answer) == ["arbiter", "arbiter"]
        assert [warning for warning in answer.document()["warnings"] if warning.startswith("interpreter (functiongemma) cannot be asked: ")]
        failed = await facts(on.app, answer.run, ModelFailed)
        assert {event.role for event in failed} == {"interpreter"}
        assert (
            len([event for event in await facts(on.app, answer.run, ModelAsked) if event.role == "interpreter"]) == 1
        )  # it is not waited for twice


async def test_when_nothing_helps_the_caller_is_told_what_was_wrong() -> None:
    garbage = Raw("no JSON at all")
    cast = {"arbiter": arbiter(Raw(UNKNOWN), garbage, RIGHT, "Thus.", **TEXTS), "coding": ["So."], "interpreter": interpreter("Sorry.")}
    async with stage(cast) as on:
        answer = await on.app.run("How?")
        assert answer.text == "Thus."
        assert "there is no tool `ask_a_wizard`" in on.heard("arbiter")[2]
        assert calls(answer) == [("consult_coding_specialist", 1, 0)]


async def test_garbage_in_schema_mode_is_told_and_then_read_by_the_interpreter() -> None:
    said = Raw("I would like to consult the coding specialist: How?")
    meant = called("consult_coding_specialist", "query:<escape>How?<escape>")
    cast = {"arbiter": arbiter(said, "Thus."), "coding": ["So."], "interpreter": interpreter(meant)}
    async with stage(cast, orchestration={"arbiter": {"channel": "schema"}}) as on:
        answer = await on.app.run("How?")
        assert (answer.text, stages(answer)) == ("Thus.", ["interpreter"])


async def test_no_rung_is_climbed_when_the_run_may_make_no_more_calls() -> None:
    cast = {"arbiter": arbiter(RIGHT, Raw(UNKNOWN), "Thus.", **TEXTS), "coding": ["So."], "interpreter": interpreter()}
    async with stage(cast) as on:
        answer = await on.app.run("How?", options=RunOptions(max_calls=1))
        assert answer.text == "Thus."
        assert asked(answer) == {"arbiter": 3, "coding": 1}


# ---------------------------------------------------------------- the user


async def test_at_the_end_of_the_ladder_the_user_is_asked_and_heard(tmp_path: Path) -> None:
    nothing = [Raw(UNKNOWN), Raw("{")] * 3
    async with stage({"arbiter": arbiter(*nothing, "Thus.")}, state=tmp_path, tools=[len_of]) as on:
        waiting = await on.app.run("How?", options=RunOptions(on_question="wait"))
        assert waiting.status == "waiting"
        question = waiting.document()["question"]
        assert "no answer that could be read" in question["text"]
        await on.app.answer(waiting.run, "Do it without tools.")
        answer = await on.app.resume(waiting.run)
        assert (answer.status, answer.text) == ("answered", "Thus.")
        assert on.heard("arbiter")[-1].endswith("\n\nThe user says: Do it without tools.")


async def test_the_user_may_end_it_and_without_one_the_run_fails() -> None:
    nothing = [Raw(UNKNOWN), Raw("{")] * 3
    async with stage({"arbiter": arbiter(*nothing, repeat=True)}, tools=[len_of]) as on:
        alone = await on.app.run("How?")
        assert (alone.status, alone.reason and alone.reason.code) == ("failed", "no_answer")
        waiting = await on.app.run("How?", options=RunOptions(on_question="wait"))
        await on.app.answer(waiting.run, "stop")
        ended = await on.app.resume(waiting.run)
        assert (ended.status, ended.reason and ended.reason.code) == ("failed", "no_answer")


def len_of(text: str) -> int:
    return len(text)


# ---------------------------------------------------------------- clarified


async def test_a_call_with_arguments_that_cannot_be_saved_is_clarified_once() -> None:
    def forecast(city: str, unit: str) -> str:
        return f"{city} in {unit}"

    wrong, meant = Call("forecast", {"city": "Rome"}), called("forecast", "city:<escape>Rome<escape>,unit:<escape>celsius<escape>")
    async with stage({"arbiter": [wrong, "Mild."], "interpreter": interpreter(meant)}, tools=[forecast]) as on:
        answer = await on.app.run("How warm is it in Rome, in celsius?")
        heard = on.heard("arbiter")[1]
        assert heard.endswith("Rome in celsius")
        assert "This was done instead: forecast(city='Rome', unit='celsius')" in heard
        assert calls(answer) == [("forecast", 1, 0)]
        [repair] = answer.document()["repairs"]
        assert (repair["stage"], bool(repair["call"])) == ("interpreter", True)


async def test_what_the_interpreter_cannot_clarify_goes_back_to_the_caller() -> None:
    def forecast(city: str, unit: str) -> str:
        return f"{city} in {unit}"

    wrong, invented = Call("forecast", {"city": "Rome"}), called("forecast", "city:<escape>Rome<escape>,unit:<escape>kelvin<escape>")
    async with stage({"arbiter": [wrong, "Sorry."], "interpreter": interpreter(invented)}, tools=[forecast]) as on:
        answer = await on.app.run("How warm is it in Rome?")
        assert "unit is missing" in on.heard("arbiter")[1]
        assert (calls(answer), stages(answer)) == ([("forecast", 1, 1)], [])


# ---------------------------------------------------------------- the interpreter and the mediator as tools


async def test_the_arbiter_may_ask_the_interpreter_what_a_text_means() -> None:
    ask = Call("reinterpret_with_functiongemma", {"text": "call the coding specialist and ask: How?"})
    meant = called("consult_coding_specialist", "query:<escape>How?<escape>")
    async with stage({"arbiter": [ask, "I see."], "coding": [], "interpreter": interpreter(meant)}) as on:
        answer = await on.app.run("What does it mean?")
        assert orjson.loads(on.heard("arbiter")[1]) == {
            "success": True,
            "calls": [{"name": "consult_coding_specialist", "arguments": {"query": "How?"}}],
        }
        assert calls(answer) == [("reinterpret_with_functiongemma", 1, 0)]
    async with stage({"arbiter": ["Hello."], "coding": []}) as on:
        await on.app.run("Hello?")
        assert "reinterpret_with_functiongemma" not in {tool["function"]["name"] for tool in on.sent("arbiter")[0]["tools"]}


async def test_the_mediator_rewords_a_response_and_turns_it_into_calls() -> None:
    words = Call("mediate", {"response": "O(n), see lines 3-9.", "for_role": "analysis"})
    into = Call("mediate", {"response": "Let the arbiter consult coding: How?", "for_role": "arbiter", "into": "calls"})
    meant = called("consult_coding_specialist", "query:<escape>How?<escape>")
    cast = {
        "arbiter": [words, into, "Done."],
        "coding": [],
        "analysis": [],
        "synthesizer": ["It is linear."],
        "interpreter": interpreter(meant),
    }
    async with stage(cast) as on:
        await on.app.run("Mediate.")
        assert orjson.loads(on.heard("arbiter")[1])["response"] == "It is linear."
        assert "Reword it for analysis" in on.heard("synthesizer")[0]
        assert orjson.loads(on.heard("arbiter")[2])["calls"] == [{"name": "consult_coding_specialist", "arguments": {"query": "How?"}}]


async def test_a_rule_names_who_interprets() -> None:
    rule = {"condition": "response.unclear_tool_calls", "specialist": "helper"}
    meant = Call("consult_coding_specialist", {"query": "How?"})
    cast = {"arbiter": arbiter(Raw(UNKNOWN), "Thus.", **TEXTS), "coding": ["So."], "helper": [meant]}
    async with stage(cast, orchestration={"routing": {"rules": [rule]}}) as on:
        answer = await on.app.run("How?")
        assert asked(answer) == {"helper": 1, "coding": 1, "arbiter": 2}
        assert on.sent("helper")[0]["messages"][0]["content"].startswith("You are a model that can do function calling")


# ---------------------------------------------------------------- cut short


async def test_a_run_that_is_cancelled_while_a_reply_is_interpreted_goes_on_when_it_is_resumed(tmp_path: Path) -> None:
    meant = called("consult_coding_specialist", "query:<escape>How?<escape>")
    models = {
        "arbiter": arbiter(Raw(UNKNOWN), Raw(UNKNOWN), "Thus.", **TEXTS),
        "coding": Model.scripted("coding", ["So."]),
        "interpreter": interpreter(meant),
    }
    first, second = Host("first", [models["arbiter"], models["coding"]], parallel=8), Host("second", [models["interpreter"]], parallel=8)
    async with serve(first) as one, serve(second) as two:
        config = configuration(
            models, {"first": one, "second": two}, {"specialists": {"interpreter": {"server": ["second"]}}, "arbiter": {"server": "first"}}
        )
        async with mmos.open(config, state=tmp_path) as app:
            second.faults.add("hang")
            running = asyncio.create_task(app.run("How?"))
            await until(lambda: any(seen.path == "/api/chat" for seen in second.requests))
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            second.faults.clear()
            run = (await app.journal.read(kinds=("run_started",)))[0].run
            answer = await app.resume(run)
            assert (answer.status, answer.text) == ("answered", "Thus.")
            assert stages(answer) == ["interpreter"]
