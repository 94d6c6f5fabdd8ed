"""Specialists that disagree: what counts as a disagreement, and what a rehearsed arbiter does about it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from mmos.rehearsal import serve
from mmos.rehearsal.disagreeing import claims, disagreement
from mmos.rehearsal.fleet import PERSONAS, host_from
from tests.rehearsal_talk import STRING, Talk, result, tool, user

CODING, REASONING, ANALYSIS = (f"consult_{role}_specialist" for role in ("coding", "reasoning", "analysis"))
CONSULT = [tool(name, ["query"], query=STRING) for name in (CODING, REASONING)]
ESCALATE = tool("escalate_to_user", ["question"], question=STRING, options={"type": "array", "items": STRING})


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    async with serve(host_from(PERSONAS / "ollama01.yaml", time_scale=None)) as url:
        yield Talk(url, "qwen2.5:14b")


@pytest.mark.parametrize(
    ("text", "claimed"),
    [
        ("2 + 3 * 4 = 14 (rehearsed)", {"2+3*4": "14"}),
        ("x = 3", {}),
        ("5 words, 1 lines, 12 characters.", {"the number of words": "5", "the number of lines": "1", "the number of characters": "12"}),
        ("No, it is not.", {"yes or no": "no"}),
        ("Nothing is certain.", {}),
        ("The answer is 42.", {"the number": "42"}),
        ("pear, apple, fig (rehearsed)", {"the order of apple, fig, pear": "pear, apple, fig"}),
        ("First we look at the long text, then at the short one, then at none", {}),
    ],
)
def test_what_a_text_claims(text: str, claimed: Mapping[str, str]) -> None:
    found = claims(text)
    assert {subject: found.get(subject) for subject in claimed} == dict(claimed)
    assert bool(found) is bool(claimed)


def test_only_another_value_of_the_same_thing_is_a_disagreement() -> None:
    assert disagreement({"a": "1 + 1 = 2", "b": "1 + 1 = 2.0", "c": "2 + 2 = 5"}) is None
    assert disagreement({"a": "Yes.", "b": "It depends.", "c": "No."}) is not None
    assert disagreement({}) is None


async def settled(talk: Talk, task: str, first: str, second: str, **more: Any) -> str:
    asked = [user(task), await talk(task, tools=CONSULT)]
    return await talk.text(*asked, result(CODING, first), result(REASONING, second), tools=CONSULT, **more)


@pytest.mark.parametrize(
    ("task", "first", "second", "end"),
    [
        ("What is 2 + 3 * 4?", "2 + 3 * 4 = 20", "2 + 3 * 4 = 14", "I did it myself and get 14. Take what the reasoning specialist says."),
        ("Is it so?", "7 * 6 = 42", "7 * 6 = 43", "I did it myself and get 42. Take what the coding specialist says."),
        ("Is it so?", "7 * 6 = 41", "7 * 6 = 43", "I did it myself and get 42. Neither of them is right."),
        ("Count the words: one two three", "4 words", "3 words", "I did it myself and get 3. Take what the reasoning specialist says."),
        (
            "Sort: pear, apple, fig",
            "apple, pear, fig",
            "apple, fig, pear",
            "get apple, fig, pear. Take what the reasoning specialist says.",
        ),
    ],
    ids=["sum", "first", "neither", "count", "order"],
)
async def test_what_can_be_checked_is_checked(talk: Talk, task: str, first: str, second: str, end: str) -> None:
    text = await settled(talk, task, first, second)
    assert "They disagree about" in text
    assert f"{end} (rehearsed)" in text
    assert "Together:" not in text
    assert first in text
    assert second in text


async def test_those_who_agree_are_put_together(talk: Talk) -> None:
    assert "Together: take the first" in await settled(talk, "Is it so?", "Yes.", "Yes, surely.")


async def test_what_cannot_be_checked_is_asked_again(talk: Talk) -> None:
    asked = [user("Is it safe?"), await talk("Is it safe?", tools=CONSULT), result(CODING, "Yes."), result(REASONING, "No.")]
    again = await talk(*asked, tools=CONSULT)
    [call] = again["tool_calls"]
    assert call["function"]["name"] == REASONING
    query = call["function"]["arguments"]["query"]
    assert query.endswith("You said no. Look again: which of the two holds?\nThe coding specialist says: yes")
    assert "Task: Is it safe?" in query
    told = [*asked, again, result(REASONING, "Yes, after all.")]
    text = await talk.text(*told, tools=CONSULT)
    assert "the coding specialist says yes, the reasoning specialist says no. Asked again, they agree." in text
    assert "No." in text
    stubborn = [*asked, again, result(REASONING, "No, still.")]
    assert "I cannot settle it: hold neither for certain." in await talk.text(*stubborn, tools=CONSULT)
    gone = [*asked, again, result(REASONING, "Error: the host is gone")]
    assert "I cannot settle it" in await talk.text(*gone, tools=CONSULT)


async def test_what_they_still_disagree_about_is_the_user_s_to_say(talk: Talk) -> None:
    offered = [*CONSULT, ESCALATE]
    asked = [user("Is it safe?"), await talk("Is it safe?", tools=offered), result(CODING, "Yes."), result(REASONING, "No.")]
    again = [*asked, await talk(*asked, tools=offered), result(REASONING, "No, still.")]
    question = await talk(*again, tools=offered)
    [call] = question["tool_calls"]
    assert call["function"]["name"] == "escalate_to_user"
    assert call["function"]["arguments"]["options"] == ["yes", "no"]
    assert "Which one holds?" in call["function"]["arguments"]["question"]
    text = await talk.text(*again, question, result("escalate_to_user", "no"), tools=offered)
    assert "You were asked, and said: no" in text


async def test_one_tool_for_all_is_asked_again_too(talk: Talk) -> None:
    one = [tool("consult_specialist", ["specialist", "query"], specialist={"enum": ["coding", "reasoning"]}, query=STRING)]
    asked = [
        user("Is it safe?"),
        await talk("Is it safe?", tools=one),
        result("consult_specialist", "Yes."),
        result("consult_specialist", "No."),
    ]
    [(name, arguments)] = await talk.calls(*asked, tools=one)
    assert (name, arguments["specialist"]) == ("consult_specialist", "reasoning")
    end = [*asked, await talk(*asked, tools=one), result("consult_specialist", "Yes.")]
    assert "Asked again, they agree." in await talk.text(*end, tools=one)


@pytest.mark.parametrize(
    ("task", "roles"),
    [
        ("Just ask coding: write a loop", ["coding"]),
        ("Write code that counts the words of a report, and explain why it is right", ["analysis", "coding", "reasoning"]),
        ("Hello", ["coding", "reasoning"]),
    ],
)
async def test_one_to_three_are_asked(talk: Talk, task: str, roles: list[str]) -> None:
    offered = [*CONSULT, tool(ANALYSIS, ["query"], query=STRING)]
    assert sorted(name.split("_")[1] for name, _ in await talk.calls(task, tools=offered)) == sorted(roles)
