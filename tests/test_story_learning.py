"""Stories of learning: what runs have shown decides who works on the next task, and the journal is all that is needed for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmos
from mmos.app import App
from mmos.choice_events import TaskRouted
from mmos.cli.trace import lines
from mmos.events import RunFinished, RunRated, RunStarted
from mmos.journal import new_id
from mmos.testing import facts, stage
from tests.shell import command

BUG = "This function raises a KeyError. Fix the bug: def get(d): return d['a']"
LEARNING = {"defaults": {"strategy": "intelligent"}, "selection": {"strategy": "learning"}}


async def past(app: App, key: str, *, good: bool, times: int = 20) -> None:
    """Runs of earlier days, which somebody has rated."""
    for _ in range(times):
        run = new_id()
        for event in (RunStarted("x", "p"), TaskRouted("bug_fixing", key=key), RunFinished("answered", "."), RunRated(good)):
            app.journal.append(run, run, event)
        await app.journal.durable(run)


async def test_who_did_well_before_works_on_the_next_task(tmp_path: Path) -> None:
    roles: dict[str, Any] = {"arbiter": [], "coding": [], "reasoning": ["Use d.get.", "Use d.get."]}
    async with stage(roles, state=tmp_path, orchestration=LEARNING) as on:
        await past(on.app, "reasoning=reasoning:latest", good=True)
        await past(on.app, "coding=coding:latest", good=False)
        await past(on.app, "arbiter=arbiter:latest", good=False)
        answer = await on.app.run(BUG)
        route = answer.document()["route"]
        assert (answer.text, route["choice"], route["by"]) == ("Use d.get.", "reasoning", "learning")
        assert route["why"][0].startswith("9")
        assert route["propensity"] == route["candidates"][0]["chance"] == 1.0, "the others are known to be far worse"
        assert (await on.app.replay(answer.run)).same
    async with stage({**roles, "reasoning": ["Use d.get."]}, state=tmp_path, orchestration=LEARNING) as on:
        assert (await on.app.run(BUG)).document()["route"]["choice"] == "reasoning", "another process reads it in the journal"


async def test_a_model_that_turned_bad_is_left_soon(tmp_path: Path) -> None:
    roles: dict[str, Any] = {"arbiter": [], "coding": ["Hm."] * 60, "reasoning": ["So."] * 60}
    async with stage(roles, state=tmp_path, orchestration=LEARNING) as on:
        await past(on.app, "coding=coding:latest", good=True, times=40)
        await past(on.app, "reasoning=reasoning:latest", good=True, times=14)
        await past(on.app, "reasoning=reasoning:latest", good=False, times=6)
        await past(on.app, "arbiter=arbiter:latest", good=False)
        likeliest = []
        for _ in range(16):
            answer = await on.app.run(BUG)
            route = answer.document()["route"]
            likeliest.append(max(route["candidates"], key=lambda one: float(one["chance"]))["name"])
            await on.app.rate(answer.run, good=route["choice"] == "reasoning")
        assert (likeliest[0], likeliest[-1]) == ("coding", "reasoning"), "chance may try the other one in any run"


async def test_without_anything_learned_the_score_decides_and_chance_within_bounds() -> None:
    async with stage({"arbiter": ["So."], "coding": ["So."]}, orchestration=LEARNING) as on:
        answer = await on.app.run(BUG)
        (event,) = await facts(on.app, answer.run, TaskRouted)
        assert event.by == "learning"
        shown = list(lines(await on.app.journal.read(run=answer.run)))
        assert sum(line.endswith("after 0.0 outcomes") for line in shown) == len(event.candidates), "no line is cut"
        assert abs(sum(one["chance"] for one in event.candidates) - 1.0) < 0.001
        assert sum(one["chance"] for one in event.candidates) - max(one["chance"] for one in event.candidates) <= 0.251


async def test_what_was_learned_is_shown(tmp_path: Path) -> None:
    async with stage({"arbiter": ["So."]}, state=tmp_path) as on:
        await past(on.app, "coding=coder:7b", good=True, times=3)
        await past(on.app, "=large:70b", good=False, times=2)
    told = (await command(tmp_path, "models", "outcomes", "--state", str(tmp_path), "--json")).document
    rows = {row["role"]: row for row in told["outcomes"]}
    coding = rows["coding"]
    assert (coding["class"], coding["model"], coding["good"], coding["outcomes"]) == ("bug_fixing", "coder:7b", 1.0, 3.9)
    assert rows[""]["good"] < 0.5
    listed = (await command(tmp_path, "models", "outcomes", "--state", str(tmp_path))).out
    assert "bug_fixing" in listed
    assert "large:70b" in listed


async def test_options_that_name_who_answers_teach_too() -> None:
    way = {"routing": {"rules": [{"condition": "task.type == 'bug_fixing'", "specialist": "coding"}]}}
    async with stage({"arbiter": [], "coding": ["So."]}, orchestration=way) as on:
        answer = await on.app.run(BUG, options=mmos.RunOptions(role_only="coding"))
        (event,) = await facts(on.app, answer.run, TaskRouted)
        assert (event.by, event.choice, event.key) == ("user", "coding", "coding=coding:latest")
