"""Stories of everything that can go wrong with a host: the run goes on elsewhere, or ends with a reason; nothing hangs, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, get_args

import pytest

import mmos
from mmos.app import RunOptions
from mmos.rehearsal.faults import Kind
from mmos.testing import Call, Host, Model, configuration, serve, until
from tests.leaping import leaping

KINDS = get_args(Kind)
HARMLESS = {"slow", "late", "wrong_vram", "clock_jump", "killed", "truncate"}
"""What delays or deceives, and keeps nobody from an answer: an engine that was killed while idle is loaded anew, too."""

TRIED_AGAIN = {"cut": "stream_cut", "no_done": "stream_cut", "error_line": "runner_crashed", "status": "host_failed", "busy": "host_busy"}
"""What may pass in a moment, with the reason of a run in which it does not: the same host is asked again."""

LEFT = {
    "refuse": "host_unreachable",
    "flapping": "host_unreachable",
    "hang": "host_timeout",
    "stall": "host_timeout",
    "garbage": "host_not_understood",
    "html": "host_unreachable",
    "redirect": "host_not_understood",
    "oom": "out_of_memory",
    "load_stall": "load_failed",
    "deadlock": "host_timeout",
}
"""What would only happen again, or has cost a whole timeout, with its reason: the host is not asked again in the run."""

REASONS = {**TRIED_AGAIN, **LEFT}
ATTEMPTS = 3

OPTIONS: dict[str, dict[str, Any]] = {"late": {"seconds": 0.05}, "slow": {"factor": 2.0}}
PATIENCE = {"connect": 1, "load": 0.4, "first_byte": 0.4, "between_chunks": 0.4}

CONSULT = [Call("consult_coding_specialist", {"query": "How?"}), Call("consult_analysis_specialist", {"query": "What?"})]


def cast() -> dict[str, Model]:
    """The arbiter consults both until it has their answers, on whichever host it is asked: each host counts the turns of its own scripts."""
    turns: dict[str, list[Any]] = {
        "arbiter": [lambda prompt: "Both said so." if prompt.results else CONSULT],
        "coding": ["Thus it is done."],
        "analysis": ["This is meant."],
    }
    return {role: Model.scripted(role, said, repeat=True) for role, said in turns.items()}


@asynccontextmanager
async def fleet(*names: str) -> AsyncIterator[tuple[mmos.App, list[Host]]]:
    hosts = [Host(name, list(cast().values()), parallel=8) for name in names]
    async with AsyncExitStack() as stack:
        urls = {host.name: await stack.enter_async_context(serve(host)) for host in hosts}
        config = configuration(cast(), urls, {"timeouts": PATIENCE})
        yield await stack.enter_async_context(mmos.open(config)), hosts


def asked(host: Host) -> list[str]:
    return [seen.model.partition(":")[0] for seen in host.requests if seen.path == "/api/chat"]


async def at_rest(host: Host) -> None:
    await until(lambda: not host.open)


@pytest.mark.parametrize("kind", KINDS)
@leaping
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
@leaping
async def test_where_no_other_host_is_there_the_run_ends_with_a_reason_and_the_next_one_is_answered(kind: Kind) -> None:
    async with fleet("only") as (app, (only,)):
        only.faults.add(kind, **OPTIONS.get(kind, {}))
        async with asyncio.timeout(60):
            answer = await app.run("Go.", options=RunOptions(timeout=30.0 if kind == "busy" else None))
        if kind in HARMLESS:
            assert (answer.status, answer.text) == ("answered", "Both said so.")
        elif kind == "busy":  # it may pass: the call waits until the time of the run is over
            assert answer.reason is not None
            assert (answer.status, answer.reason.code) == ("failed", "timeout")
            assert "on only (host_busy)" in answer.reason.message
            assert len(asked(only)) > ATTEMPTS
        elif kind != "flapping" or answer.status != "answered":  # one that flaps may be there each time that it is asked
            assert answer.reason is not None
            assert (answer.status, answer.reason.code, answer.exit_code) == ("failed", REASONS[kind], 4)
            assert answer.reason.message.startswith("No host can serve arbiter. ")
            assert len(asked(only)) == (ATTEMPTS if kind in TRIED_AGAIN else 0 if kind in ("refuse", "flapping") else 1)
        only.faults.clear()
        await at_rest(only)
        if kind == "deadlock":  # it outlasts its cause; to unload a model is the rescue
            await app.fleet.host("only").unload("arbiter")
        async with asyncio.timeout(30):
            assert (await app.run("And now?")).text == "Both said so."


PASSING = [kind for kind in KINDS if kind not in ("refuse", "flapping", "wrong_vram", "deadlock")]
"""Those that affect single requests."""


@pytest.mark.parametrize("kind", [kind for kind in PASSING if kind not in LEFT])
@leaping
async def test_a_fault_that_passes_costs_no_answer(kind: Kind) -> None:
    async with fleet("only") as (app, (only,)):
        fault = only.faults.add(kind, times=1, **OPTIONS.get(kind, {}))
        answer = await app.run("Go.")
        assert (answer.status, answer.text) == ("answered", "Both said so.")
        assert fault.hits == 1
        assert len(asked(only)) == (4 if kind in HARMLESS else 5)


@pytest.mark.parametrize("kind", [kind for kind in PASSING if kind in LEFT])
@leaping
async def test_a_fault_that_is_not_worth_another_try_ends_the_run_and_costs_nothing_that_was_done(kind: Kind) -> None:
    async with fleet("only") as (app, (only,)):
        after = 0 if kind in ("oom", "load_stall") else 3  # the last request of the run; what stops a load stops the first one
        fault = only.faults.add(kind, times=1, after=after, **OPTIONS.get(kind, {}))
        answer = await app.run("Go.")
        assert answer.reason is not None
        assert (answer.status, answer.reason.code) == ("partial" if kind == "stall" else "failed", REASONS[kind])
        assert len(asked(only)) == after + 1
        answer = await app.resume(answer.run)
        assert (answer.status, answer.text) == ("answered", "Both said so.")
        assert fault.hits == 1
        assert sorted(asked(only)) == ["analysis", "arbiter", "arbiter", "arbiter", "coding"]


@pytest.mark.parametrize("kind", KINDS)
@leaping
async def test_a_run_that_is_cancelled_in_the_middle_of_a_fault_leaves_nothing_open(kind: Kind) -> None:
    async with fleet("only") as (app, (only,)):
        only.faults.add(kind, **OPTIONS.get(kind, {}))
        run = asyncio.create_task(app.run("Go."))
        await until(lambda: only.requests.total or kind in ("refuse", "flapping"))
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        only.faults.clear()
        await at_rest(only)
