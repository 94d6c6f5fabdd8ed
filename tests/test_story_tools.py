"""Stories of the tools: specialists, the synthesizer, the user, the user's own functions; all over real HTTP."""

from __future__ import annotations

import asyncio
import datetime
import enum
import sys
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

import mmos
from mmos.app import RunOptions
from mmos.app.lifecycle import Watch
from mmos.events import ArtifactKept, QuestionAsked
from mmos.testing import Call, Model, stage

LONG = "\n".join(f"{number}. A line of a long answer, with all that belongs to it." for number in range(400))


def consult(role: str, query: str = "What do you say?", **more: str) -> Call:
    return Call(f"consult_{role}_specialist", {"query": query, **more})


# ---------------------------------------------------------------- specialists


async def test_a_specialist_gets_the_users_words_beside_the_brief() -> None:
    task = "Why is «x» {{ task }} null?\n\tIndented, with   spaces."
    async with stage({"arbiter": [consult("coding", "Explain the null.", context="Python 3.11"), "ok"], "coding": ["So."]}) as on:
        await on.app.run(task)
        heard = on.heard("coding")[0]
        assert task in heard
        assert "Explain the null." in heard
        assert "Python 3.11" in heard


async def test_a_specialists_result_has_three_fields() -> None:
    thinker = Model.scripted("coding", [["Four."]], capabilities=("completion", "thinking"))
    async with stage({"arbiter": [consult("coding"), "ok"], "coding": thinker}) as on:
        await on.app.run("2+2?")
        assert on.heard("arbiter")[1] == '{"success":true,"response":"Four.","reasoning":""}'


async def test_one_tool_for_all_specialists_where_a_model_does_better_with_one() -> None:
    arbiter = [Call("consult_specialist", {"specialist": "coding", "query": "How?"}), "ok"]
    async with stage({"arbiter": arbiter, "coding": ["So."], "analysis": []}, orchestration={"arbiter": {"consult": "one"}}) as on:
        answer = await on.app.run("How?")
        offered = {tool["function"]["name"] for tool in on.sent("arbiter")[0]["tools"]}
        assert answer.text == "ok"
        assert "consult_specialist" in offered
        assert "consult_coding_specialist" not in offered
        assert "So." in on.heard("arbiter")[1]


async def test_interpreter_and_synthesizer_are_no_specialists_tools() -> None:
    async with stage({"arbiter": ["ok"], "coding": [], "interpreter": [], "synthesizer": []}) as on:
        await on.app.run("Hello.")
        offered = {tool["function"]["name"] for tool in on.sent("arbiter")[0]["tools"]}
        assert offered == {"consult_coding_specialist", "synthesize_responses", "escalate_to_user"}


async def test_a_long_answer_travels_as_a_reference_and_reaches_the_user_whole() -> None:
    def cite(prompt: object) -> str:
        reference = next(word for word in prompt.results[0].text.split() if word.startswith("artifact:"))  # type: ignore[attr-defined]
        return f"Here it is:\n{reference.rstrip('.')}\nThat is all."

    async with stage({"arbiter": [consult("coding"), cite], "coding": [LONG]}) as on:
        answer = await on.app.run("Write it all.")
        heard = on.heard("arbiter")[1]
        assert len(LONG) > 6000
        assert len(heard) < 4000
        assert "artifact:" in heard
        assert answer.text == f"Here it is:\n{LONG}\nThat is all."


async def test_a_long_answer_that_nobody_refers_to_reaches_the_user_all_the_same() -> None:
    async with stage({"arbiter": [consult("coding"), "Short."], "coding": [LONG]}) as on:
        answer = await on.app.run("Write it all.")
        assert answer.text is not None
        assert answer.text.startswith("Short.")
        assert LONG in answer.text


async def test_the_length_that_travels_whole_is_configurable() -> None:
    config = {"limits": {"answer_chars": 100_000}}
    async with stage({"arbiter": [consult("coding"), "Short."], "coding": [LONG]}, orchestration=config) as on:
        answer = await on.app.run("Write it all.")
        kept = [entry for entry in await on.app.journal.read(run=answer.run) if isinstance(entry.event, ArtifactKept)]
        assert (answer.text, kept) == ("Short.", [])


async def test_a_specialist_may_hold_tools_and_consult_others() -> None:
    async def lookup(word: str) -> str:
        return f"{word} means peace"

    roles = {
        "arbiter": [consult("coding"), "Peace."],
        "coding": [consult("analysis"), "It says peace."],
        "analysis": [Call("lookup", {"word": "paz"}), "paz means peace"],
    }
    config = {"specialists": {"coding": {"tools": ["consult_analysis_specialist"]}, "analysis": {"tools": {"allow": ["lookup"]}}}}
    async with stage(roles, tools=[lookup], orchestration=config) as on:
        answer = await on.app.run("paz?")
        assert answer.text == "Peace."
        assert on.heard("analysis")[1] == "paz means peace"
        assert answer.usage["model_calls"] == 6


async def test_permissions_hold_per_role() -> None:
    async def wipe() -> str:
        raise AssertionError("never called")

    arbiter = [Call("wipe"), "I may not."]
    async with stage({"arbiter": arbiter, "coding": []}, tools=[wipe], orchestration={"arbiter": {"tools": {"deny": ["wipe"]}}}) as on:
        answer = await on.app.run("Wipe.")
        assert "wipe" not in {tool["function"]["name"] for tool in on.sent("arbiter")[0]["tools"]}
        assert "arbiter may not use wipe" in on.heard("arbiter")[1]
        assert answer.text == "I may not."


async def test_a_specialist_that_takes_too_long_is_told_to_the_arbiter() -> None:
    config = {"specialists": {"coding": {"timeout": 0.1}}}
    async with stage({"arbiter": [consult("coding"), "Without it, then."], "coding": ["late"]}, orchestration=config) as on:
        on.host.faults.add("hang", model="coding")
        answer = await on.app.run("Hurry.")
        assert answer.text == "Without it, then."
        assert "coding did not answer within 0.1 s" in on.heard("arbiter")[1]


# ---------------------------------------------------------------- synthesis


async def test_the_synthesizer_gets_every_answer_of_the_run_whole() -> None:
    arbiter = [[consult("coding"), consult("analysis")], Call("synthesize_responses", {"instruction": "Be brief."}), "Final."]
    roles = {"arbiter": arbiter, "coding": [LONG], "analysis": ["Short view."], "synthesizer": ["Both in one."]}
    async with stage(roles) as on:
        answer = await on.app.run("Compare.")
        heard = on.heard("synthesizer")[0]
        assert LONG in heard
        assert "Short view." in heard
        assert "Be brief." in heard
        assert "Compare." in heard
        assert "Both in one." in on.heard("arbiter")[2]
        assert (answer.text or "").startswith("Final.")


async def test_without_a_synthesizer_the_arbiters_model_does_it() -> None:
    arbiter = [consult("coding"), Call("synthesize_responses"), "In one.", "Final."]
    async with stage({"arbiter": arbiter, "coding": ["A."]}) as on:
        assert (await on.app.run("Compare.")).text == "Final."
        assert "synthesizer" in on.sent("arbiter")[2]["messages"][0]["content"]


async def test_synthesis_of_nothing_is_an_error_the_model_can_act_on() -> None:
    async with stage({"arbiter": [Call("synthesize_responses"), "ok"], "coding": []}) as on:
        await on.app.run("Go.")
        assert "consult specialists first" in on.heard("arbiter")[1]


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
        with pytest.raises(mmos.MmosError, match="asks nothing"):
            await on.app.answer(waiting.run, "blue")
        with pytest.raises(mmos.MmosError, match="answered already"):
            await on.app.answer(waiting.run, "blue", question="q1")


# ---------------------------------------------------------------- functions


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


async def test_functions_get_what_their_annotations_say() -> None:
    seen: list[object] = []

    @mmos.tool
    def book(day: datetime.date, seats: Annotated[int, Field(ge=1, description="How many")], colour: Colour = Colour.RED) -> dict:
        """Book seats.

        More text that no model needs.
        """
        seen.extend([day, seats, colour])
        return {"booked": seats, "on": day}

    async with stage({"arbiter": [Call("book", {"day": "2026-01-02", "seats": 2, "colour": "blue"}), "ok"]}, tools=[book]) as on:
        await on.app.run("Book.")
        offered = next(tool["function"] for tool in on.sent("arbiter")[0]["tools"] if tool["function"]["name"] == "book")
        assert seen == [datetime.date(2026, 1, 2), 2, Colour.BLUE]
        assert on.heard("arbiter")[1] == '{"booked":2,"on":"2026-01-02"}'
        assert offered["description"] == "Book seats."
        assert offered["parameters"]["required"] == ["day", "seats"]
        assert offered["parameters"]["properties"]["seats"] == {"description": "How many", "minimum": 1, "type": "integer"}
    assert book(datetime.date(2026, 1, 2), 1) == {"booked": 1, "on": datetime.date(2026, 1, 2)}


async def test_a_sync_function_does_not_hold_up_the_others() -> None:
    loop = asyncio.get_running_loop()
    released = asyncio.Event()

    def blocking() -> str:
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result(5)
        return "released"

    async def release() -> str:
        released.set()
        return "ok"

    async with stage({"arbiter": [[Call("blocking"), Call("release")], "Both."]}, tools=[blocking, release]) as on:
        assert (await on.app.run("Go.")).text == "Both."
        assert [message["content"] for message in on.sent("arbiter")[1]["messages"][-2:]] == ["released", "ok"]


async def test_a_function_may_ask_for_its_context() -> None:
    async def who(context: mmos.Context) -> str:
        return f"{context.scope.role} on «{context.task}»"

    async with stage({"arbiter": [Call("who"), "ok"]}, tools=[who]) as on:
        await on.app.run("Who?")
        assert on.heard("arbiter")[1] == "arbiter on «Who?»"


async def test_functions_come_from_the_configurations_folder(tmp_path: Path) -> None:
    (tmp_path / "our_tools_for_the_story.py").write_text("def shout(text: str) -> str:\n    return text.upper()\n")
    async with stage({"arbiter": [Call("shout", {"text": "hi"}), "ok"]}) as on:
        config = tmp_path / "orchestration.yaml"
        url = on.host.url
        config.write_text(
            "orchestration:\n"
            f"  servers: {{here: {{url: '{url}'}}}}\n"
            "  arbiter: {model: arbiter, server: here}\n"
            "  tools: ['our_tools_for_the_story:shout']\n"
        )
        try:
            async with mmos.open(config) as app:
                assert (await app.run("Shout.")).text == "ok"
        finally:
            sys.path.remove(str(tmp_path))
        assert on.heard("arbiter")[1] == "HI"


async def test_a_function_that_cannot_be_found_is_an_error_of_the_configuration() -> None:
    with pytest.raises(mmos.ConfigError, match="no_such_module_at_all:f"):
        async with stage({"arbiter": []}, orchestration={"tools": ["no_such_module_at_all:f"]}):
            raise AssertionError("not reached")


async def test_two_tools_of_one_name_are_an_error_of_the_configuration() -> None:
    def escalate_to_user(question: str) -> str:
        return question

    with pytest.raises(mmos.ConfigError, match="two tools are named 'escalate_to_user'"):
        async with stage({"arbiter": []}, tools=[escalate_to_user]):
            raise AssertionError("not reached")


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
        assert ours(asyncio.all_tasks()) <= before | {asyncio.current_task()}
        async with asyncio.timeout(2):
            while on.host.open:
                await asyncio.sleep(0)
        entries = await on.app.journal.read(run=name)
        assert entries[-1].event.kind == "run_finished"
        assert entries[-1].event.status == "cancelled"


async def test_a_call_that_a_crash_cut_off_is_not_made_again_unasked(tmp_path: Path) -> None:
    done: list[str] = []

    def transfer(amount: int) -> str:
        done.append(f"moved {amount}")
        return "ok"

    from mmos.events import CallStarted, LaneOpened, ModelReplied, RunStarted
    from mmos.journal import Journal, new_id
    from mmos.messages import Message, ToolCall

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
        with pytest.raises(mmos.MmosError, match="has been answered"):
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
