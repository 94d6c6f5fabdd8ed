"""Stories of questions to the user: the kinds of answers, deadlines, and who answers first; all over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.answers import answer_to
from mmos.app import RunOptions
from mmos.app.lifecycle import Watch
from mmos.errors import LateAnswer, QuestionUnanswered, WrongAnswer
from mmos.events import CallStarted, LaneOpened, QuestionAnswered, QuestionAsked, RunFinished, RunStarted
from mmos.journal import new_id
from mmos.messages import Message, ToolCall
from mmos.testing import Call, Stage, facts, stage

WAIT = RunOptions(on_question="wait")


def ask(question: str = "Which one?", **more: Any) -> Call:
    return Call("escalate_to_user", {"question": question, **more})


async def asked(on: Stage, run: str) -> list[QuestionAsked]:
    return await facts(on.app, run, QuestionAsked)


# ---------------------------------------------------------------- kinds


@pytest.mark.parametrize(
    ("arguments", "form", "refused", "given", "kept"),
    [
        ({"kind": "number"}, "number", ["many", "nan", "inf", "1,5", ""], " 3.5 ", "3.5"),
        ({"kind": "confirm"}, "confirm", ["perhaps", ""], "Y", "yes"),
        ({"kind": "confirm", "options": ["Yes", "No"]}, "confirm", ["perhaps"], "no.", "no"),
        ({"options": ["red", "blue"]}, "choice", [""], "2", "blue"),
        ({"kind": "choice", "options": ["10", "2"]}, "choice", [""], "2", "2"),
        ({"kind": "number", "options": ["8", "16"]}, "choice", [], "1", "8"),
        ({"kind": "choice", "options": ["red", "blue"]}, "choice", [], "RED", "red"),
        ({"kind": "choice", "options": ["red", "blue"]}, "choice", [], "neither", "neither"),
        ({"kind": "choice"}, "text", [""], "green", "green"),
        ({"kind": "text"}, "text", [], "green", "green"),
    ],
)
async def test_an_answer_is_checked_where_it_is_given(
    tmp_path: Path, arguments: Mapping[str, Any], form: str, refused: list[str], given: str, kept: str
) -> None:
    async with stage({"arbiter": [ask(**arguments), "Done."]}, state=tmp_path) as on:
        waiting = await on.app.run("Do it.", options=WAIT)
        assert waiting.document()["question"]["kind"] == form
        for text in refused:
            with pytest.raises(WrongAnswer):
                await on.app.answer(waiting.run, text)
        await on.app.answer(waiting.run, given)
        answer = await on.app.resume(waiting.run)
        assert (answer.text, on.heard("arbiter")[1]) == ("Done.", kept)


async def test_a_file_reaches_the_model_with_its_name_between_fences(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("One.\n```\nTwo.\n")
    (tmp_path / "door.png").write_bytes(b"\x89PNG\r\n\x1a\n....")
    async with stage({"arbiter": [ask("Which notes?", kind="file", default="/etc/passwd"), "Read."]}, state=tmp_path) as on:
        waiting = await on.app.run("Do it.", options=WAIT)
        assert waiting.document()["question"]["default"] is None  # a model names no file of the user
        for path in ("door.png", "gone.txt", "."):
            with pytest.raises(mmos.UsageError, match=r"image|no such file|directory"):
                await on.app.answer(waiting.run, str(tmp_path / path))
        await on.app.answer(waiting.run, str(tmp_path / "notes.txt"))
        (tmp_path / "notes.txt").unlink()  # it was read when it was named
        answer = await on.app.resume(waiting.run)
        assert answer.text == "Read."
        assert on.heard("arbiter")[1] == "The file notes.txt:\n````\nOne.\n```\nTwo.\n````"


def test_a_number_that_is_no_option_is_refused() -> None:
    def choice(*options: str) -> QuestionAsked:
        return QuestionAsked("q1", "arbiter", "arbiter", "c1", "Which?", "choice", options)

    assert answer_to(choice("red", "blue"), "2").text == "blue"
    assert answer_to(choice("red", "blue"), "7 of both").text == "7 of both"
    assert answer_to(choice("5", "10"), "7").text == "7"
    for number in ("7", "0"):
        with pytest.raises(WrongAnswer, match=r"Give one of red, blue, its number \(1 to 2\), or an answer of your own\."):
            answer_to(choice("red", "blue"), number)


async def test_a_file_that_a_stranger_named_is_no_default(tmp_path: Path) -> None:
    """The question comes from an import or from another journal."""
    (secret := tmp_path / "secret.txt").write_text("key")
    async with stage({"arbiter": ["Two."]}, state=tmp_path / "state") as on:
        waiting = await _with_question(on, QuestionAsked("q1", "arbiter", "arbiter", "c1", "Which?", "file", (), str(secret), deadline=1.0))
        (asked,) = await facts(on.app, waiting, QuestionAsked)
        assert asked.default is None
        with pytest.raises(WrongAnswer):
            answer_to(asked, "")
        with pytest.raises(mmos.UsageError, match="It has no default, so the model decides"):
            await on.app.answer(waiting, "")
        (answered,) = await facts(on.app, waiting, QuestionAnswered)
        assert (answered.text, answered.file) == ("", None)


async def _with_question(on: Stage, question: QuestionAsked) -> str:
    """A run that ended with this question."""
    run, thread = new_id(), new_id()
    call = ToolCall("c1", "escalate_to_user", {"question": question.text})
    on.app.journal.append(run, thread, RunStarted("Do it.", ""))
    on.app.journal.append(run, thread, LaneOpened("arbiter", "arbiter", Message("user", "Do it.")))
    on.app.journal.append(run, thread, CallStarted(call.id, "arbiter", "arbiter", call.name, call.arguments))
    on.app.journal.append(run, thread, question)
    on.app.journal.append(run, thread, RunFinished("waiting"))
    await on.app.journal.durable(run)
    return run


async def test_a_wrong_question_is_told_to_its_model(tmp_path: Path) -> None:
    turns = [ask(kind="number", default="some"), ask(kind="confirm", default="maybe"), ask(deadline="soon"), "I gave up."]
    async with stage({"arbiter": turns}, state=tmp_path) as on:
        answer = await on.app.run("Do it.", options=WAIT)
        assert answer.text == "I gave up."
        assert [word in text for word, text in zip(("a number", "yes or no", "deadline"), on.heard("arbiter")[1:], strict=True)] == [
            True
        ] * 3
        assert await asked(on, answer.run) == []


async def test_an_answerer_that_gives_a_wrong_answer_leaves_the_question_open(tmp_path: Path) -> None:
    async def wrong(question: QuestionAsked) -> str:
        return "many"

    async with stage({"arbiter": [ask(kind="number"), "Done."]}, state=tmp_path) as on:
        failed = await on.app.run("Do it.", watch=Watch(answerer=wrong))
        assert failed.reason is not None
        assert (failed.status, failed.reason.code) == ("failed", QuestionUnanswered.code)
        assert "'many' does not answer the question" in failed.reason.message
        await on.app.answer(failed.run, "3")
        assert (await on.app.resume(failed.run)).text == "Done."


async def test_a_tool_asks_for_a_number_and_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Abc.")

    async def look(context: mmos.Context) -> str:
        number = await context.ask_user(mmos.UserQuestion("How many?", "number", default="2"))
        file = await context.ask_user(mmos.UserQuestion("Which file?", "file"))
        assert file.file is not None
        return f"{number} by {number.by}, {file.file.name}: {file}"

    async def answer_user(question: QuestionAsked) -> str:
        return "7" if question.form == "number" else str(tmp_path / "a.txt")

    async with stage({"arbiter": [Call("look"), "Done."]}, tools=[look]) as on:
        await on.app.run("Look.", watch=Watch(answerer=answer_user))
        assert on.heard("arbiter")[1] == "7 by user, a.txt: Abc."
    for wrong in ({"form": "file", "default": "a.txt"}, {"form": "colour"}, {"deadline": 0}, {"form": "number", "default": "x"}):
        with pytest.raises(mmos.UsageError):
            mmos.UserQuestion("?", **wrong)


# ---------------------------------------------------------------- deadlines

SOON = "50ms"


async def test_at_a_terminal_a_deadline_takes_the_default_and_says_so() -> None:
    async def never(question: QuestionAsked) -> str:
        await asyncio.Event().wait()
        return ""

    async with stage({"arbiter": [ask(default="blue", deadline=SOON), "Blue."]}) as on:
        answer = await on.app.run("Paint it.", watch=Watch(answerer=never))
        assert (answer.text, on.heard("arbiter")[1]) == ("Blue.", "Nobody answered in time, so your default holds: blue")
        (warning,) = answer.document()["warnings"]
        assert warning.startswith("arbiter asked: Which one? Nobody answered by 20")
        assert warning.endswith("MMOS takes the default: blue")
        assert [event.by for event in await facts(on.app, answer.run, QuestionAnswered)] == ["deadline"]


async def test_without_a_default_the_model_learns_that_nobody_answered_in_time(tmp_path: Path) -> None:
    async with stage({"arbiter": [ask(deadline=SOON), "I chose red."]}, state=tmp_path) as on:
        waiting = await on.app.run("Paint it.", options=WAIT)
        assert waiting.status == "waiting"
        deadline = waiting.document()["question"]["deadline"]
        assert 0 < deadline - waiting.view.started < 60
        await asyncio.sleep(0.06)
        answer = await on.app.resume(waiting.run)
        assert answer.text == "I chose red."
        assert "Nobody answered in time. Decide for yourself" in on.heard("arbiter")[1]


async def test_an_answer_in_time_counts_although_the_run_goes_on_after_the_deadline(tmp_path: Path) -> None:
    async with stage({"arbiter": [ask(default="blue", deadline="500ms"), "Red."]}, state=tmp_path) as on:
        waiting = await on.app.run("Paint it.", options=WAIT)
        await on.app.answer(waiting.run, "red")
        await asyncio.sleep(0.51)
        assert (await on.app.resume(waiting.run)).text == "Red."
        assert on.heard("arbiter")[1] == "red"


async def test_a_late_answer_is_refused_and_the_run_goes_on_with_the_default(tmp_path: Path) -> None:
    async with stage({"arbiter": [ask(default="blue", deadline=SOON), "Blue."]}, state=tmp_path) as on:
        waiting = await on.app.run("Paint it.", options=WAIT)
        await asyncio.sleep(0.06)
        with pytest.raises(LateAnswer, match=r"q1 came too late. Nobody answered by 20.* MMOS takes the default: blue"):
            await on.app.answer(waiting.run, "red")
        with pytest.raises(mmos.UsageError, match=r"MMOS took the default at the deadline of q1 at 20.*: blue"):
            await on.app.answer(waiting.run, "red")
        answer = await on.app.resume(waiting.run)
        assert answer.text == "Blue."
        assert len(answer.document()["warnings"]) == 1


# ---------------------------------------------------------------- several, and who was first


async def test_two_questions_of_one_step_are_answered_one_by_one(tmp_path: Path) -> None:
    async with stage({"arbiter": [[ask("First?"), ask("Second?")], "Both."]}, state=tmp_path) as on:
        waiting = await on.app.run("Ask.", options=WAIT)
        assert [question["text"] for question in waiting.document()["questions"]] == ["First?", "Second?"]
        assert waiting.reason is not None
        assert "--question q1" in waiting.reason.next
        with pytest.raises(mmos.UsageError, match=r"has 2 open questions:\n  q1: arbiter asks: First\?\n  q2: "):
            await on.app.answer(waiting.run, "north")
        await on.app.answer(waiting.run, "south", question="q2")
        still = await on.app.resume(waiting.run)
        assert (still.status, [question["id"] for question in still.document()["questions"]]) == ("waiting", ["q1"])
        await on.app.answer(waiting.run, "north")
        answer = await on.app.resume(waiting.run)
        results = [message["content"] for message in on.sent("arbiter")[1]["messages"] if message["role"] == "tool"]
        assert (answer.text, results, len(await asked(on, waiting.run))) == ("Both.", ["north", "south"], 2)


async def test_the_question_of_a_forked_run_is_answered_there(tmp_path: Path) -> None:
    async with stage({"arbiter": [ask("First?"), ask("Again?"), "Done."]}, state=tmp_path) as on:
        waiting = await on.app.run("Ask.", options=WAIT)
        forked = await on.app.fork(waiting.run)
        again = await on.app.resume(forked.run)
        assert [question["text"] for question in again.document()["questions"]] == ["Again?"]
        await on.app.answer(forked.run, "red")
        with pytest.raises(mmos.UsageError, match="answered q1 at"):
            await on.app.answer(forked.run, "blue")
        assert (await on.app.resume(forked.run)).text == "Done."
        assert [question.text for question in waiting.view.open_questions] == ["First?"]


async def test_who_answers_second_reads_who_was_first(tmp_path: Path) -> None:
    async with stage({"arbiter": [ask(), "ok"]}, state=tmp_path) as on:
        waiting = await on.app.run("Paint it.", options=WAIT)
        async with mmos.open(on.config, state=tmp_path) as other:
            results = await asyncio.gather(
                on.app.answer(waiting.run, "red", who="ann@one"), other.answer(waiting.run, "blue", who="bob@two"), return_exceptions=True
            )
        (refused,) = (result for result in results if result is not None)
        first = "ann@one answered q1 at" if results[0] is None else "bob@two answered q1 at"
        assert isinstance(refused, mmos.UsageError)
        assert first in refused.message
        assert len(await facts(on.app, waiting.run, QuestionAnswered)) == 1


async def test_a_question_of_a_call_that_ended_needs_no_answer(tmp_path: Path) -> None:
    async def hurry(context: mmos.Context) -> str:
        try:
            return (await context.ask("coding", "Say something.", seconds=0.3)).text
        except mmos.ToolError:
            return "too late"

    async def never(question: QuestionAsked) -> str:
        await asyncio.Event().wait()
        return ""

    roles = {"arbiter": [Call("hurry"), ask("And now?")], "coding": [ask("Tabs?")]}
    config = {"specialists": {"coding": {"tools": ["escalate_to_user"]}}}
    async with stage(roles, state=tmp_path, orchestration=config, tools=[hurry]) as on:
        ends = await on.app.run("Go.", watch=Watch(answerer=never), options=RunOptions(timeout=1.5))
        assert [question.text for question in ends.view.open_questions] == ["And now?"]
        with pytest.raises(mmos.UsageError, match=r"q1 of run .* needs no answer any more"):
            await on.app.answer(ends.run, "yes", question="q1")


async def test_a_run_at_work_takes_no_answer_from_elsewhere(tmp_path: Path) -> None:
    shown: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    answers: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def answer_user(question: QuestionAsked) -> str:
        shown.set_result(question.question)
        return await answers

    async with stage({"arbiter": [ask(), "Red."]}, state=tmp_path) as on:
        names: list[str] = []
        run = asyncio.create_task(on.app.run("Paint it.", watch=Watch(answerer=answer_user, on_start=names.append)))
        await shown
        async with mmos.open(on.config, state=tmp_path) as other:
            for app in (on.app, other):
                with pytest.raises(mmos.UsageError, match=r"still at work, and its own process takes the answers. Answer at the terminal"):
                    await app.answer(names[0], "blue")
        answers.set_result("red")
        assert (await run).text == "Red."
