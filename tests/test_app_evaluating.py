"""A pattern against its best member: what is said, what is kept, and what the doctor makes of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mmos import Case
from mmos.app.evaluating import evaluations, sides_of
from mmos.doctor.facts import Facts
from mmos.doctor.patterns import winning
from mmos.errors import UsageError
from mmos.rehearsal.prompt import Prompt
from mmos.testing import stage
from tests.shell import shell

COUNT = 24
POLL = {"pattern": "voting", "voting": "majority", "models": [{"role": name} for name in ("coding", "analysis", "reasoning")]}
CASES = [Case(f"What is {number} + 1?", number + 1) for number in range(COUNT)]


def right(prompt: Prompt) -> str:
    return f"The answer is {_number(prompt) + 1}."


def right_on(remainder: int):
    """Right on two of three cases, and wrong in its own way on the others."""

    def said(prompt: Prompt) -> str:
        number = _number(prompt)
        return f"The answer is {number + 1 if number % 3 != remainder else 100 + remainder}."

    return said


def _number(prompt: Prompt) -> int:
    return int(re.findall(r"What is (\d+)", prompt.messages[-1]["content"])[-1])


def roles(*turns: Any) -> dict[str, Any]:
    return {"arbiter": [], **dict(zip(("coding", "analysis", "reasoning"), ([one] * (2 * COUNT) for one in turns), strict=True))}


async def test_a_pattern_that_wins_says_so_and_teaches_whom_to_trust():
    async with stage(roles(right_on(0), right_on(1), right_on(2)), orchestration={"patterns": {"poll": POLL}}) as on:
        found = await on.app.evaluate("poll", CASES)
        assert found.wins, found.text
        assert found.text.startswith("poll is better than its best member role:")
        kept = (await evaluations(on.app.journal, on.app.config))["poll"]
        assert (kept.wins, kept.cases) == (True, COUNT)
        assert {model: tuple(marks) for of_kind in kept.right.values() for model, marks in of_kind.items()} == dict.fromkeys(
            ("coding", "analysis", "reasoning"), (16, 24)
        )
        assert [*winning(Facts(evaluations={"poll": kept}))] == []


async def test_a_pattern_that_does_not_win_is_a_finding_of_the_doctor():
    async with stage(roles(right, right_on(1), right_on(1)), orchestration={"patterns": {"poll": POLL}}) as on:
        found = await on.app.evaluate("poll", CASES[:6])
        assert not found.wins
        assert found.best == "role:coding"
        assert "does not win against its best member role:coding" in found.text
        [finding] = winning(Facts(evaluations=await evaluations(on.app.journal, on.app.config)))
        assert finding.code == "pattern_does_not_win"
        assert "-33.3 points" in finding.message
        assert "times its GPU-seconds" in finding.message


async def test_another_pattern_of_the_same_name_was_not_evaluated(tmp_path: Path):
    async with stage(roles(right, right, right), state=tmp_path, orchestration={"patterns": {"poll": POLL}}) as on:
        await on.app.evaluate("poll", CASES[:2])
    changed = {"poll": {**POLL, "voting": "auto"}}
    async with stage(
        {"arbiter": [], "coding": [], "analysis": [], "reasoning": []}, state=tmp_path, orchestration={"patterns": changed}
    ) as on:
        assert await evaluations(on.app.journal, on.app.config) == {}
        with pytest.raises(UsageError, match="There is no pattern 'pool'"):
            sides_of(on.app.config, "pool")


async def test_a_built_in_pattern_is_evaluated_too():
    async with stage(roles(right, right, right)) as on:
        found = await on.app.evaluate("review_refinement", CASES[:2])
        assert found.best in {"role:reasoning", "role:coding"}
        assert set(await evaluations(on.app.journal, on.app.config)) == {"review_refinement"}
        with pytest.raises(UsageError, match="did you mean 'review_refinement'"):
            sides_of(on.app.config, "review_refinment")


async def test_the_command_tells_the_verdict_and_goes_on_where_it_stopped(tmp_path: Path):
    async with shell(tmp_path, roles(right, right_on(1), right_on(1)), orchestration={"patterns": {"poll": POLL}}) as at:
        (tmp_path / "cases.jsonl").write_text(
            "".join(json.dumps({"task": case.task, "expect": int(case.task.split()[2]) + 1}) + "\n" for case in CASES[:3])
        )
        command = ("patterns", "evaluate", "poll", "--cases", "cases.jsonl", "--out", "out.jsonl")
        ended = await at.mmos(*command)
        assert ended.code == 0, ended.err
        assert "poll does not win against its best member role:coding." in ended.out
        asked = len(at.on.sent("coding"))
        document = (await at.mmos(*command, "--json")).document
        assert (document["pattern"], document["best_member"], document["wins"]) == ("poll", "role:coding", False)
        assert len(at.on.sent("coding")) == asked
        listed = await at.mmos("patterns", "list")
        assert "no, -33.3 points on 3 cases" in listed.out
