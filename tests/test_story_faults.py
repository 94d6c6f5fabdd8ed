"""Stories of everything that can go wrong with a host: the run goes on elsewhere, or ends with a reason; nothing hangs, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, get_args

import pytest

import mmos
from mmos.rehearsal.faults import Kind
from mmos.testing import Call, Host, Model, configuration, serve
from mmos.views.document import LIMITS, UNSERVED

KINDS = get_args(Kind)
HARMLESS = {"slow", "late", "wrong_vram", "clock_jump", "killed"}
"""What delays or deceives, and keeps nobody from an answer: an engine that was killed while idle is loaded anew, too."""

OPTIONS: dict[str, dict[str, Any]] = {"late": {"seconds": 0.05}, "slow": {"factor": 2.0}}
PATIENCE = {"connect": 1, "load": 0.4, "first_byte": 0.4, "between_chunks": 0.4}

CONSULT = [Call("consult_coding_specialist", {"query": "How?"}), Call("consult_analysis_specialist", {"query": "What?"})]


def cast() -> dict[str, Model]:
    turns = {"arbiter": [CONSULT, "Both said so."], "coding": ["Thus it is done."], "analysis": ["This is meant."]}
    return {role: Model.scripted(role, said, repeat=True) for role, said in turns.items()}


@asynccontextmanager
async def fleet(*names: str) -> AsyncIterator[tuple[mmos.App, list[Host]]]:
    hosts = [Host(name, list(cast().values()), parallel=8) for name in names]
    async with AsyncExitStack() as stack:
        urls = {host.name: await stack.enter_async_context(serve(host)) for host in hosts}
        config = configuration(cast(), urls, {"timeouts": PATIENCE})
        yield await stack.enter_async_context(mmos.open(config)), hosts


async def at_rest(host: Host) -> None:
    async with asyncio.timeout(10):
        while host.open:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", KINDS)
async def test_where_another_host_has_the_models_the_run_goes_on_there(kind: Kind) -> None:
    async with fleet("ill", "well") as (app, (ill, well)):
        ill.faults.add(kind, **OPTIONS.get(kind, {}))
        async with asyncio.timeout(40):
            answer = await app.run("Go.")
        assert (answer.status, answer.text) == ("answered", "Both said so.")
        assert answer.usage["model_calls"] == 4
        ill.faults.clear()
        await at_rest(ill)
        await at_rest(well)


@pytest.mark.parametrize("kind", KINDS)
async def test_where_no_other_host_is_there_the_run_ends_with_a_reason_and_the_next_one_is_answered(kind: Kind) -> None:
    async with fleet("only") as (app, (only,)):
        only.faults.add(kind, **OPTIONS.get(kind, {}))
        async with asyncio.timeout(60):
            answer = await app.run("Go.")
        if kind in HARMLESS:
            assert (answer.status, answer.text) == ("answered", "Both said so.")
        elif kind != "flapping" or answer.status != "answered":  # one that flaps may be there each time that it is asked
            assert answer.status in ("failed", "partial")
            assert answer.reason is not None
            assert answer.reason.code in UNSERVED | LIMITS
            assert answer.exit_code in (4, 5)
            assert answer.reason.message
        only.faults.clear()
        await at_rest(only)
        if kind == "deadlock":  # it outlasts its cause; to unload a model is the rescue
            await app.fleet.host("only").unload("arbiter")
        async with asyncio.timeout(30):
            assert (await app.run("And now?")).text == "Both said so."


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("refuse", "flapping", "wrong_vram", "deadlock")])
async def test_a_fault_that_passes_costs_no_answer(kind: Kind) -> None:
    async with fleet("only") as (app, (only,)):
        only.faults.add(kind, times=1, **OPTIONS.get(kind, {}))
        async with asyncio.timeout(60):
            answer = await app.run("Go.")
            if answer.status != "answered":  # not every fault is worth trying again; going on with the run always is
                answer = await app.resume(answer.run)
        assert (answer.status, answer.text) == ("answered", "Both said so.")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_run_that_is_cancelled_in_the_middle_of_a_fault_leaves_nothing_open(kind: Kind) -> None:
    async with fleet("only") as (app, (only,)):
        only.faults.add(kind, **OPTIONS.get(kind, {}))
        run = asyncio.create_task(app.run("Go."))
        async with asyncio.timeout(10):
            while not only.requests.total and kind not in ("refuse", "flapping"):
                await asyncio.sleep(0.005)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        only.faults.clear()
        await at_rest(only)
