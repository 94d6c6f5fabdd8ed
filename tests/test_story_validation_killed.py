"""A run that is cut off in the middle of a validation goes on, wherever the cut is, and nothing is judged or asked twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import mmos
from mmos.app import RunOptions
from mmos.app.lifecycle import Watch
from mmos.events import Entry, FrameKept, ModelAsked, ModelFailed, ModelLearned, ModelReplied, QuestionAsked, RunFinished
from mmos.quality_events import AnswerJudged, AnswerRevised, ImprovementTried, JudgeTried
from mmos.testing import Model, Turn, facts, stage
from tests.judging import bad, better, on_canaries, opinion

WRONG, RIGHT = "Seven times six is forty-eight.", "Seven times six is forty-two."
FAULTY = opinion(WRONG, correct=bad("is forty-eight", "7 * 6 is 42."))
KNOWN = on_canaries(True, True)
KINDS = (JudgeTried, AnswerJudged, ImprovementTried, AnswerRevised, QuestionAsked)

STORIES: Mapping[str, Mapping[str, Sequence[Turn]]] = {
    "larger": {"arbiter": [WRONG, WRONG], "critic": [*KNOWN, FAULTY, opinion(RIGHT)], "giant": [RIGHT]},
    "user": {"arbiter": [WRONG, WRONG, RIGHT], "critic": [*KNOWN, FAULTY, opinion(RIGHT)]},
    "two judges": {
        "arbiter": [WRONG, RIGHT],
        "critic": [KNOWN[0], FAULTY, opinion(RIGHT), better("1"), better("2")],
        "second": [KNOWN[0], FAULTY, opinion(RIGHT)],
    },
}
CONFIGS: Mapping[str, Mapping[str, Any]] = {"two judges": {"quality": {"cross_validation": True}}}


def models(turns: Mapping[str, Sequence[Turn]]) -> dict[str, Model]:
    cards = {
        "critic": {"family": "mistral", "parameter_size": "8B"},
        "giant": {"parameter_size": "70B"},
        "second": {"family": "gemma", "parameter_size": "7B"},
    }
    return {name: Model.scripted(name, script or ["unused"], **cards.get(name, {})) for name, script in turns.items()}


async def answerer(question: QuestionAsked) -> str:
    return "try again"


def watch(story: str) -> Watch | None:
    return Watch(answerer=answerer) if story == "user" else None


async def whole(story: str) -> tuple[mmos.Answer, list[Entry]]:
    async with stage(models(STORIES[story]), orchestration=CONFIGS.get(story)) as on:
        answer = await on.app.run("What is 7 * 6?", watch=watch(story), options=RunOptions(validate=True))
        return answer, await on.app.journal.read(run=answer.run)


async def cut(story: str, entries: Sequence[Entry]) -> tuple[mmos.Answer, Counter[str]]:
    """The run of which only these entries are left, resumed. Models go on with their scripts."""
    replied = Counter(entry.event.model.partition(":")[0] for entry in entries if isinstance(entry.event, ModelReplied | ModelFailed))
    left = {role: turns[replied[role] :] for role, turns in STORIES[story].items()}
    async with stage(models(left), orchestration=CONFIGS.get(story)) as on:
        for entry in entries:
            on.app.journal.append(entry.run, entry.thread, entry.event)
        answer = await on.app.resume(entries[0].run, watch=watch(story), options=RunOptions())
        return answer, Counter(event.kind for event in await facts(on.app, answer.run, *KINDS))


@pytest.mark.parametrize("story", STORIES)
async def test_a_run_goes_on_wherever_it_was_cut(story: str) -> None:
    answer, entries = await whole(story)
    assert (answer.text, answer.document()["quality"]["verdict"]) == (RIGHT, "pass")
    first = next(place for place, entry in enumerate(entries) if isinstance(entry.event, ModelReplied))
    last = next(place for place, entry in enumerate(entries) if isinstance(entry.event, RunFinished))
    then = Counter(entry.event.kind for entry in entries if isinstance(entry.event, KINDS))
    for place in range(first + 1, last + 1):
        if isinstance(entries[place - 1].event, FrameKept | ModelAsked | ModelLearned):
            continue  # the same as the cut before it
        if story != "larger" and not isinstance(entries[place - 1].event, KINDS):
            continue  # one story is enough for the others
        again, found = await cut(story, entries[:place])
        where = f"{place}: {entries[place - 1].event.kind}"
        assert (again.text, found) == (answer.text, then), where
        assert again.document()["quality"] == answer.document()["quality"], where
        assert again.usage["model_calls"] == answer.usage["model_calls"], where
