"""A pattern that is cut off goes on, wherever the cut is: no member is asked twice, and nothing is recorded twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import mmos
from mmos.app import RunOptions
from mmos.events import Entry, FrameKept, ModelAsked, ModelFailed, ModelLearned, ModelReplied, RunFinished
from mmos.pattern_events import ConflictFound, MemberEnded, MemberVoted, PatternAnswered, PatternBegun, PatternEnded, StepRolledBack
from mmos.rehearsal.pieces import Say, Stall
from mmos.testing import Call, Model, Turn, facts, stage, until

KINDS = (PatternBegun, MemberEnded, MemberVoted, StepRolledBack, ConflictFound, PatternEnded, PatternAnswered)
PATTERNS = {
    "steps": {"pattern": "sequential", "validate": True, "models": ["first", "second", "third"]},
    "parts": {
        "pattern": "parallel",
        "models": [{"model": "pattern:steps", "task": "speed"}, {"model": "fourth", "name": "style", "task": "style"}],
        "aggregator_model": "first",
    },
}
GOOD, BROKEN = "```python\ndef add(a, b):\n    return a + b\n```", "```python\ndef add(a, b:\n    return a +\n```"
CONFLICT = '{"conflicts": [{"between": ["speed", "style"], "about": "the name", "resolved": "add"}]}'
SCRIPTS: Mapping[str, Sequence[Turn]] = {
    "arbiter": [Call("run_pattern", {"pattern": "parts", "task": "Write add."}), "Done."],
    "first": [GOOD, CONFLICT, "One answer."],
    "second": [BROKEN],
    "third": [GOOD],
    "fourth": ["Short names."],
}


def models(turns: Mapping[str, Sequence[Turn]]) -> dict[str, Model]:
    return {name: Model.scripted(name, script or ["unused"]) for name, script in turns.items()}


async def cut(entries: Sequence[Entry]) -> tuple[mmos.Answer, list[Any]]:
    """The run of which only these entries are left, resumed. Models go on with their scripts."""
    replied = Counter(entry.event.model.partition(":")[0] for entry in entries if isinstance(entry.event, ModelReplied | ModelFailed))
    left = {role: turns[replied[role] :] for role, turns in SCRIPTS.items()}
    async with stage(models(left), orchestration={"patterns": PATTERNS}) as on:
        for entry in entries:
            on.app.journal.append(entry.run, entry.thread, entry.event)
        answer = await on.app.resume(entries[0].run, options=RunOptions())
        assert {role: len(on.sent(role)) for role in left} == {role: len(turns) for role, turns in left.items()}, "nobody is asked twice"
        return answer, await facts(on.app, answer.run, *KINDS)


def told(events: Sequence[Any]) -> list[tuple[str, str, str]]:
    return sorted((one.kind, getattr(one, "pattern", ""), getattr(one, "key", "")) for one in events)


async def test_a_pattern_goes_on_wherever_it_was_cut() -> None:
    async with stage(models(SCRIPTS), orchestration={"patterns": PATTERNS}) as on:
        answer = await on.app.run("I need add.")
        entries = await on.app.journal.read(run=answer.run)
    outer, inner = answer.document()["patterns"]
    assert (answer.text, outer["status"], inner["status"]) == ("Done.", "answered", "answered")
    assert [one["status"] for one in inner["members"]] == ["answered"] * 3
    assert inner["rolled_back"] == "1-first"
    then = told([entry.event for entry in entries if isinstance(entry.event, KINDS)])
    first = next(place for place, entry in enumerate(entries) if isinstance(entry.event, ModelReplied))
    last = next(place for place, entry in enumerate(entries) if isinstance(entry.event, RunFinished))
    places = [
        place for place in range(first + 1, last + 1) if not isinstance(entries[place - 1].event, FrameKept | ModelAsked | ModelLearned)
    ]
    assert len(places) > 30
    for place in places[::8]:
        again, events = await cut(entries[:place])
        where = f"cut after {place} entries: {entries[place - 1].event}"
        assert again.text == "Done.", where
        assert told(events) == then, where


async def test_after_ctrl_c_a_resumed_run_asks_the_members_that_were_at_work() -> None:
    pattern = {"pattern": "sequential", "models": ["first", "second", "third"]}
    async with stage(models({"arbiter": [], "first": ["One."], "second": [[Say("Tw"), Stall()]], "third": []})) as on:
        work = asyncio.create_task(on.app.run("Count.", options=RunOptions(pattern=pattern)))
        await until(lambda: on.sent("second"))
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        entries = await on.app.journal.read()
    async with stage(models({"arbiter": [], "first": [], "second": ["Two."], "third": ["Three."]})) as on:
        for entry in entries:
            on.app.journal.append(entry.run, entry.thread, entry.event)
        answer = await on.app.resume(entries[0].run, options=RunOptions())
        assert answer.text == "Three."
        assert [len(on.sent(name)) for name in ("first", "second", "third")] == [0, 1, 1]
        assert [one["status"] for one in answer.document()["patterns"][0]["members"]] == ["answered"] * 3
