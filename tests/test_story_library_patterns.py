"""Patterns that read the library: the task is looked up once, and every member reads the same passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mmos import RunOptions
from mmos.library_events import PassagesFound
from mmos.testing import Call, Stage, facts, stage
from tests.shelves import filled

TASK = "How long may a host take to load a model?"
LIMIT = "A host may take 90 seconds to load a model."
ROOM = "A model needs 4 gigabytes of video memory."
SEEN = f"[1] limits.md:0-{len(LIMIT)}\n<<<\n{LIMIT}\n>>>"
MEMBERS = [{"role": "coding"}, {"role": "analysis"}]
RAG = {"collection": "docs", "similarity_threshold": 0.0, "top_k": 1}
SAID = {"coding": ["90 seconds [1]."] * 3, "analysis": ["It may take 90 seconds [1]."] * 3, "arbiter": ["90 seconds [1]"] * 3}


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    return await filled(tmp_path / "state", docs={"limits.md": LIMIT, "room.md": ROOM}, other={"other.md": f"Elsewhere. {LIMIT}"})


def reading(**pattern: Any) -> dict[str, Any]:
    return {"patterns": {"ask": {"pattern": "ensemble", "models": MEMBERS, "rag": RAG, **pattern}}}


def prompts(on: Stage, *roles: str) -> list[str]:
    """All prompts of these roles, each as one text."""
    return ["\n".join(message["content"] for message in body["messages"]) for role in roles for body in on.sent(role)]


async def found(on: Stage, run: str) -> Sequence[PassagesFound]:
    return await facts(on.app, run, PassagesFound)


@pytest.mark.parametrize(
    "keys",
    [
        {"pattern": "sequential"},
        {"pattern": "ensemble"},
        {"pattern": "ensemble", "aggregate": "best"},
        {"pattern": "voting", "voting": "majority"},
        {"pattern": "parallel", "models": [{"role": "coding", "task": "speed"}, {"role": "analysis", "task": "style"}]},
    ],
    ids=["sequential", "ensemble", "best", "voting", "parallel"],
)
async def test_every_member_reads_what_was_found_once(state: Path, keys: Mapping[str, Any]) -> None:
    async with stage(SAID, state=state, orchestration=reading(**keys)) as on:
        answer = await on.app.run(TASK, options=RunOptions(pattern="ask"))
        assert answer.status == "answered"
        (event,) = await found(on, answer.run)
        assert (event.by, event.query, event.collection, event.place) == ("pattern", TASK, "docs", "model/pattern")
        seen = prompts(on, "coding", "analysis")
        assert len(seen) >= 2
        assert all(SEEN in prompt for prompt in seen)
        document = answer.document()
        assert document["sources"] == [
            {"collection": "docs", "source": "limits.md", "start": 0, "end": len(LIMIT), "number": 1, "cited": True}
        ]
        assert document["patterns"][0]["rag"] == {"collection": "docs", "passages": 1}


async def test_the_member_that_fits_the_task_reads_them(state: Path) -> None:
    keys = reading(pattern="specialized")
    async with stage(SAID, state=state, orchestration=keys) as on:
        answer = await on.app.run(TASK, options=RunOptions(pattern="ask"))
        assert answer.status == "answered"
        assert SEEN in prompts(on, "coding", "analysis")[0]


async def test_a_model_that_calls_a_pattern_does_not_read_them(state: Path) -> None:
    script = {**SAID, "arbiter": [Call("run_pattern", {"pattern": "ask", "task": TASK}), "90 seconds."]}
    async with stage(script, state=state, orchestration=reading()) as on:
        answer = await on.app.run("Ask the others about hosts.")
        assert answer.status == "answered"
        (event,) = [one for one in await found(on, answer.run) if one.by == "pattern"]
        assert event.query == TASK
        assert all(SEEN in prompt for prompt in prompts(on, "coding", "analysis"))
        assert not any(SEEN in prompt for prompt in prompts(on, "arbiter"))


async def test_a_pattern_in_a_pattern_reads_with_the_one_around(state: Path) -> None:
    inner = {"pattern": "sequential", "models": [{"role": "analysis"}]}
    keys = reading(pattern="sequential", models=[{"role": "coding"}, {"model": "pattern:inner"}])
    keys["patterns"]["inner"] = inner
    async with stage(SAID, state=state, orchestration=keys) as on:
        answer = await on.app.run(TASK, options=RunOptions(pattern="ask"))
        assert len(await found(on, answer.run)) == 1
        assert all(SEEN in prompt for prompt in prompts(on, "coding", "analysis"))


async def test_a_pattern_in_a_pattern_looks_up_the_task_and_not_what_others_wrote(state: Path) -> None:
    inner = {"pattern": "sequential", "models": [{"role": "analysis"}], "rag": RAG}
    keys = {"patterns": {"outer": {"pattern": "sequential", "models": [{"role": "coding"}, {"model": "pattern:inner"}]}, "inner": inner}}
    async with stage({**SAID, "coding": ["It takes ages."]}, state=state, orchestration=keys) as on:
        answer = await on.app.run(TASK, options=RunOptions(pattern="outer"))
        (event,) = await found(on, answer.run)
        assert event.query == TASK
        assert (SEEN in prompts(on, "coding")[0], SEEN in prompts(on, "analysis")[0]) == (False, True)


async def test_the_acting_model_reads_what_its_advisers_read(state: Path) -> None:
    keys = reading(advise=True)
    async with stage(SAID, state=state, orchestration={**keys, "arbiter": {"model": ["pattern:ask"]}}) as on:
        answer = await on.app.run(TASK)
        assert answer.status == "answered"
        assert len(await found(on, answer.run)) == 1
        assert all(SEEN in prompt for prompt in prompts(on, "coding", "analysis"))


async def test_what_was_said_before_is_not_looked_up(state: Path) -> None:
    async with stage({**SAID, "coding": ["one"] * 4}, state=state, orchestration=reading()) as on:
        await on.app.run("Cats sleep.", thread="t", options=RunOptions(pattern="ask"))
        answer = await on.app.run(TASK, thread="t", options=RunOptions(pattern="ask"))
        (event,) = await found(on, answer.run)
        assert event.query == TASK


async def test_a_run_may_give_passages_to_a_pattern_that_reads_none(state: Path) -> None:
    async with stage(SAID, state=state, orchestration=reading(rag=None)) as on:
        answer = await on.app.run(TASK, options=RunOptions(pattern="ask", rag_collection="other"))
        (event,) = await found(on, answer.run)
        assert (event.by, event.collection) == ("task", "other")
        assert all("Elsewhere." in prompt for prompt in prompts(on, "coding", "analysis"))


async def test_options_of_a_run_change_what_a_pattern_reads(state: Path) -> None:
    async with stage(SAID, state=state, orchestration=reading()) as on:
        answer = await on.app.run(TASK, options=RunOptions(pattern="ask", rag_collection="other"))
        (event,) = await found(on, answer.run)
        assert (event.collection, len(event.passages)) == ("other", 1)
        assert all("Elsewhere." in prompt and LIMIT in prompt for prompt in prompts(on, "coding", "analysis"))
        more = await on.app.run(TASK, options=RunOptions(pattern="ask", rag_top_k=2))
        (event,) = await found(on, more.run)
        assert (event.collection, len(event.passages)) == ("docs", 2)


async def test_a_run_may_turn_it_off(state: Path) -> None:
    async with stage(SAID, state=state, orchestration=reading()) as on:
        answer = await on.app.run(TASK, options=RunOptions(pattern="ask", rag=False))
        assert not await found(on, answer.run)
        assert answer.document()["patterns"][0]["rag"] is None


async def test_without_the_collection_the_pattern_goes_on_and_says_so(state: Path) -> None:
    async with stage(SAID, state=state, orchestration=reading(rag={"collection": "missing"})) as on:
        answer = await on.app.run(TASK, options=RunOptions(pattern="ask"))
        assert answer.status == "answered"
        warning, cited = answer.view.warnings
        assert cited == "The answer cites [1], but no passage was given."
        assert warning.startswith("The pattern ask is without passages of the library. There is no collection 'missing'.")
        assert not any("The collection" in prompt for prompt in prompts(on, "coding", "analysis"))


async def test_a_run_without_a_state_folder_has_no_library() -> None:
    async with stage(SAID, orchestration=reading()) as on:
        answer = await on.app.run(TASK, options=RunOptions(pattern="ask"))
        assert answer.status == "answered"
        assert "no library" in answer.view.warnings[0]


async def test_the_arbiter_knows_which_pattern_reads_documents(state: Path) -> None:
    script = {**SAID, "arbiter": ["Hello."]}
    keys = reading(description="Knows hosts.")
    keys["patterns"]["plain"] = {"pattern": "sequential", "models": MEMBERS}
    async with stage(script, state=state, orchestration=keys) as on:
        await on.app.run("Hello.")
        (tool,) = [one["function"] for one in on.sent("arbiter")[0]["tools"] if one["function"]["name"] == "run_pattern"]
        assert "ask: Knows hosts.; its members read the documents in docs; plain: sequential with 2 models" in tool["description"]
