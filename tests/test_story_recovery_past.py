"""Stories of the past of recoveries: shown, forked, resumed as it was, compared, and in the journal of a stranger."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmos.app import RunOptions
from mmos.cli.trace import lines, note, progress
from mmos.events import LaneClosed, LaneOpened, ModelAsked, ModelReplied, RunFinished, RunStarted
from mmos.journal import new_id
from mmos.messages import Message
from mmos.prompting.request import requests_of
from mmos.recovery_events import AnswerRestated, RecoveryBegun, RecoveryJudged, RecoverySuggested, ResultsShortened, RolledBack
from mmos.replay.parting import parting
from mmos.testing import Call, facts, stage
from tests.recovering import EMPTY, approach, gist, read, suggest

WRONG = Call("read", {"path": "wrong.txt"})
RETRY = suggest("suggest_retry_with_changes", arguments={"path": "right.txt"})


async def test_each_step_is_shown(tmp_path: Path) -> None:
    roles = {"arbiter": [*EMPTY, *EMPTY, WRONG, WRONG, "Four."], "reasoning": [approach("Worse."), approach("Better."), RETRY]}
    async with stage(roles, tools=[read], state=tmp_path) as on:
        answer = await on.app.run("What is 2 + 2?")
        entries = await on.app.journal.read(run=answer.run)
    shown = "\n".join(line[8:].strip() for line in lines(entries))
    for line in (
        "recovery of arbiter: empty (no_answer): arbiter (arbiter) gave no answer that could be read",
        "reasoning suggests suggest_alternative_approach for arbiter (approach='Worse.'",
        "arbiter takes turn 1: Your last attempt failed.",
        "the recovery failed: that did not help: arbiter (arbiter) gave no answer",
        "arbiter is as before the recovery",
        "recovery of read by arbiter: tool (tool_failed)",
        "the recovery helped",
    ):
        assert line in shown
    followed = [progress(entry.event) for entry in entries if isinstance(entry.event, RecoverySuggested | RecoveryJudged)]
    assert sum("suggests" in line for line in followed) == 3


def test_the_rarer_steps_are_shown() -> None:
    from mmos.events import Entry

    events = [
        ResultsShortened("arbiter", "arbiter", {"c1": "short"}, "recovery-1"),
        AnswerRestated("arbiter", Message("assistant", '{"sum": 4}'), "arbiter", "recovery-1"),
        RecoverySuggested("recovery-1", "arbiter", "arbiter", "other_model", {"model": "spare"}, "rules"),
    ]
    shown = list(lines(Entry("r", "t", 0.0, event) for event in events))
    assert [line[8:].strip() for line in shown] == [
        "arbiter gets 1 long result as a digest",
        'the answer in another form: {"sum": 4}',
        "a rule suggests other_model for arbiter (model='spare')",
    ]
    assert note(RecoveryJudged("recovery-1", "arbiter", True)) == ""


async def test_a_run_with_a_recovery_is_forked_and_goes_on(tmp_path: Path) -> None:
    roles = {"arbiter": [WRONG, WRONG, "Done.", "Done again."], "reasoning": [RETRY]}
    async with stage(roles, tools=[read], state=tmp_path) as on:
        first = await on.app.run("Read it.")
        fork = await on.app.fork(first.run)
        second = await on.app.resume(fork.run)
        assert (second.text, gist(second)) == ("Done again.", gist(first))
        assert on.sent("arbiter")[-1]["messages"] == on.sent("arbiter")[-2]["messages"]
        found = parting(
            first.run, await on.app.journal.read(thread=first.thread), second.run, await on.app.journal.read(thread=second.thread)
        )
        assert (found.place, found.turns) == ("turn 3 of arbiter", 2)


async def test_a_fork_at_a_turn_after_a_rollback_has_the_same_prompt(tmp_path: Path) -> None:
    roles = {"arbiter": [*EMPTY, "Four.", "4."], "reasoning": [approach("Count.")]}
    async with stage(roles, state=tmp_path) as on:
        first = await on.app.run("What is 2 + 2?")
        second = await on.app.resume((await on.app.fork(first.run, at=4)).run)
        assert (first.text, second.text) == ("Four.", "4.")
        assert on.sent("arbiter")[-1]["messages"] == on.sent("arbiter")[-2]["messages"]
        assert gist(second) == gist(first)


async def test_a_run_resumed_as_it_was_keeps_what_the_recovery_changed(tmp_path: Path) -> None:
    ask = Call("escalate_to_user", {"question": "Which?"})
    roles = {"arbiter": [WRONG, WRONG, ask], "reasoning": [approach("Count.")]}
    async with stage(roles, tools=[read], state=tmp_path) as on:
        waiting = await on.app.run("What is 2 + 2?", options=RunOptions(on_question="wait"))
        await on.app.answer(waiting.run, "That one.")
        before = on.sent("arbiter")[-1]["messages"]
    config = {"arbiter": {"system": "Be brief."}}
    async with stage({"arbiter": ["Four."], "reasoning": []}, tools=[read], state=tmp_path, orchestration=config) as on:
        answer = await on.app.resume(waiting.run, as_it_was=True)
        assert (answer.text, gist(answer)) == ("Four.", [("tool", "suggest_alternative_approach", "reasoning", True)])
        messages = on.sent("arbiter")[0]["messages"]
    assert messages[: len(before)] == before
    assert before[-1]["content"].endswith("Try another way:\nCount.")


async def test_a_later_task_of_the_thread_remembers_what_stayed(tmp_path: Path) -> None:
    roles = {"arbiter": [*EMPTY, "Four.", "Nine."], "reasoning": [approach("Count.")]}
    async with stage(roles, state=tmp_path) as on:
        await on.app.run("What is 2 + 2?", thread="t")
        await on.app.run("And 4 + 5?", thread="t")
        said = [message["content"] for message in on.sent("arbiter")[-1]["messages"][1:]]
    assert said == ["What is 2 + 2?\n\nYour last attempt failed. Try another way:\nCount.", "Four.", "And 4 + 5?"]


@pytest.mark.parametrize(
    "suggested",
    [
        RecoverySuggested("recovery-1", "arbiter", "arbiter", "suggest_rollback", {}),
        RecoverySuggested("recovery-1", "arbiter", "arbiter", "suggest_alternative_approach", {"approach": 7}),
        RecoverySuggested("recovery-1", "arbiter", "arbiter", "erase_everything", {}, "rules"),
    ],
    ids=["without a turn", "no text", "unknown"],
)
async def test_a_strange_suggestion_of_a_stranger_does_nothing(suggested: RecoverySuggested) -> None:
    run = new_id()
    async with stage({"arbiter": ["unused"]}) as on:
        for event in (
            RunStarted("Hello?", on.app.journal.process),
            LaneOpened("arbiter", "arbiter", Message("user", "Hello?")),
            RecoveryBegun("recovery-1", "arbiter", "arbiter", failure="empty", code="no_answer", detail="Nothing came."),
            suggested,
        ):
            on.app.journal.append(run, run, event)
        answer = await on.app.resume(run)
        assert (answer.status, answer.reason and answer.reason.code) == ("failed", "no_answer")
        assert await facts(on.app, run, RolledBack, ModelAsked) == []


async def test_facts_stay_when_a_lane_goes_back(tmp_path: Path) -> None:
    roles = {"arbiter": [*EMPTY, "Four."], "reasoning": [approach("Count.")]}
    async with stage(roles, state=tmp_path) as on:
        answer = await on.app.run("What is 2 + 2?")
        entries = await on.app.journal.read(run=answer.run)
    assert sum(isinstance(entry.event, ModelReplied) for entry in entries) == 5
    assert [entry.event.status for entry in entries if isinstance(entry.event, LaneClosed | RunFinished)] == ["answered"] * 3
    assert all(request is not None for _, request in requests_of(entries))
