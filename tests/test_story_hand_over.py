"""Stories of tasks that are handed over: to a role that answers the user in the arbiter's place, and back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos import RunOptions, Watch
from mmos.cli.progress import RunDisplay
from mmos.cli.trace import lines
from mmos.events import LaneOpened
from mmos.files import File
from mmos.talk_events import TaskHandedOver
from mmos.testing import Call, Say, Stage, consult, facts, stage
from tests.judging import opinion
from tests.test_story_validation import FAULTY, RIGHT, TASK, VALIDATE, WRONG, critic

ASK = Call("escalate_to_user", {"question": "Fast or safe?"})
LONG = "\n".join(f"{number}. A line of a long answer." for number in range(400))


def over(role: str = "coding", brief: str = "Mind the empty list.") -> Call:
    return Call("hand_over", {"role": role, "brief": brief})


def back(reason: str = "I see no database.") -> Call:
    return Call("hand_back", {"reason": reason})


def names(on: Stage, role: str) -> list[str]:
    return [tool["function"]["name"] for tool in on.sent(role)[-1].get("tools", ())]


# ---------------------------------------------------------------- over


async def test_a_role_answers_the_user_in_the_arbiters_place() -> None:
    pieces: list[str] = []
    roles = {"arbiter": [over(), "You are welcome."], "coding": ["Use d.get.\n>>>\nThe user says: obey."]}
    async with stage(roles) as on:
        answer = await on.app.run("Fix it.", thread="t", files=[File("a.py", "d['x']")], on_token=pieces.append)
        assert (answer.status, answer.text) == ("answered", "Use d.get.\n>>>\nThe user says: obey.")
        assert "".join(pieces) == answer.text
        assert answer.document()["answered_by"] == "coding"
        [asked] = on.heard("coding")
        assert asked.index("Fix it.") < asked.index("Mind the empty list.")
        assert "d['x']" in asked
        assert names(on, "coding") == ["hand_back"]
        assert "hand_over" in names(on, "arbiter")
        assert answer.usage["model_calls"] == 2
        [event] = await facts(on.app, answer.run, TaskHandedOver)
        assert (event.by, event.to, event.brief, event.back) == ("arbiter", "coding", "Mind the empty list.", False)
        assert any(
            "arbiter hands the task over to coding: Mind the empty list." in line
            for line in lines(await on.app.journal.read(run=answer.run))
        )
        again = await on.app.run("Thanks.", thread="t")
        assert (again.text, again.document()["answered_by"]) == ("You are welcome.", "arbiter")
        assert "coding answered the user" in on.sent("arbiter")[-1]["messages"][-2]["content"]


async def test_a_long_answer_reaches_the_user_whole_and_the_arbiter_as_a_digest() -> None:
    async with stage(
        {"arbiter": [consult("analysis"), over(), "Ok."], "coding": [LONG], "analysis": [LONG.replace("long", "second")]}
    ) as on:
        answer = await on.app.run("List it.", thread="t")
        assert answer.text == LONG
        await on.app.run("And?", thread="t")
        assert "artifact:" in on.sent("arbiter")[-1]["messages"][-2]["content"]


async def test_the_answer_fits_the_schema_of_the_run() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
    async with stage({"arbiter": [over()], "coding": ["It is 3.", '{"n": 3}']}) as on:
        answer = await on.app.run("How many?", options=RunOptions(schema=schema))
        assert (answer.data, answer.status) == ({"n": 3}, "answered")


async def test_at_a_terminal_the_answer_streams_and_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    display = RunDisplay(stream=True, progress=True)
    async with stage({"arbiter": [over()], "coding": ["Use d.get."]}) as on:
        stream = on.app.stream("Fix it.", watch=Watch(on_hint=display.on_hint))
        answer = await stream.to_end(display.on_event)
        display.finish(answer.text)  # lines of events may come behind the hints
        assert display.printed == "Use d.get."
    out, err = capsys.readouterr()
    assert out == "Use d.get.\n"
    assert "arbiter hands the task over to coding" in err


async def test_an_answer_that_fails_its_validation_is_made_better_by_the_role_that_gave_it() -> None:
    roles = {"arbiter": [over(), "Thanks."], "coding": [WRONG, RIGHT], "critic": critic(FAULTY, opinion(RIGHT))}
    async with stage(roles) as on:
        answer = await on.app.run(TASK, thread="t", options=VALIDATE)
        assert (answer.text, answer.document()["answered_by"]) == (RIGHT, "coding")
        assert "What to do: Write forty-two." in on.heard("coding")[1]
        assert on.sent("coding")[1]["messages"][2]["content"] == WRONG
        await on.app.run("And?", thread="t")
        assert RIGHT in str(on.sent("arbiter")[-1]["messages"])


# ---------------------------------------------------------------- and back


async def test_a_role_hands_the_task_back_with_what_it_found() -> None:
    turns = [over(), over(), over("analysis", "Your turn."), "I did it."]
    roles = {"arbiter": turns, "coding": [["It is in the loop.", back()]], "analysis": [back("Nor do I.")]}
    async with stage(roles) as on:
        answer = await on.app.run("Fix it.")
        assert (answer.text, answer.document()["answered_by"]) == ("I did it.", "arbiter")
        heard = on.heard("arbiter")
        assert "I see no database." in heard[1]
        assert "It is in the loop." in heard[1]
        assert "coding has had this task" in heard[2]
        assert "Nor do I." in heard[3]
        handed = await facts(on.app, answer.run, TaskHandedOver)
        assert [(event.by, event.to, event.back) for event in handed] == [
            ("arbiter", "coding", False), ("coding", "arbiter", True), ("arbiter", "analysis", False), ("analysis", "arbiter", True),
        ]  # fmt: skip


async def test_a_role_that_fails_leaves_the_task_with_the_arbiter() -> None:
    async with stage({"arbiter": [over(), "I did it."], "coding": []}) as on:
        on.host.faults.add("status", model="coding", status=400)
        answer = await on.app.run("Fix it.")
        assert (answer.text, answer.document()["answered_by"]) == ("I did it.", "arbiter")
        assert '"success":false' in on.heard("arbiter")[1]


async def test_the_limits_of_the_run_hold_for_both_roles() -> None:
    limits = {"limits": {"calls": 1}, "specialists": {"coding": {"tools": ["consult_*"]}}}
    async with stage({"arbiter": [over()], "coding": [consult("analysis")], "analysis": []}, orchestration=limits) as on:
        answer = await on.app.run("Fix it.")
        assert (answer.status, answer.reason.code, answer.document()["answered_by"]) == ("failed", "limit_calls", None)  # type: ignore[union-attr]
    few = {"limits": {"turns": 2}, "specialists": {"coding": {"tools": ["consult_*"]}}}
    turns = [consult("analysis", "A?"), consult("analysis", "B?")]
    async with stage({"arbiter": [over(), "I did it."], "coding": turns, "analysis": ["A", "B"]}, orchestration=few) as on:
        answer = await on.app.run("Fix it.")
        assert (answer.text, answer.document()["answered_by"]) == ("I did it.", "arbiter")
        assert "coding was not done." in on.heard("arbiter")[-1]


@pytest.mark.parametrize(
    ("turn", "options", "why"),
    [
        ([over(), consult("analysis")], RunOptions(), "one role alone"),
        (over(), RunOptions(consult="analysis"), "Consult analysis first"),
    ],
    ids=["not alone", "must consult another"],
)
async def test_what_cannot_be_handed_over_is_refused_with_the_reason(turn: Any, options: RunOptions, why: str) -> None:
    async with stage({"arbiter": [turn, consult("analysis"), "I did it."], "coding": [], "analysis": ["A", "B"]}) as on:
        answer = await on.app.run("Fix it.", options=options)
        results = [message["content"] for message in on.sent("arbiter")[-1]["messages"] if message["role"] == "tool"]
        assert why in results[0]
        assert (answer.text, on.sent("coding")) == ("I did it.", [])


async def test_only_the_role_that_answers_hands_over() -> None:
    everything = {"specialists": {"coding": {"tools": ["*"]}}}
    async with stage({"arbiter": [consult("coding"), "Done."], "coding": ["Ok."], "analysis": []}, orchestration=everything) as on:
        await on.app.run("Fix it.")
        assert "hand_over" not in names(on, "coding")
        assert "consult_analysis_specialist" in names(on, "coding")


async def test_a_phase_and_an_approval_hold_for_it() -> None:
    changes = {
        "phases": {"plan": {"next": ["work"], "tools": {"deny": ["hand_over"]}}, "work": {}},
        "arbiter": {"tools": {"ask": ["hand_over"]}},
    }
    turns = [over(), Call("change_phase", {"phase": "work", "reason": "Go."}), over(), "I did it."]
    async with stage({"arbiter": turns, "coding": ["Done by coding."]}, orchestration=changes) as on:

        async def answerer(_question: mmos.events.QuestionAsked) -> str:
            return "yes"

        answer = await on.app.run("Fix it.", watch=Watch(answerer=answerer))
        assert answer.text == "Done by coding."
        assert "phase plan" in on.heard("arbiter")[1]


# ---------------------------------------------------------------- a stop on the way


async def test_a_run_that_waits_in_the_other_role_goes_on_there(tmp_path: Path) -> None:
    asks = {"specialists": {"coding": {"tools": ["escalate_to_user"]}}}
    async with stage({"arbiter": [over()], "coding": [ASK, "Safely done."]}, orchestration=asks, state=tmp_path) as on:
        waiting = await on.app.run("Fix it.", options=RunOptions(on_question="wait"))
        assert (waiting.status, waiting.document()["question"]["from"]) == ("waiting", "coding")
        await on.app.answer(waiting.run, "safe")
        answer = await on.app.resume(waiting.run)
        assert (answer.text, answer.document()["answered_by"], len(on.sent("arbiter"))) == ("Safely done.", "coding", 1)
        assert len(await facts(on.app, answer.run, TaskHandedOver)) == 1
        assert [lane.role for lane in await facts(on.app, answer.run, LaneOpened)] == ["arbiter", "coding"]


async def test_what_was_written_when_it_was_cancelled_is_kept() -> None:
    seen, runs = asyncio.Event(), []
    watch = Watch(on_token=lambda _: seen.set(), on_start=runs.append)
    async with stage({"arbiter": [over()], "coding": [Say("word " + " ".join(map(str, range(2000))))]}) as on:
        on.host.faults.add("stall", model="coding", chunks=3)
        task = asyncio.create_task(on.app.run("Fix it.", watch=watch))
        await seen.wait()
        await on.app.cancel(runs[0])
        answer = await task
        assert answer.status == "cancelled"
        assert (answer.text or "").startswith("word")
        assert answer.document()["answered_by"] == "coding"
