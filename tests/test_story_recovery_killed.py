"""A run that is cut off in the middle of a recovery goes on exactly once, wherever the cut is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import mmos
from mmos.app import RunOptions
from mmos.app.lifecycle import Watch
from mmos.events import Entry, FrameKept, ModelAsked, ModelFailed, ModelReplied, PhaseChanged, Prompted, QuestionAsked, RunFinished, Warned
from mmos.recovery_events import RecoveryBegun, RecoveryJudged, RecoverySuggested, RolledBack
from mmos.testing import Call, Fail, Model, Turn, facts, stage
from tests.recovering import EMPTY, approach, gist, read, suggest, write

WRONG = Call("read", {"path": "wrong.txt"})

STORIES: Mapping[str, Mapping[str, Sequence[Turn]]] = {
    "retry": {"arbiter": [WRONG, WRONG, "Done."], "reasoning": [suggest("suggest_retry_with_changes", arguments={"path": "right.txt"})]},
    "user": {"arbiter": [WRONG, WRONG, "Done."], "reasoning": [suggest("request_user_input", question="Where?")]},
    "rollback": {"arbiter": [WRONG, WRONG, "Done."], "reasoning": [suggest("suggest_rollback", to=1)]},
    "approach": {"arbiter": [*EMPTY, "Done."], "reasoning": [approach("Another way.")]},
    "rollback of an exchange": {
        "arbiter": [Call("read", {"path": "right.txt"}), *EMPTY, "Done."],
        "reasoning": [suggest("suggest_rollback", to=1)],
    },
    "approved rollback of an exchange": {
        "arbiter": [Call("write", {"path": "a"}), Fail("broken"), Fail("broken"), Fail("broken"), "Done."],
        "reasoning": [suggest("suggest_rollback", to=1)],
    },
    "restated": {"arbiter": ["Four.", '{"total": 4}', '{"total": 4}'], "reasoning": ['{"sum": 4}']},
    "undone": {"arbiter": [*EMPTY, *EMPTY, "Done."], "reasoning": [approach("Worse."), approach("Better.")]},
    "phase": {"arbiter": [*EMPTY, "Done."], "reasoning": [suggest("suggest_phase_change", phase="work")]},
    "phase after phase": {
        "arbiter": [*EMPTY, Call("change_phase", {"phase": "review", "reason": "Ready."}), "Done."],
        "reasoning": [suggest("suggest_phase_change", phase="work")],
    },
    "model": {"arbiter": EMPTY, "reasoning": [], "spare": ["Done."]},
}
CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "model": {"arbiter": {"model": ["arbiter", "spare"]}},
    "phase": {"phases": {"initial": "plan", "plan": {"next": ["work"]}, "work": {"next": ["done"]}}},
    "phase after phase": {
        "phases": {"initial": "plan", "plan": {"next": ["work"]}, "work": {"next": ["review"]}, "review": {"next": ["done"]}}
    },
    "rollback of an exchange": {"recovery": {"ask_before": []}},
}


SCHEMA = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
SCHEMAS = {"restated": RunOptions(schema=SCHEMA)}


async def answerer(question: QuestionAsked) -> str:
    assert "What should it do" not in question.text
    return "yes"


def options(story: str) -> tuple[Watch | None, Mapping[str, Any]]:
    """Who answers the user's questions, and the configuration. The loop asks a user who is there, so some stories have none."""
    watch = Watch(answerer=answerer) if story in ("user", "rollback", "approved rollback of an exchange") else None
    return watch, CONFIGS.get(story, {})


async def whole(story: str) -> tuple[mmos.Answer, list[Entry]]:
    watch, config = options(story)
    async with stage(STORIES[story], tools=[read, write], orchestration=config) as on:
        answer = await on.app.run("Do it.", watch=watch, options=SCHEMAS.get(story))
        return answer, await on.app.journal.read(run=answer.run)


async def cut(story: str, entries: Sequence[Entry]) -> tuple[mmos.Answer, Counter[str]]:
    """The run of which only these entries are left, resumed. Models go on with their scripts."""
    watch, config = options(story)
    replied = Counter(entry.event.model for entry in entries if isinstance(entry.event, ModelReplied | ModelFailed))
    roles = {role: Model.scripted(role, turns[replied[role] :] or ["unused"]) for role, turns in STORIES[story].items()}
    async with stage(roles, tools=[read, write], orchestration=config) as on:
        for entry in entries:
            on.app.journal.append(entry.run, entry.thread, entry.event)
        answer = await on.app.resume(entries[0].run, watch=watch, options=RunOptions())
        kinds = (RecoveryBegun, RecoverySuggested, RecoveryJudged, RolledBack, PhaseChanged, Prompted, QuestionAsked)
        return answer, Counter(event.kind for event in await facts(on.app, answer.run, *kinds))


@pytest.mark.parametrize("story", STORIES)
async def test_a_run_goes_on_wherever_it_was_cut(story: str) -> None:
    answer, entries = await whole(story)
    assert answer.status == "answered"
    (first, *_) = [place for place, entry in enumerate(entries) if isinstance(entry.event, RecoveryBegun)]
    last = next(place for place, entry in enumerate(entries) if isinstance(entry.event, RunFinished))
    kinds = (RecoveryBegun, RecoverySuggested, RecoveryJudged, RolledBack, PhaseChanged, Prompted, QuestionAsked)
    then = Counter(entry.event.kind for entry in entries if isinstance(entry.event, kinds))
    assert gist(answer)[-1][-1] is True
    for place in range(first + 1, last + 1):
        if isinstance(entries[place - 1].event, FrameKept | ModelAsked | ModelFailed | Warned):
            continue  # the same as the cut before it
        if isinstance(reply := entries[place - 1].event, ModelReplied) and not (reply.message.content or reply.message.calls):
            continue  # the correction is recorded in the same moment
        again, found = await cut(story, entries[:place])
        where = f"{place}: {entries[place - 1].event.kind}"
        assert again.text == answer.text, where
        if story != "undone":  # its cut before the judgement gives the exchange one more try, which may help
            assert (gist(again), found) == (gist(answer), then), where


async def test_a_call_that_had_failed_when_the_crash_came_is_made_again_without_a_question() -> None:
    sent: list[str] = []

    def send(to: str) -> str:
        """Send a letter."""
        if to != "right":
            raise ValueError(f"there is no {to}")
        sent.append(to)
        return "sent"

    call = Call("send", {"to": "wrong"})
    roles: dict[str, Sequence[Turn]] = {
        "arbiter": [call, call, "Sent."],
        "reasoning": [suggest("suggest_retry_with_changes", arguments={"to": "right"})],
    }
    async with stage(roles, tools=[send]) as on:
        entries = await on.app.journal.read(run=(await on.app.run("Send it.")).run)
    place = next(place for place, entry in enumerate(entries) if isinstance(entry.event, RecoveryBegun))
    sent.clear()
    async with stage({**roles, "arbiter": ["Sent."]}, tools=[send]) as on:
        for entry in entries[: place + 1]:
            on.app.journal.append(entry.run, entry.thread, entry.event)
        answer = await on.app.resume(entries[0].run, options=RunOptions())
        assert (answer.text, sent, await facts(on.app, answer.run, QuestionAsked)) == ("Sent.", ["right"], [])
