"""Stories of runs that pause, stop and go on: questions to the user, cancellation, crashes; all over real HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import mmos
from mmos.app import RunOptions
from mmos.app.lifecycle import Watch
from mmos.events import CallStarted, LaneOpened, ModelReplied, QuestionAsked, RunStarted
from mmos.journal import Journal, new_id
from mmos.messages import Message, ToolCall
from mmos.testing import Call, consult, stage, until

# ---------------------------------------------------------------- the user


ESCALATE = Call("escalate_to_user", {"question": "Which one?", "options": ["red", "blue"], "default": "blue"})


async def test_the_user_is_asked_inline_and_the_answer_goes_back() -> None:
    asked: list[QuestionAsked] = []

    async def answer_user(question: QuestionAsked) -> str:
        asked.append(question)
        return "red"

    async with stage({"arbiter": [ESCALATE, "Red it is."], "coding": []}) as on:
        answer = await on.app.run("Paint it.", watch=Watch(answerer=answer_user))
        assert (answer.text, on.heard("arbiter")[1]) == ("Red it is.", "red")
        assert (asked[0].text, asked[0].options, asked[0].form, asked[0].role) == ("Which one?", ("red", "blue"), "choice", "arbiter")


async def test_headless_a_question_fails_the_run_and_is_named() -> None:
    async with stage({"arbiter": [ESCALATE, "?"], "coding": []}) as on:
        answer = await on.app.run("Paint it.")
        assert answer.reason is not None
        assert (answer.status, answer.reason.code, answer.exit_code) == ("failed", "question_unanswered", 1)
        assert "Which one?" in answer.reason.message


async def test_headless_the_default_may_be_taken() -> None:
    async with stage({"arbiter": [ESCALATE, "Blue it is."], "coding": []}) as on:
        answer = await on.app.run("Paint it.", options=RunOptions(on_question="default"))
        assert (answer.text, on.heard("arbiter")[1]) == ("Blue it is.", "blue")


async def test_without_a_default_the_model_is_told_to_decide() -> None:
    async with stage({"arbiter": [Call("escalate_to_user", {"question": "Sure?"}), "I assumed so."], "coding": []}) as on:
        answer = await on.app.run("Do it.", options=RunOptions(on_question="default"))
        assert answer.text == "I assumed so."
        assert "Decide for yourself" in on.heard("arbiter")[1]


async def test_a_question_waits_and_its_answer_may_come_in_another_process(tmp_path: Path) -> None:
    roles = {"arbiter": [[consult("coding"), ESCALATE], "Red it is."], "coding": ["Paint dries."]}
    async with stage(roles, state=tmp_path) as on:
        waiting = await on.app.run("Paint it.", options=RunOptions(on_question="wait"))
        document = waiting.document()
        assert (waiting.status, waiting.exit_code) == ("waiting", 3)
        assert document["question"] == {
            "id": "q1", "kind": "choice", "text": "Which one?", "options": ["red", "blue"], "default": "blue", "deadline": None, "from": "arbiter",
        }  # fmt: skip
        async with mmos.open(on.config, state=tmp_path) as other:
            await other.answer(waiting.run, "red")
            answer = await other.resume(waiting.run)
        assert (answer.status, answer.text, answer.run) == ("answered", "Red it is.", waiting.run)
        assert len(on.sent("coding")) == 1
        assert answer.usage["model_calls"] == 3
        results = [message["content"] for message in on.sent("arbiter")[1]["messages"] if message["role"] == "tool"]
        assert "Paint dries." in results[0]
        assert results[1] == "red"


async def test_a_specialists_question_waits_inside_its_own_exchange(tmp_path: Path) -> None:
    roles = {"arbiter": [consult("coding"), "Done."], "coding": [Call("escalate_to_user", {"question": "Tabs?"}), "Spaces."]}
    config = {"specialists": {"coding": {"tools": ["escalate_to_user"]}}}
    async with stage(roles, state=tmp_path, orchestration=config) as on:
        waiting = await on.app.run("Format it.", options=RunOptions(on_question="wait"))
        assert waiting.document()["question"]["from"] == "coding"
        await on.app.answer(waiting.run, "no")
        answer = await on.app.resume(waiting.run)
        assert answer.text == "Done."
        assert [len(on.sent(role)) for role in ("arbiter", "coding")] == [2, 2]
        assert on.heard("coding")[1] == "no"


async def test_a_question_is_answered_once(tmp_path: Path) -> None:
    async with stage({"arbiter": [ESCALATE, "ok"], "coding": []}, state=tmp_path) as on:
        waiting = await on.app.run("Paint it.", options=RunOptions(on_question="wait"))
        await on.app.answer(waiting.run, "red")
        with pytest.raises(mmos.MmosError, match="has no open question"):
            await on.app.answer(waiting.run, "blue")
        with pytest.raises(mmos.MmosError, match="already has an answer"):
            await on.app.answer(waiting.run, "blue", question="q1")


# ---------------------------------------------------------------- stopping


def ours(tasks: set[asyncio.Task]) -> set[asyncio.Task]:
    """Without the host's own: it keeps connections open that nobody uses."""
    return {task for task in tasks if "Connection" not in task.get_coro().__qualname__}


async def test_cancelling_a_run_leaves_no_task_and_no_open_request() -> None:
    async def forever() -> str:
        await asyncio.Event().wait()
        return "never"

    arbiter = [[consult("coding"), consult("analysis"), Call("forever")], "never"]
    async with stage({"arbiter": arbiter, "coding": ["x"], "analysis": ["y"]}, tools=[forever]) as on:
        on.host.faults.add("hang", model="coding")
        on.host.faults.add("stall", model="analysis", chunks=0)
        before = asyncio.all_tasks()
        started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        run = asyncio.create_task(on.app.run("Go.", watch=Watch(on_start=started.set_result)))
        name = await started
        async for entry in on.app.journal.follow(run=name):
            if entry.event.kind == "call_started" and entry.event.tool == "forever":
                break
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        await until(lambda: ours(asyncio.all_tasks()) <= before | {asyncio.current_task()})  # what the fleet asks of a host ends by itself
        await until(lambda: not on.host.open)
        entries = await on.app.journal.read(run=name)
        assert entries[-1].event.kind == "run_finished"
        assert entries[-1].event.status == "cancelled"


async def test_a_call_that_a_crash_cut_off_is_not_made_again_unasked(tmp_path: Path) -> None:
    done: list[str] = []

    def transfer(amount: int) -> str:
        done.append(f"moved {amount}")
        return "ok"

    run, thread, call = new_id(), new_id(), ToolCall("call_1", "transfer", {"amount": 5})
    async with await Journal.open(tmp_path) as journal:
        for event in (
            RunStarted("Move 5.", journal.process),
            LaneOpened(run, "arbiter", Message("user", "Move 5.")),
            ModelReplied("a1", run, "arbiter", "arbiter", "here", Message("assistant", "", (call,))),
            CallStarted("call_1", run, "arbiter", "transfer", {"amount": 5}),
        ):
            journal.append(run, thread, event)
        await journal.durable()

    async def answer_user(question: QuestionAsked) -> str:
        assert "cut off the call transfer(amount=5)" in question.text
        return "skip"

    async with stage({"arbiter": ["I did not move it again."]}, tools=[transfer], state=tmp_path) as on:
        answer = await on.app.resume(run, watch=Watch(answerer=answer_user))
        assert (answer.status, done) == ("answered", [])
        assert "nobody knows whether it took effect" in on.heard("arbiter")[0]


async def test_a_failed_run_goes_on_and_does_nothing_twice(tmp_path: Path) -> None:
    calls: list[str] = []

    def look(what: str) -> str:
        calls.append(what)
        return f"saw {what}"

    async with stage(
        {"arbiter": [[Call("look", {"what": "a"}), Call("look", {"what": "b"})], "Seen."]}, tools=[look], state=tmp_path
    ) as on:
        on.host.faults.add("status", status=500, error="engine lost", after=1)
        failed = await on.app.run("Look.", thread="t")
        assert (failed.status, failed.exit_code, sorted(calls)) == ("failed", 4, ["a", "b"])
        on.host.faults.clear()
        answer = await on.app.resume(failed.run)
        assert (answer.status, answer.text, sorted(calls)) == ("answered", "Seen.", ["a", "b"])
        with pytest.raises(mmos.MmosError, match="already has an answer"):
            await on.app.resume(failed.run)


async def test_a_cancelled_run_goes_on_where_it_was(tmp_path: Path) -> None:
    roles = {"arbiter": [[consult("coding"), consult("analysis")], "Both."], "coding": ["A."], "analysis": ["B."]}
    async with stage(roles, state=tmp_path) as on:
        on.host.faults.add("hang", model="analysis", times=1)
        started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        run = asyncio.create_task(on.app.run("Go.", watch=Watch(on_start=started.set_result)))
        async for entry in on.app.journal.follow(run=await started):
            if entry.event.kind == "call_finished":
                break
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        answer = await on.app.resume(await started)
        assert (answer.text, len(on.sent("coding"))) == ("Both.", 1)
        assert [message["role"] for message in on.sent("arbiter")[-1]["messages"]] == ["system", "user", "assistant", "tool", "tool"]


async def test_a_question_that_was_cancelled_is_still_only_a_question(tmp_path: Path) -> None:
    """The call has not begun: a cancellation while the run waits cuts nothing off."""
    done: list[str] = []

    @mmos.tool(approval=True)
    def paint(color: str) -> str:
        done.append(color)
        return f"painted {color}"

    async with stage({"arbiter": [Call("paint", {"color": "red"}), "Painted."]}, tools=[paint], state=tmp_path) as on:
        waiting = await on.app.run("Paint it.", options=RunOptions(on_question="wait"))
        await on.app.cancel(waiting.run)
        await on.app.answer(waiting.run, "yes")
        answer = await on.app.resume(waiting.run)
        assert (answer.text, done, len(answer.view.questions)) == ("Painted.", ["red"], 1)
