"""Stories of `fleet.quotas`: roles and threads that have used their GPU-seconds, over rehearsal hosts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from placing import GIB, USAGE, fleet, load, send, sent

import mmos
from mmos.cli.work import expectation
from mmos.errors import ConfigError
from mmos.placement.facts import Call, Limit
from mmos.placement.quotas import EACH_THREAD, HOUR, Quota, Quotas
from mmos.scope import Hint
from mmos.testing import Model, Stage, consult, stage, until

LITTLE = 0.001
"""The first call uses more."""


def roles() -> dict[str, Any]:
    return {
        "arbiter": Model.scripted("arbiter", [consult("coding"), "Done."], repeat=True),
        "coding": Model.scripted("coding", ["So."], repeat=True),
    }


def quota(name: str, beyond: str, seconds: float = LITTLE) -> dict[str, Any]:
    return {"fleet": {"quotas": {name: {"gpu_seconds_per_hour": seconds, "beyond": beyond}}}}


async def test_a_role_beyond_its_quota_is_refused_with_the_time(tmp_path: Path) -> None:
    async with stage(roles(), orchestration=quota("coding", "refuse"), state=tmp_path) as on:
        await on.app.run("How?")
        assert on.heard("arbiter")[-1].find("So.") >= 0
        await on.app.run("And now?")
        assert "coding: coding has used " in on.heard("arbiter")[-1]
        assert "of 0.001 GPU-seconds an hour, and gets more in about 60 min." in on.heard("arbiter")[-1]
        assert len(on.sent("coding")) == 1
    async with stage(roles(), orchestration=quota("coding", "refuse"), state=tmp_path) as on:  # another process
        await on.app.run("And then?")
        assert on.sent("coding") == []


async def test_a_quota_that_is_not_used_up_changes_nothing() -> None:
    async with stage(roles(), orchestration=quota("coding", "refuse", 1000.0)) as on:
        for _ in range(3):
            answer = await on.app.run("How?")
        assert (len(on.sent("coding")), answer.document()["warnings"]) == (3, [])


async def test_a_call_beyond_its_quota_waits_behind_the_others() -> None:
    async with stage(roles(), orchestration={**quota("coding", "wait"), "servers": {"here": {"parallel": 1}}}) as on:
        ask = on.app.fleet.ask
        await on.app.run("How?")
        on.host.faults.add("late", model="coding", times=2, seconds=0.5)
        busy = [asyncio.create_task(ask("coding", [{"role": "user", "content": "busy"}], num_ctx=8192)) for _ in range(2)]
        await until(lambda: len(on.sent("coding")) == 3)
        run = asyncio.create_task(on.app.run("And now?"))
        await until(lambda: len(on.sent("arbiter")) == 3)
        await asyncio.sleep(0.1)
        other = asyncio.create_task(ask("coding", [{"role": "user", "content": "other"}], num_ctx=8192))
        answer, *_ = await asyncio.gather(run, other, *busy)
        assert [text if text in ("busy", "other") else "beyond" for text in on.heard("coding")[1:]] == ["busy", "busy", "other", "beyond"]
        assert answer.document()["warnings"][0].startswith("coding: its calls wait behind all others. coding has used ")


async def test_a_quota_of_a_role_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"'codng' is no role, allowed: .*did you mean 'coding'"):
        async with stage(roles(), orchestration=quota("codng", "wait")):
            raise AssertionError


def test_each_thread_has_a_quota_of_its_own_and_the_hour_moves_on() -> None:
    quotas = Quotas({EACH_THREAD: Quota(10.0), "coding": Quota(15.0, refuses=True)})
    quotas.spend("coding", "one", 8.0, 0.0)
    quotas.spend("coding", "one", 4.0, 100.0)
    excess = quotas.excess("coding", "one", 200.0)
    assert excess is not None
    assert (excess.name, excess.used, excess.frees_in) == (EACH_THREAD, 12.0, HOUR - 200.0)
    assert quotas.excess("coding", "two", 200.0) is None
    quotas.spend("coding", "two", 3.0, 200.0)
    refused = quotas.excess("coding", "one", 300.0)
    assert refused is not None
    assert (refused.name, refused.quota.refuses) == ("coding", True)
    assert quotas.excess("coding", "one", HOUR + 1.0) is None


# ---------------------------------------------------------------- what is used at once


def pair(*, runs: int = 1) -> dict[str, Any]:
    both = [consult("coding"), consult("analysis")]
    return {
        "arbiter": Model.scripted("arbiter", [*[both] * runs, "Done."], size=6 * GIB),
        "coding": Model.scripted("coding", ["So."], repeat=True, size=6 * GIB),
        "analysis": Model.scripted("analysis", ["Thus."], repeat=True, size=6 * GIB),
    }


def at_once(name: str, **share: Any) -> dict[str, Any]:
    return {"fleet": {"quotas": {name: share}}, "servers": {"here": {"vram_gb": 100}}}


async def warm(on: Stage) -> None:
    await on.app.fleet.census()
    for model in ("coding", "analysis"):
        await on.app.fleet.ask(model, [{"role": "user", "content": "busy"}], num_ctx=8192)


def asked(on: Stage) -> int:
    """How often the run's specialists were asked."""
    return sum(text != "busy" for model in ("coding", "analysis") for text in on.heard(model))


@pytest.mark.parametrize(("quota", "most"), [({"models": 1}, 1), ({"models": 2}, 2), ({"vram_percent": 20}, 1), ({"vram_percent": 50}, 2)])
async def test_a_thread_has_at_most_so_many_models_at_work(quota: dict[str, Any], most: int) -> None:
    async with stage(pair(runs=2), orchestration=at_once("each_thread", **quota), vram_gb=100.0) as on:
        await warm(on)
        late = [on.host.faults.add("hang", model=model) for model in ("coding", "analysis")]
        run = asyncio.create_task(on.app.run("How?"))
        await until(lambda: asked(on) == most)
        await asyncio.sleep(0.1)
        assert asked(on) == most
        other = asyncio.create_task(on.app.run("And you?"))  # another thread has a quota of its own
        await until(lambda: asked(on) == 2 * most)
        for fault in late:
            on.host.faults.remove(fault)
        run.cancel()
        other.cancel()
        await asyncio.gather(run, other, return_exceptions=True)
    async with stage(pair(), orchestration=at_once("each_thread", **quota), vram_gb=100.0) as on:
        answer = await on.app.run("How?")
        assert (answer.text, len(on.sent("coding")), len(on.sent("analysis"))) == ("Done.", 1, 1), "nothing is lost"


async def test_who_waits_for_the_quota_is_told_what_is_used() -> None:
    told: list[str] = []

    def hear(hint: Hint) -> None:
        if hint.kind == "waiting" and hint.outlook is not None:
            told.append(expectation(hint.outlook))

    async with stage(pair(), orchestration=at_once("each_thread", models=1)) as on:
        on.host.faults.add("hang", model="coding")
        run = asyncio.create_task(on.app.run("How?", watch=mmos.Watch(on_hint=hear)))
        await until(lambda: any(text.startswith("waits for its quota") for text in told))
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
    assert told[-1] == "waits for its quota: this thread uses 1 of 1 models at once: coding:latest on here"


async def test_a_call_beyond_what_may_be_used_at_once_is_refused() -> None:
    async with stage(pair(), orchestration=at_once("each_thread", models=1, beyond="refuse")) as on:
        on.host.faults.add("late", model="coding", seconds=0.3)
        answer = await on.app.run("How?")
        said = "".join(message["content"] for message in on.sent("arbiter")[-1]["messages"] if message["role"] == "tool")
        assert "analysis has to wait for its quota: this thread uses 1 of 1 models at once: coding:latest on here." in said
        assert (answer.text, len(on.sent("analysis"))) == ("Done.", 0)


async def test_a_model_that_never_fits_into_its_quota_is_refused_although_it_may_wait() -> None:
    async with stage(pair(), orchestration=at_once("coding", vram_percent=0.1), vram_gb=100.0) as on:
        await on.app.run("How?")
        said = "".join(message["content"] for message in on.sent("arbiter")[-1]["messages"] if message["role"] == "tool")
        assert "coding may use 0.1 GB of the hosts' memory" in said
        assert (len(on.sent("coding")), len(on.sent("analysis"))) == (0, 1)


async def test_a_quota_that_limits_nothing_is_an_error() -> None:
    with pytest.raises(ConfigError, match="the quota limits nothing; give it one of: gpu_seconds_per_hour, models, vram_percent"):
        async with stage(roles(), orchestration={"fleet": {"quotas": {"coding": {"beyond": "wait"}}}}):
            raise AssertionError


def test_a_role_loads_one_model_after_the_other_when_it_may_have_one() -> None:
    limits = (Limit("coding", "coding", models=1),)
    engine = fleet("one", "two")
    engine.submit(Call("first", ("a",), 1000, hosts=("one",), limits=limits), 0.0)
    engine.submit(Call("second", ("b",), 1000, hosts=("two",), limits=limits), 0.0)
    engine.submit(Call("other", ("b",), 1000, hosts=("two",)), 0.0)
    made_first = load(engine, engine.decide(0.0), 10.0)
    assert sent(made_first) == [("first", "one")]
    made = load(engine, engine.decide(11.0), 20.0)
    assert sent(made) == [("other", "two")], "the load for another owner is not for it"
    engine.finished(send(made_first).attempt, USAGE, 25.0)
    assert sent(engine.decide(25.0)) == [("second", "two")]
