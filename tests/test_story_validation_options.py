"""Stories of validations that the user steers: with words, options, limits and the configuration."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import mmos
from mmos.app import RunOptions
from mmos.app.lifecycle import Watch
from mmos.errors import UsageError
from mmos.events import QuestionAsked, RunRated
from mmos.quality_events import AnswerJudged
from mmos.rehearsal.pieces import Stall
from mmos.testing import Call, Host, Model, consult, facts, stage, until
from tests.fleets import fleet_at
from tests.judging import bad, on_canaries, opinion, steps

VALIDATE = RunOptions(validate=True)
TASK = "What is 7 * 6?"
WRONG, RIGHT = "Seven times six is forty-eight.", "Seven times six is forty-two."
FAULTY = opinion(WRONG, correct=bad("is forty-eight", "7 * 6 is 42."))
KNOWN = on_canaries(True, True)


def critic(*turns: str) -> Model:
    return Model.scripted("critic", [*KNOWN, *turns], family="mistral")


def says(*words: str) -> tuple[Watch, list[str]]:
    """A user who says these words, and the questions that the user hears."""
    heard: list[str] = []
    left = list(words)

    async def answerer(question: QuestionAsked) -> str:
        heard.append(question.text)
        return left.pop(0)

    return Watch(answerer=answerer), heard


# ---------------------------------------------------------------- the user


async def test_the_user_keeps_an_answer_that_failed() -> None:
    watch, heard = says("keep it")
    async with stage({"arbiter": [WRONG, WRONG], "critic": critic(FAULTY)}) as on:
        answer = await on.app.run(TASK, options=VALIDATE, watch=watch)
        assert (answer.text, answer.status, answer.document()["quality"]["verdict"]) == (WRONG, "answered", "fail")
        (question,) = heard
        assert question.startswith("The answer did not pass its validation: score 0.50, and 0.80 is needed. incorrect: 7 * 6 is 42.")


async def test_the_user_says_what_to_change() -> None:
    watch, heard = says("Count sixes.", "try again")
    seventh = "Six sixes and a six are forty-one."
    worse = opinion(seventh, correct=bad("forty-one", "It is 42."))
    async with stage({"arbiter": [WRONG, WRONG, seventh, RIGHT], "critic": critic(FAULTY, worse, opinion(RIGHT))}) as on:
        answer = await on.app.run(TASK, options=VALIDATE, watch=watch)
        assert (answer.text, answer.document()["quality"]["verdict"], len(heard)) == (RIGHT, "pass", 2)
        assert steps(answer) == [("revision-1", False), ("again-1", False), ("again-2", True)]
        assert "- user: Count sixes.\n- incorrect: 7 * 6 is 42." in on.heard("arbiter")[2]


async def test_the_user_ends_the_run() -> None:
    watch, _ = says("stop")
    async with stage({"arbiter": [WRONG, WRONG], "critic": critic(FAULTY)}) as on:
        answer = await on.app.run(TASK, options=VALIDATE, watch=watch)
        assert (answer.status, answer.reason and answer.reason.message) == (
            "failed", "The answer did not pass its validation, and you ended the run.",
        )  # fmt: skip


# ---------------------------------------------------------------- limits: the answer that is there is never lost


async def test_the_answer_stays_when_the_run_has_no_time_left() -> None:
    silent = Model.scripted("critic", [Stall()], family="mistral")
    async with stage({"arbiter": [RIGHT], "critic": silent}) as on:
        answer = await on.app.run(TASK, options=RunOptions(validate=True, timeout=0.5))
        assert (answer.status, answer.text, answer.document()["quality"]["verdict"]) == ("answered", RIGHT, "cannot_verify")
        assert answer.document()["quality"]["why"] == ["the time of the run was over"]


@pytest.mark.parametrize("limits", [{"total_turns": 1}, {"tokens": 100}, {"depth": 1}])
async def test_the_answer_stays_when_the_run_reaches_a_limit(limits: dict[str, int]) -> None:
    async with stage({"arbiter": [RIGHT], "critic": critic(opinion(RIGHT))}, orchestration={"limits": limits}) as on:
        answer = await on.app.run(TASK, options=VALIDATE)
        expected = "pass" if "depth" in limits else "cannot_verify"
        assert (answer.status, answer.text, answer.document()["quality"]["verdict"]) == ("answered", RIGHT, expected)


async def test_the_answer_stays_when_its_author_is_gone() -> None:
    async with stage({"arbiter": [WRONG], "critic": critic(FAULTY)}) as on:
        answer = await on.app.run(TASK, options=RunOptions(validate=True, max_turns=1))
        assert (answer.status, answer.text) == ("answered", WRONG)


# ---------------------------------------------------------------- options and the configuration


async def test_what_never_forbids_is_an_error() -> None:
    async with stage({"arbiter": [RIGHT]}, orchestration={"quality": {"validation": "never"}}) as on:
        with pytest.raises(UsageError, match=r"quality\.validation is never"):
            await on.app.run(TASK, options=VALIDATE)
        with pytest.raises(UsageError, match=r"quality\.validation is never"):
            await on.app.run(TASK, options=RunOptions(quality_threshold=0.5))
        assert (await on.app.run(TASK)).document()["quality"] is None


def test_a_threshold_without_a_validation_is_an_error() -> None:
    with pytest.raises(UsageError, match="is not validated"):
        RunOptions(validate=False, quality_threshold=0.5)
    with pytest.raises(UsageError, match="quality_threshold"):
        RunOptions(quality_threshold=1.5)


async def test_a_threshold_asks_for_a_validation() -> None:
    async with stage({"arbiter": [WRONG], "critic": critic(FAULTY)}) as on:
        answer = await on.app.run(TASK, options=RunOptions(quality_threshold=0.5))
        assert (answer.document()["quality"]["verdict"], answer.document()["quality"]["threshold"]) == ("pass", 0.5)


async def test_ratings_move_the_threshold_of_a_class(tmp_path: Path) -> None:
    longer = opinion(RIGHT, complete=bad(TASK, "No steps."))
    async with stage({"arbiter": [RIGHT], "critic": critic(longer)}, state=tmp_path) as on:
        for number in range(20):
            judged = AnswerJudged("answer", score=0.7, judged=True, task_class="simple_query")
            for event in (judged, RunRated(True)):
                on.app.journal.append(f"run{number}", "t", event)
        await on.app.journal.durable("run19")
        found = (await on.app.run(TASK, options=VALIDATE)).document()["quality"]
        assert (found["verdict"], found["score"], found["threshold"]) == ("fail", 0.7, 0.733)
        assert found["why"][0] == "threshold 0.73 for simple_query, by 20 ratings (0.8 is configured)"


@pytest.mark.parametrize("options", [{"role_only": "coding"}, {"model": "coding"}])
async def test_one_role_or_one_model_can_be_validated(options: dict[str, str]) -> None:
    async with stage({"arbiter": [], "coding": [WRONG, RIGHT], "critic": critic(FAULTY, opinion(RIGHT))}) as on:
        answer = await on.app.run(TASK, options=RunOptions(validate=True, **options))
        assert (answer.text, answer.document()["quality"]["verdict"], steps(answer)) == (RIGHT, "pass", [("revision-1", True)])


async def test_a_better_answer_fits_the_schema_too() -> None:
    schema = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
    faulty = opinion('{"sum": 48}', correct=bad('"sum": 48', "7 * 6 is 42."))
    roles = {"arbiter": [], "coding": ['{"sum": 48}', '{"sum": "42"}', '{"sum": 42}'], "critic": critic(faulty, opinion('{"sum": 42}'))}
    async with stage(roles) as on:
        answer = await on.app.run(TASK, options=RunOptions(validate=True, schema=schema, role_only="coding"))
        assert (answer.data, answer.document()["quality"]["verdict"]) == ({"sum": 42}, "pass")


async def test_a_judge_reads_the_files_and_what_was_said_before() -> None:
    async with stage({"arbiter": ["Hello.", RIGHT], "critic": critic(opinion(RIGHT))}) as on:
        await on.app.run("I like sevens.", thread="t")
        await on.app.run(TASK, thread="t", options=VALIDATE, files=[mmos.messages.File("note.txt", "six")])
        heard = on.heard("critic")[-1]
        assert "user: I like sevens.\n\nassistant: Hello." in heard
        assert "note.txt" in heard


async def test_consulted_roles_are_not_judged() -> None:
    async with stage({"arbiter": [consult("coding"), RIGHT], "coding": ["Forty-two."], "critic": critic(opinion(RIGHT))}) as on:
        answer = await on.app.run(TASK, options=VALIDATE)
        assert len(await facts(on.app, answer.run, AnswerJudged)) == 1


async def test_a_revision_may_ask_the_user_and_waits(tmp_path: Path) -> None:
    ask = Call("escalate_to_user", {"question": "In words?"})
    async with stage({"arbiter": [WRONG, ask, RIGHT], "critic": critic(FAULTY, opinion(RIGHT))}, state=tmp_path) as on:
        waiting = await on.app.run(TASK, options=RunOptions(validate=True, on_question="wait"))
        assert (waiting.status, waiting.view.open_question and waiting.view.open_question.text) == ("waiting", "In words?")
        await on.app.answer(waiting.run, "Yes.")
        answer = await on.app.resume(waiting.run)
        assert (answer.text, answer.document()["quality"]["verdict"], len(on.sent("critic"))) == (RIGHT, "pass", 4)


async def test_a_revision_that_nobody_can_help_costs_only_itself() -> None:
    ask = Call("escalate_to_user", {"question": "In words?"})
    async with stage({"arbiter": [WRONG, ask], "critic": critic(FAULTY)}) as on:
        answer = await on.app.run(TASK, options=VALIDATE)
        assert (answer.status, answer.text, steps(answer)) == ("answered", WRONG, [("revision-1", False)])
        assert answer.document()["quality"]["steps"][0]["why"] == "arbiter asks: In words?"


async def test_a_cancelled_validation_goes_on_when_it_is_resumed(tmp_path: Path) -> None:
    stalled = Model.scripted("critic", [*KNOWN, Stall()], family="mistral")
    async with stage({"arbiter": [RIGHT], "critic": stalled}, state=tmp_path) as on:
        running = asyncio.ensure_future(on.app.run(TASK, options=VALIDATE))
        await until(lambda: len(on.sent("critic")) == 3)
        (run,) = {entry.run for entry in await on.app.journal.read(kinds=("run_started",))}
        await on.app.cancel(run)
        cancelled = await running
        assert (cancelled.status, cancelled.text, cancelled.document()["quality"]) == ("cancelled", RIGHT, None)
    async with stage({"arbiter": [], "critic": Model.scripted("critic", [opinion(RIGHT)], family="mistral")}, state=tmp_path) as on:
        answer = await on.app.resume(run)
        assert (answer.status, answer.text, answer.document()["quality"]["verdict"], on.sent("arbiter")) == ("answered", RIGHT, "pass", [])


async def test_the_command_answers_and_warns(tmp_path: Path) -> None:
    models = [Model.scripted("arbiter", [WRONG, WRONG]), critic(FAULTY)]
    async with fleet_at(tmp_path, Host("here", models, parallel=4), roles={"arbiter": "arbiter"}) as at:
        ended = await at.mmos("run", TASK, "--validate")
        shown = await at.mmos("runs", "show", str((await at.mmos("runs", "list", "--json")).document["runs"][0]["run"]))
        wrong = await at.mmos("run", TASK, "--no-validate", "--quality-threshold", "0.5")
    assert (ended.code, ended.out) == (0, f"{WRONG}\n"), ended.err
    assert "mmos: warning: The answer did not pass its validation: score 0.50, and 0.80 is needed." in ended.err
    assert "critic:latest was right about the known answer product" in shown.out
    assert "the answer did not pass its check (critic:latest) · score 0.50, needed 0.80 · confidence 0.86\n" in shown.out
    assert "  error: incorrect: 7 * 6 is 42." in shown.out
    assert (wrong.code, "Leave one of the two out." in wrong.err) == (2, True)
