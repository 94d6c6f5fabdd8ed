"""Where a role has too many tools, its prompts offer those that fit the task, those that it used, and those that it found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmos
from mmos.calls.spec import Spec
from mmos.events import ModelAsked
from mmos.prompting.relevance import FIND_TOOLS, Index, names_in, words
from mmos.testing import Call, Stage, facts, stage
from mmos.toolbox import Tool, from_function


def a_tool(name: str, description: str) -> Tool:
    return from_function(mmos.tool(name=name, description=description)(lambda what: f"{name}: {what}"))


WEATHER = a_tool("get_weather", "The weather forecast of a city.")
TICKETS = a_tool("searchTickets", "Search issues and bugs in the tracker.")
OTHERS = [a_tool(f"tool_{number}", f"Does thing number {number}.") for number in range(30)]
ALL = [*OTHERS, TICKETS, WEATHER]


def offered(on: Stage, role: str = "arbiter") -> list[list[str]]:
    return [[tool["function"]["name"] for tool in body.get("tools", ())] for body in on.sent(role)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("Will it rain? I want forecasts for Oslo.", "get_weather"),
        ("Which bug was reported in our issue tracking?", "searchTickets"),
        ("ticket", "searchTickets"),
        ("Do thing 7", "tool_7"),
    ],
)
def test_the_words_of_a_task_find_a_tool(query: str, first: str) -> None:
    assert Index([tool.spec for tool in ALL]).ranked(query)[0] == first


def test_words_of_scripts_without_spaces_are_found_in_parts() -> None:
    assert Index([Spec("a", "天気予報を調べる"), Spec("b", "株価を調べる")]).ranked("明日の天気は？") == ["a"]


@given(st.text())
def test_any_text_has_words(text: str) -> None:
    assert all(words(text))
    assert list(names_in(text)) == []


async def test_a_prompt_offers_what_fits_and_keeps_what_was_used() -> None:
    arbiter = [Call("get_weather", {"what": "Oslo"}), "Rain.", "No bug."]
    async with stage({"arbiter": arbiter}, tools=ALL, orchestration={"limits": {"tools": 3}}) as on:
        run = (await on.app.run("What is the weather forecast?", thread="t")).run
        await on.app.run("Which bug is in the tracker?", thread="t")
        first, again, other = offered(on)
        assert first == again
        assert len(first) == 3 + len({*first} - {tool.name for tool in ALL})
        assert {"get_weather", FIND_TOOLS, "escalate_to_user"} <= {*first}
        assert {"get_weather", "searchTickets"} <= {*other}
        assert "searchTickets" not in first
        assert len(await facts(on.app, run, ModelAsked)) == 2
        assert not any(step.differences for step in (await on.app.replay(run)).comparisons)


async def test_tasks_that_take_turns_leave_the_tools_as_they_are() -> None:
    tasks = ("What is the weather forecast?", "Which bug is in the tracker?") * 3
    async with stage({"arbiter": ["Done."] * 6}, tools=ALL, orchestration={"limits": {"tools": 12}}) as on:
        for task in tasks:
            await on.app.run(task, thread="t")
        first, second, *rest = offered(on)
        assert "get_weather" in first
        assert {"get_weather", "searchTickets"} <= {*second}
        assert all(each == second for each in rest), "other tools would change the beginning of the prompt"


async def test_a_tool_that_was_left_out_is_found_and_offered_from_then_on() -> None:
    arbiter = [Call(FIND_TOOLS, {"query": "issue tracker"}), Call("searchTickets", {"what": "leak"}), "One.", ]  # fmt: skip
    async with stage({"arbiter": arbiter}, tools=ALL, orchestration={"limits": {"tools": 3}}) as on:
        answer = await on.app.run("Hello there.")
        assert answer.text == "One."
        first, second, third = offered(on)
        assert "searchTickets" not in first
        assert "searchTickets" in second
        assert second == third
        told = next(tool["function"]["description"] for tool in on.sent("arbiter")[0]["tools"] if tool["function"]["name"] == FIND_TOOLS)
        assert told.startswith(f"You have {len(ALL) - 3} more tools")
        assert not any(step.differences for step in (await on.app.replay(answer.run)).comparisons)


async def test_a_call_of_a_tool_that_was_left_out_is_made_and_a_search_in_vain_names_all() -> None:
    arbiter = [Call("tool_29", {"what": "x"}), Call(FIND_TOOLS, {"query": "xyzzy"}), "Done."]
    async with stage({"arbiter": arbiter}, tools=ALL, orchestration={"limits": {"tools": 3}}) as on:
        await on.app.run("Hello there.")
        results = [message["content"] for message in on.sent("arbiter")[-1]["messages"] if message["role"] == "tool"]
        assert results[0] == "tool_29: x"
        assert results[1].startswith("Error: No tool fits these words. Try others. The tools are: tool_0, ")
        assert "tool_29" in offered(on)[1]


async def test_a_role_with_few_tools_has_no_shortlist() -> None:
    async with stage({"arbiter": ["Hello."]}, tools=ALL[:3], orchestration={"limits": {"tools": 3}}) as on:
        await on.app.run("Hello there.")
        assert FIND_TOOLS not in offered(on)[0]
