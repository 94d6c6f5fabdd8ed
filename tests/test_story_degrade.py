"""Stories of calls that would come too late: what `fleet.degrade` does with them, over rehearsal hosts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from placing import USAGE, fleet, hold, send

from mmos.app import Answer
from mmos.config.schema import Step
from mmos.fleet.delay import Delay
from mmos.participant.degrading import choose
from mmos.placement.engine import Engine
from mmos.placement.facts import Call
from mmos.testing import Model, Stage, consult, stage, until

ASK = [{"role": "user", "content": "How?"}]
SCALE = 20.0
LONG = " ".join(f"w{number}" for number in range(300))


def long(name: str) -> Model:
    return Model.scripted(name, [LONG], repeat=True)


@asynccontextmanager
async def busy(
    *, steps: Sequence[str] | None = None, timeout: float | None = 2.0, models: Sequence[str] = ("coding", "spare")
) -> AsyncIterator[Stage]:
    """A host on which the model `coding` has a queue of about ten seconds, and `spare` is in memory."""
    coding: dict[str, Any] = {"model": list(models)}
    if timeout is not None:
        coding["timeout"] = timeout
    changes: dict[str, Any] = {"servers": {"here": {"parallel": 1, "time_scale": SCALE, "vram_gb": 200}}, "specialists": {"coding": coding}}
    if steps is not None:
        changes["fleet"] = {"degrade": list(steps)}
    cast = {"arbiter": [consult("coding"), "Done."], "coding": long("coding"), "spare": long("spare")}
    async with stage(cast, orchestration=changes, parallel=1, time_scale=SCALE, vram_gb=200.0) as on:
        await on.app.fleet.census()
        for model in ("coding", "spare"):
            await on.app.fleet.ask(model, ASK)
        on.host.faults.add("hang", model="coding")
        queue = [asyncio.create_task(on.app.fleet.ask("coding", ASK)) for _ in range(30)]
        await until(lambda: on.host.open)
        try:
            yield on
        finally:
            for call in queue:
                call.cancel()
            await asyncio.gather(*queue, return_exceptions=True)


def coding(answer: Answer) -> list[str]:
    return [use["model"] for use in answer.document()["roles"] if use["role"] == "coding"]


async def test_another_model_in_memory_answers_when_the_first_would_be_too_late() -> None:
    async with busy() as on:
        answer = await on.app.run("How?")
        assert (answer.text, coding(answer)) == ("Done.", ["spare"])
        (warning,) = answer.document()["warnings"]
        assert warning.startswith("coding: spare answers in place of coding. coding would be free in about ")


async def test_without_another_model_the_call_is_refused_with_the_seconds() -> None:
    async with busy(models=["coding"]) as on:
        answer = await on.app.run("How?")
        assert answer.text == "Done."
        said = on.heard("arbiter")[-1]
        assert "coding would be free in about " in said
        assert "and the answer is due in 2 s" in said


async def test_who_has_time_waits() -> None:
    async with busy(timeout=None) as on:
        run = asyncio.create_task(on.app.run("How?"))
        await until(lambda: len(on.sent("arbiter")) == 1)
        await asyncio.sleep(0.3)
        assert (len(on.sent("spare")), run.done()) == (1, False)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)


async def test_without_wait_as_a_step_nobody_waits() -> None:
    async with busy(timeout=None, steps=["same_class"]) as on:
        answer = await on.app.run("How?")
        assert coding(answer) == ["spare"]
    async with busy(timeout=None, steps=["refuse"]) as on:
        await on.app.run("How?")
        assert "coding would be free in about " in on.heard("arbiter")[-1]


FREE, CLOUD, COLD, UNKNOWN = Delay(0.0, loaded=True), Delay(0.0, loaded=True, remote=True), Delay(0.0), Delay(None)
BUSY = Delay(60.0, loaded=True)


@pytest.mark.parametrize(
    ("delays", "steps", "left", "expected"),
    [
        ([FREE, FREE], ["refuse"], 10.0, 0),
        ([UNKNOWN, FREE], ["same_class"], 10.0, 0),
        ([BUSY, FREE], ["wait", "same_class"], 60.0, 0),
        ([BUSY, FREE], ["wait", "same_class"], 10.0, 1),
        ([BUSY, CLOUD, FREE], ["wait", "same_class", "remote"], 10.0, 2),
        ([BUSY, CLOUD, FREE], ["remote", "same_class"], 10.0, 1),
        ([BUSY, CLOUD], ["wait", "same_class", "refuse"], 10.0, None),
        ([BUSY, COLD, UNKNOWN, BUSY], ["wait", "same_class", "remote"], 10.0, 0),
    ],
)
def test_the_first_step_that_is_possible_is_taken(
    delays: Sequence[Delay], steps: Sequence[Step], left: float, expected: int | None
) -> None:
    assert choose(steps, delays, left) == expected


def one_of_two() -> tuple[Engine, int]:
    """A host that holds one of its two models. It has loaded both before, and holds `b`, which works until about 5 seconds."""
    engine = fleet("one")
    for model in "ab":
        engine.upkeep.loaded("one", model, 10.0, 0.0)
    hold(engine, "one", "b", now=1.0)
    engine.submit(Call("busy", ("b",), 1000), 1.0)
    return engine, send(engine.decide(1.0)).attempt


def test_a_model_that_must_be_loaded_waits_for_those_that_must_leave_first() -> None:
    engine, attempt = one_of_two()
    busy = engine.explainer.expected_wait("a", (), 1.0)
    assert busy is not None
    engine.finished(attempt, USAGE, 1.0)
    idle = engine.explainer.expected_wait("a", (), 1.0)
    assert idle is not None
    assert (busy.loaded, idle.loaded, busy.seconds > idle.seconds + 3.0) == (False, False, True)


def test_a_host_that_failed_is_waited_for_until_it_is_asked_again() -> None:
    engine, attempt = one_of_two()
    engine.failed(attempt, "gone", 1.0)
    wait = engine.explainer.expected_wait("b", (), 1.0)
    assert wait is not None
    assert (wait.loaded, wait.seconds > 1.0) == (True, True)
