"""Personas in a conversation of models: the participants, and the arbiter that watches over it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mmos.rehearsal import serve
from mmos.rehearsal.fleet import PERSONAS, host_from
from tests.rehearsal_talk import STRING, Talk, result, tool, user

LEAK = "Since the last release our service leaks memory: find the cause and write the fix."
NAMES = {"type": "array", "items": {"type": "string", "enum": ["coding", "reasoning", "analysis", "interpreter"]}}
START = tool(
    "start_multi_model_conversation",
    ["topic", "participants", "mode"],
    topic=STRING,
    participants=NAMES,
    mode={"type": "string", "enum": ["direct", "mediated"]},
    goal=STRING,
)
CONSULT = [tool(f"consult_{role}_specialist", ["query"], query=STRING) for role in ("coding", "reasoning")]
LIST = {"type": "array", "items": STRING}
SAY = tool(
    "say", ["to", "stance", "message"], to={"type": "string", "enum": ["all", "reasoning"]}, stance=STRING, message=STRING, claims=LIST
)
CONCLUDE = tool("conclude", ["verdict", "reasons"], verdict=STRING, reasons=LIST, dissent=STRING)
REVIEW = tool(
    "review",
    ["action", "reason"],
    action=STRING,
    reason=STRING,
    quote=STRING,
    message=STRING,
    to={"type": "string", "enum": ["coding", "reasoning"]},
)
DECIDE = tool("decide", ["accept", "reason"], accept={"type": "boolean"}, reason=STRING)
NEXT = tool("next_speaker", ["name"])
NEXT["function"]["parameters"]["properties"] = {"name": {"type": "string", "enum": ["coding", "reasoning"]}}
CLOSING = tool(
    "conclude",
    ["verdict", "reasons"],
    verdict=STRING,
    reasons=LIST,
    dissent=STRING,
    consensus={"type": "array"},
    contradictions={"type": "array"},
    unique_insights={"type": "array"},
)


def first(task: str) -> str:
    return f"The user's own words:\n<<<\n{task}\n>>>\nYou are coding. You talk with reasoning about this topic:\n<<<\n{task}\n>>>\nNobody has written yet. Work it out, then call say."


def messages(*said: tuple[str, str, str]) -> str:
    return "\n\n".join(f"Message {number}, {sender} to {to}:\n<<<\n{text}\n>>>" for number, (sender, to, text) in enumerate(said, 1))


@pytest.fixture
async def arbiter() -> AsyncIterator[Talk]:
    async with serve(host_from(PERSONAS / "ollama01.yaml", time_scale=None)) as url:
        yield Talk(url, "qwen2.5:14b")


@pytest.fixture
async def coding() -> AsyncIterator[Talk]:
    async with serve(host_from(PERSONAS / "ollama02.yaml", time_scale=None)) as url:
        yield Talk(url, "qwen2.5-coder:32b")


# ---------------------------------------------------------------- the arbiter


@pytest.mark.parametrize("task", [LEAK, "Discuss whether tabs are better.", "Let coding and reasoning talk about locks.", "Debate it."])
async def test_a_conversation_begins_where_work_needs_several_hands_or_the_user_wants_one(arbiter: Talk, task: str) -> None:
    ((name, arguments),) = await arbiter.calls(task, tools=[*CONSULT, START])
    assert (name, arguments["mode"]) == ("start_multi_model_conversation", "direct")
    assert set(arguments["participants"]) >= {"coding", "reasoning"}
    assert "interpreter" not in arguments["participants"]


async def test_the_user_may_want_it_mediated(arbiter: Talk) -> None:
    ((_, arguments),) = await arbiter.calls("Let coding and reasoning talk about locks through you.", tools=[*CONSULT, START])
    assert arguments["mode"] == "mediated"


async def test_other_tasks_and_a_conversation_that_failed_are_consultations(arbiter: Talk) -> None:
    assert {name for name, _ in await arbiter.calls("Write a merge sort and say why it is right.", tools=[*CONSULT, START])} == {
        "consult_coding_specialist",
        "consult_reasoning_specialist",
    }
    asked = [user(LEAK), await arbiter(LEAK, tools=[*CONSULT, START])]
    failed = result("start_multi_model_conversation", "Error: models may not write to each other here.")
    assert {name for name, _ in await arbiter.calls(*asked, failed, tools=[*CONSULT, START])} == {
        "consult_coding_specialist",
        "consult_reasoning_specialist",
    }


async def test_the_verdict_of_a_conversation_is_the_answer(arbiter: Talk) -> None:
    asked = [user(LEAK), await arbiter(LEAK, tools=[*CONSULT, START])]
    ended = result("start_multi_model_conversation", '{"success": true, "verdict": "The pool leaks.", "dissent": "reasoning doubts it"}')
    assert (
        await arbiter.text(*asked, ended, tools=[*CONSULT, START]) == "The pool leaks.\n\nStill disputed: reasoning doubts it (rehearsed)"
    )


async def review(arbiter: Talk, text: str, to: str = "reasoning") -> dict[str, Any]:
    ((name, arguments),) = await arbiter.calls(f"Message 3 of coding to {to}:\n<<<\n{text}\n>>>\nCall review.", tools=[REVIEW])
    assert name == "review"
    return arguments


async def test_a_message_without_a_fault_passes(arbiter: Talk) -> None:
    assert (await review(arbiter, "The pool leaks."))["action"] == "pass"


async def test_a_claim_that_nothing_shows_is_changed_and_quoted(arbiter: Talk) -> None:
    made = await review(arbiter, "The pool leaks. It needs no test. That is all.")
    assert (made["action"], made["quote"]) == ("modify", "It needs no test.")
    assert made["message"] == "The pool leaks. A test has to show that it helps. That is all."


async def test_a_question_at_the_wrong_address_goes_to_whom_it_names(arbiter: Talk) -> None:
    made = await review(arbiter, "reasoning, how sure are you?", "analysis")
    assert (made["action"], made["to"]) == ("redirect", "reasoning")


async def test_the_arbiter_accepts_a_conclusion_without_dissent(arbiter: Talk) -> None:
    proposal = "coding proposes to end it with this verdict:\n<<<\nThe pool.\n- It grows.\nDissent: {}\n>>>\nCall decide."
    assert (await arbiter.calls(proposal.format("none"), tools=[DECIDE]))[0][1]["accept"] is True
    assert (await arbiter.calls(proposal.format("reasoning objects"), tools=[DECIDE]))[0][1]["accept"] is False


async def test_who_was_asked_writes_next(arbiter: Talk) -> None:
    text = f"{messages(('coding', 'reasoning', 'How sure?'), ('reasoning', 'all', 'Quite.'))}\nCall next_speaker."
    assert await arbiter.calls(text, tools=[NEXT]) == [("next_speaker", {"name": "reasoning"})]


async def test_the_arbiter_writes_a_verdict_before_it_reads(arbiter: Talk) -> None:
    assert "Before I read anybody" in await arbiter.text("Nobody has written yet. Write your own verdict in three sentences.")


async def test_the_record_names_who_said_what_where(arbiter: Talk) -> None:
    said = messages(
        ("coding", "all", "The pool leaks sockets."),
        ("reasoning", "all", "The growth began in May."),
        ("reasoning", "coding", 'I checked message 1: "The pool leaks sockets." It fits.'),
    )
    ((_, made),) = await arbiter.calls(f"{said}\nCall conclude.", tools=[CLOSING])
    assert made["consensus"] == [{"text": "The pool leaks sockets.", "who": ["coding", "reasoning"], "evidence": [1, 3]}]
    assert "The pool leaks sockets." in made["verdict"]
    assert made["dissent"] == ""


async def test_a_disagreement_is_checked_by_the_arbiter(arbiter: Talk) -> None:
    ((_, made),) = await arbiter.calls(
        f"{messages(('coding', 'all', '2 + 3 * 4 = 20'), ('reasoning', 'all', '2 + 3 * 4 = 14'))}\nCall conclude.", tools=[CLOSING]
    )
    assert "Take what the reasoning specialist says." in made["verdict"]
    assert [one["evidence"] for one in made["contradictions"]] == [[1, 2]]


async def test_the_arbiter_leads_a_mediated_conversation(arbiter: Talk) -> None:
    consult = tool("consult_model", model={"type": "string", "enum": ["coding", "reasoning"]}, query=STRING, context_filter=STRING)
    tools, task = [consult, CLOSING], "The user's own words:\n<<<\nIs it so?\n>>>\nYou lead a conversation."
    asked = [user(task), await arbiter(task, tools=tools)]
    assert [(call["function"]["arguments"]["model"], call["function"]["arguments"]["query"]) for call in asked[1]["tool_calls"]] == [
        ("coding", "Is it so?"),
        ("reasoning", "Is it so?"),
    ]
    answers = [
        result("consult_model", messages(("coding", "arbiter", "Yes."))),
        result("consult_model", messages(("reasoning", "arbiter", "No.")).replace("1,", "2,")),
    ]
    asked += [*answers, await arbiter(*asked, *answers, tools=tools)]
    again = asked[-1]["tool_calls"][0]["function"]["arguments"]
    assert (again["model"], again["context_filter"]) == ("reasoning", "answers")
    third = result("consult_model", messages(("reasoning", "arbiter", "Yes.")).replace("1,", "3,"))
    ((name, made),) = await arbiter.calls(*asked, third, tools=tools)
    assert name == "conclude"
    assert "coding found:\nYes." in made["verdict"]


# ---------------------------------------------------------------- the participants


async def test_the_first_message_is_the_model_s_own_answer(coding: Talk) -> None:
    ((name, made),) = await coding.calls(first(LEAK), tools=[SAY, CONCLUDE])
    assert (name, made["to"], made["stance"]) == ("say", "all", "new")
    assert "```python" in made["message"]
    assert "(rehearsed)" not in made["message"]
    assert made["claims"][0].startswith("The callbacks are added")


async def test_the_next_message_checks_what_another_wrote(coding: Talk) -> None:
    ((_, made),) = await coding.calls(
        user(first(LEAK)),
        await coding(first(LEAK), tools=[SAY, CONCLUDE]),
        messages(("reasoning", "all", "The growth began in May.")),
        tools=[SAY, CONCLUDE],
    )
    assert (made["to"], made["stance"]) == ("reasoning", "agree")
    assert "The growth began in May." in made["message"]


async def test_who_gets_another_result_disagrees(coding: Talk) -> None:
    task = first("What is 2 + 3 * 4?")
    ((_, made),) = await coding.calls(
        user(task), await coding(task, tools=[SAY, CONCLUDE]), messages(("reasoning", "all", "2 + 3 * 4 = 14")), tools=[SAY, CONCLUDE]
    )
    assert (made["to"], made["stance"]) == ("reasoning", "disagree")
    assert "get 14" in made["message"]


async def test_a_verdict_is_proposed_if_the_user_wants_one(coding: Talk) -> None:
    task = first("Discuss the leak in memory, and conclude.")
    made = await coding.calls(
        user(task),
        await coding(task, tools=[SAY, CONCLUDE]),
        messages(("reasoning", "all", "The growth began in May.")),
        tools=[SAY, CONCLUDE],
    )
    assert [name for name, _ in made] == ["say", "conclude"]


async def test_a_tool_of_the_user_that_is_named_say_is_called_as_any_other(coding: Talk) -> None:
    assert await coding.calls('Call say with text="hello".', tools=[tool("say", ["text"], text=STRING)]) == [("say", {"text": "hello"})]
