"""Threads and runs that meet: in one process and in two, at once and one after the other, whole and cut off."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.app import RunOptions
from mmos.app.lifecycle import Watch
from mmos.errors import NotFound, StateError, UsageError
from mmos.journal import Journal
from mmos.scope import Hint
from mmos.testing import Call, Cut, Model, Say, stage

LONG = "\n".join(f"{number}. A line of a long answer, with all that belongs to it." for number in range(200))
ASK = Call("escalate_to_user", {"question": "Sure?"})
CONSULT = Call("consult_coding_specialist", {"query": "How?"})


def contents(body: dict) -> list[str]:
    return [message["content"] for message in body["messages"][1:]]


# ---------------------------------------------------------------- one thread


async def test_what_another_process_said_in_a_thread_is_known_in_this_one(tmp_path: Path) -> None:
    async with stage({"arbiter": ["One.", "Two.", "Three."]}, state=tmp_path) as on, mmos.open(on.config, state=tmp_path) as other:
        await on.app.run("1?", thread="t")
        await other.run("2?", thread="t")
        await on.app.run("3?", thread="t")
        assert contents(on.sent("arbiter")[2]) == ["1?", "One.", "2?", "Two.", "3?"]


async def test_a_run_that_another_process_took_to_its_end_is_remembered_with_that_end(tmp_path: Path) -> None:
    async with (
        stage({"arbiter": [ASK, "Yes, then.", "And now this."]}, state=tmp_path) as on,
        mmos.open(on.config, state=tmp_path) as other,
    ):
        failed = await on.app.run("Do it?", thread="t")
        assert failed.status == "failed"
        await other.answer(failed.run, "yes")
        assert (await other.resume(failed.run)).text == "Yes, then."
        await on.app.run("And?", thread="t")
        assert contents(on.sent("arbiter")[2]) == ["Do it?", "", "yes", "Yes, then.", "And?"]


async def test_two_runs_at_once_in_one_thread_do_not_mix(tmp_path: Path) -> None:
    echo = Model.scripted("arbiter", [lambda prompt: f"re {prompt.user_text}"], repeat=True)
    async with stage({"arbiter": echo}, state=tmp_path) as on:
        answers = await asyncio.gather(*(on.app.run(f"{n}?", thread="t") for n in range(4)))
        assert [answer.text for answer in answers] == [f"re {n}?" for n in range(4)]
        assert len({answer.thread for answer in answers}) == 1
        await on.app.run("Last?", thread="t")
        seen = contents(on.sent("arbiter")[-1])
        assert sorted(zip(seen[:-1:2], seen[1::2], strict=True)) == [(f"{n}?", f"re {n}?") for n in range(4)]


async def test_a_resume_beside_a_new_run_of_the_thread_takes_nothing_from_it(tmp_path: Path) -> None:
    def echo(prompt: Any) -> str:
        return f"re {prompt.user_text}"

    async with stage({"arbiter": [ASK, echo, echo, echo]}, state=tmp_path) as on:
        failed = await on.app.run("First?", thread="t")
        await on.app.answer(failed.run, "yes")
        resumed, second = await asyncio.gather(on.app.resume(failed.run), on.app.run("Second?", thread="t"))
        assert (resumed.text, second.text) == ("re First?", "re Second?")
        await on.app.run("Third?", thread="t")
        *_, last = sent = [contents(body) for body in on.sent("arbiter")]
        assert [seen for seen in sent if seen[-1] == "yes"] == [["First?", "", "yes"]]
        before, whole = ["First?", "[This answer was cut short: failed.]"], ["First?", "", "yes", "re First?"]
        beside = ["Second?", "re Second?"]
        # Each stands there in one piece. A prefix never changes, so what the second run has read of the first one stays.
        assert last in ([*before, *beside, *whole, "Third?"], [*whole, *beside, "Third?"])


@pytest.mark.parametrize("name", ["", "  "])
async def test_a_thread_needs_a_name(name: str) -> None:
    async with stage({"arbiter": ["x"]}) as on:
        with pytest.raises(UsageError, match="printable characters"):
            await on.app.run("Hi.", thread=name)


async def test_half_characters_from_a_command_line_are_made_whole(tmp_path: Path) -> None:
    async with stage({"arbiter": [ASK, "ok"]}, state=tmp_path) as on:
        waiting = await on.app.run("na\udcffme", thread="t\udcff", options=RunOptions(on_question="wait", system="be \udcff"))
        await on.app.answer(waiting.run, "ye\udcffs")
        assert (await on.app.resume(waiting.run)).text == "ok"
        assert on.heard("arbiter") == ["na?me", "ye?s"]


async def test_a_long_answer_of_an_earlier_run_can_be_referred_to() -> None:
    def cite(prompt: object) -> str:
        results = [message["content"] for message in prompt.messages if message["role"] == "tool"]  # type: ignore[attr-defined]
        return next(word for word in results[0].split() if word.startswith("artifact:")).rstrip(".")

    async with stage({"arbiter": [CONSULT, "Short.", cite], "coding": [LONG]}) as on:
        await on.app.run("Write.", thread="t")
        assert (await on.app.run("Show me again.", thread="t")).text == LONG


async def test_what_a_stopped_run_shows_of_a_long_answer_it_shows_once() -> None:
    async with stage({"arbiter": [CONSULT, CONSULT], "coding": [LONG]}) as on:
        answer = await on.app.run("Write.", options=RunOptions(max_turns=1))
        assert answer.status == "partial"
        assert (answer.text or "").count(LONG) == 1


# ---------------------------------------------------------------- one run


async def test_a_run_is_worked_on_once_at_a_time(tmp_path: Path) -> None:
    async with stage({"arbiter": ["Never.", "Well."]}, state=tmp_path) as on, mmos.open(on.config, state=tmp_path) as other:
        on.host.faults.add("hang", times=1)
        started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        working = asyncio.create_task(on.app.run("Go.", watch=Watch(on_start=started.set_result)))
        run = await started
        await on.app.journal.durable()
        for app in (on.app, other):
            with pytest.raises(UsageError, match="still at work"):
                await app.resume(run)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        first, second = await asyncio.gather(on.app.resume(run), on.app.resume(run), return_exceptions=True)
        assert {type(first).__name__, type(second).__name__} == {"Answer", "UsageError"}


async def test_a_run_that_was_deleted_is_gone_for_good(tmp_path: Path) -> None:
    async with stage({"arbiter": [ASK, "ok"]}, state=tmp_path) as on:
        failed = await on.app.run("Go.")
        await on.app.journal.delete(run=failed.run)
        with pytest.raises(NotFound):
            await on.app.resume(failed.run)
        assert await on.app.journal.read(run=failed.run) == []


@pytest.mark.parametrize("calls", [1, 2])
async def test_a_journal_that_fails_in_the_middle_ends_the_run_with_its_own_error(calls: int) -> None:
    journals: list[Journal] = []

    async def close(name: str) -> str:
        await journals[0].close()
        return name

    turn = [Call("close", {"name": str(number)}) for number in range(calls)]
    async with stage({"arbiter": [turn, "never"]}, tools=[close]) as on:
        journals.append(on.app.journal)
        with pytest.raises(StateError, match="closed"):
            await on.app.run("Go.")
        assert len(on.sent("arbiter")) == 1


async def test_a_specialist_that_runs_out_of_turns_is_told_as_no_success() -> None:
    async def look(at: int) -> str:
        return str(at)

    coding = [[Say("So far."), Call("look", {"at": 1})], Call("look", {"at": 2})]
    config = {"specialists": {"coding": {"tools": ["look"]}}, "limits": {"turns": 2}}
    async with stage({"arbiter": [CONSULT, "I see."], "coding": coding}, tools=[look], orchestration=config) as on:
        assert (await on.app.run("Go.")).text == "I see."
        assert on.heard("arbiter")[1] == '{"success":false,"response":"So far.","reasoning":""}'


async def test_synthesis_takes_the_answers_of_specialists_and_of_nobody_else() -> None:
    async def consult_calendar(day: str) -> str:
        return f"{day} is free"

    synthesize = Call("synthesize_responses")
    arbiter = [[CONSULT, Call("consult_calendar", {"day": "Monday"})], synthesize, synthesize, "A summary of the first synthesis.", "Done."]
    roles = {"arbiter": arbiter, "coding": [LONG], "synthesizer": ["First.", "Second."]}
    async with stage(roles, tools=[consult_calendar]) as on:
        assert (await on.app.run("Plan.")).status == "answered"
        for heard in on.heard("synthesizer"):
            assert LONG in heard
            assert "Response 2" not in heard


# ---------------------------------------------------------------- what is heard of it


async def test_in_schema_mode_an_answer_that_is_begun_anew_is_heard_from_its_beginning() -> None:
    whole = '{"answer": "A whole answer, this time."}'
    arbiter = [[Say('{"answer": "A whole'), Cut()], whole]
    hints: list[Hint] = []
    async with stage({"arbiter": arbiter}, orchestration={"arbiter": {"channel": "schema"}}) as on:
        answer = await on.app.run("Go.", watch=Watch(on_hint=hints.append))
        assert answer.text == "A whole answer, this time."
        restart = next(place for place, hint in enumerate(hints) if hint.kind == "restart")
        assert "".join(hint.text for hint in hints[restart + 1 :] if hint.kind == "token") == answer.text
        assert "".join(hint.text for hint in hints[:restart] if hint.kind == "token") == "A whole"


async def test_in_schema_mode_the_last_tool_may_be_withheld() -> None:
    @mmos.tool(repeatable=False)
    async def poke() -> str:
        return "ow"

    poking = '{"calls": [{"tool": "poke", "arguments": {}}]}'
    config = {"arbiter": {"channel": "schema", "tools": ["poke"]}, "limits": {"repeats": 1}}
    async with stage({"arbiter": [poking, poking, poking, '{"answer": "Enough."}']}, tools=[poke], orchestration=config) as on:
        answer = await on.app.run("Poke.")
        assert answer.text == "Enough."
        last = on.sent("arbiter")[-1]
        assert "calls" not in str(last["format"])
        assert {message["role"] for message in last["messages"]} == {"system", "user", "assistant"}


async def test_an_empty_answer_in_schema_mode_is_set_right() -> None:
    config = {"arbiter": {"channel": "schema"}}
    async with stage({"arbiter": ['{"answer": " "}', '{"answer": "Here."}']}, orchestration=config) as on:
        assert (await on.app.run("Go.")).text == "Here."


async def test_a_channel_is_learned_for_a_model_and_not_for_a_role() -> None:
    able = Model.scripted("arbiter", ["By tools."], repeat=True)
    other = Model.scripted("coding", ['{"answer": "By schema."}'], capabilities=("completion",), repeat=True)
    async with stage({"arbiter": able, "coding": other}) as on:
        texts = [(await on.app.run("Go.", options=RunOptions(roles=roles))).text for roles in (None, {"arbiter": "coding"}, None)]
        assert texts == ["By tools.", "By schema.", "By tools."]
