"""Stories of `fleet.quotas`: roles and threads that have used their GPU-seconds, over rehearsal hosts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mmos.errors import ConfigError
from mmos.placement.quotas import EACH_THREAD, HOUR, Quota, Quotas
from mmos.testing import Model, consult, stage, until

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
