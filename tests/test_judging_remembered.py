"""What earlier runs tell a validation: real runs know nothing of rehearsed ones, and the reverse."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmos.events import RunRated, RunStarted
from mmos.journal import Journal
from mmos.judging.remembered import remembered
from mmos.quality_events import AnswerJudged, JudgeTried
from mmos.run_events import Forked


@pytest.mark.parametrize("rehearsed", [False, True])
async def test_rehearsed_and_real_runs_know_nothing_of_each_other(tmp_path: Path, rehearsed: bool) -> None:
    async with await Journal.open(tmp_path) as journal:
        for run, beginning in {
            "real": RunStarted("x", "p"),
            "played": RunStarted("x", "p", rehearsed=True),
            "named so": RunStarted("Is it true?", "p"),
            "forked": Forked("t", 0, process="p", rehearsed=True),
        }.items():
            for event in (beginning, JudgeTried("m"), AnswerJudged("answer"), RunRated(good=True)):
                journal.append(run, run, event)
            await journal.durable(run)
        found = await remembered(journal, JudgeTried, RunRated, rehearsed=rehearsed)
    assert [(entry.run, entry.event.kind) for entry in found] == [
        (run, kind) for run in (["played", "forked"] if rehearsed else ["real", "named so"]) for kind in ("judge_tried", "run_rated")
    ]


async def test_nothing_is_remembered_at_first(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal:
        assert await remembered(journal, JudgeTried, rehearsed=False) == []
