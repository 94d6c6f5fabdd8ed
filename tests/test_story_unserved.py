"""Stories of roles that nobody can serve: scripts read of it in the document and on stderr, and no run waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.app import RunOptions
from mmos.testing import Call, Host, Model, configuration, serve
from tests.shell import shell
from tests.wire import HANG, serving

CONSULT = [Call("consult_coding_specialist", {"query": "How?"})]
DEAD = "http://127.0.0.1:9"
GONE = (
    "coding (nope) cannot be asked: here does not have nope. It has: arbiter:latest, coding:latest. Fetch it with `mmos models pull nope`"
)


def cast() -> dict[str, Model]:
    return {"arbiter": Model.scripted("arbiter", ["Hi."], repeat=True), "coding": Model.scripted("coding", ["So."], repeat=True)}


@asynccontextmanager
async def opened(changes: Mapping[str, Any]) -> AsyncIterator[tuple[mmos.App, Host]]:
    here = Host("here", list(cast().values()), parallel=8)
    async with AsyncExitStack() as stack:
        config = configuration(cast(), {"here": await stack.enter_async_context(serve(here))}, changes)
        yield await stack.enter_async_context(mmos.open(config)), here


def lists(host: Host) -> int:
    return len(host.requests.to("/api/tags"))


async def test_a_script_reads_of_a_model_that_is_not_there(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["Hi.", "Hi."], "coding": ["So."]}) as at:
        plain = await at.mmos("run", "--role", "coding=nope", "hi")
        assert (plain.code, plain.out) == (0, "Hi.\n")
        assert f"mmos: warning: {GONE}" in plain.err
        told = (await at.mmos("run", "--json", "--role", "coding=nope", "hi")).document
        assert told["status"] == "answered"
        (warning,) = told["warnings"]
        assert warning.startswith(GONE)
        shown = await at.mmos("runs", "show", told["run"])
        assert "nope" in shown.out


async def test_roles_on_a_dead_host_are_one_warning() -> None:
    dead = {"server": "gone"}
    roles = {"coding": dead, "reasoning": {"model": "arbiter", **dead}}
    async with opened({"servers": {"gone": {"url": DEAD}}, "specialists": roles}) as (app, _):
        answer = await app.run("hi")
        (warning,) = answer.document()["warnings"]
        assert warning.startswith("coding (coding) and reasoning (arbiter) cannot be asked: ")
        assert DEAD in warning
        (missing,) = await app.unserved()
        assert (missing.roles, missing.text) == (("coding=coding", "reasoning=arbiter"), warning)


async def test_the_hosts_are_asked_once_and_every_run_says_what_is_missing() -> None:
    async with opened({}) as (app, here):
        await app.run("hi")
        before = lists(here)
        options = RunOptions(roles={"coding": "nope"})
        answers = [await app.run("hi", options=options) for _ in range(20)]
        assert all(answer.document()["warnings"][0].startswith(GONE) for answer in answers)
        assert (before, lists(here)) == (1, 1)
        assert (await app.run("hi")).document()["warnings"] == []


async def test_runs_side_by_side_share_the_question() -> None:
    async with opened({"specialists": {"coding": {"model": "nope"}}}) as (app, here):
        answers = await asyncio.gather(*(app.run("hi") for _ in range(10)))
        assert all(len(answer.document()["warnings"]) == 1 for answer in answers)
        assert lists(here) == 1


async def test_a_consultation_that_fails_warns_with_the_role_the_model_the_host_and_what_helps(tmp_path: Path) -> None:
    roles = {"arbiter": [CONSULT, "Without him."], "coding": ["So."]}
    async with shell(tmp_path, roles, orchestration={"specialists": {"coding": {"model": "nope"}}}) as at:
        told = (await at.mmos("run", "--json", "hi")).document
        assert (told["answer"], told["tools"][0]["failed"]) == ("Without him.", 1)
        (warning,) = told["warnings"]
        for part in ("coding", "nope", "here", "mmos models pull nope", "ollama pull nope"):
            assert part in warning


async def test_a_host_that_stops_answering_in_the_middle_is_told_once(tmp_path: Path) -> None:
    twice = [Call("consult_coding_specialist", {"query": "How?"}), Call("consult_coding_specialist", {"query": "And how else?"})]
    async with shell(tmp_path, {"arbiter": [twice, "Without him."], "coding": ["So."]}) as at:
        at.on.host.faults.add("status", status=500, error="CUDA error", model="coding")
        told = (await at.mmos("run", "--json", "hi")).document
        (warning,) = told["warnings"]
        assert warning.startswith("coding gave no answer: ")
        assert "here" in warning


async def test_where_another_host_serves_the_role_nothing_is_missing() -> None:
    elsewhere = {"server": ["gone", "here"]}
    async with opened({"servers": {"gone": {"url": DEAD}}, "specialists": {"coding": elsewhere}}) as (app, _):
        assert (await app.run("hi")).document()["warnings"] == []


async def test_a_host_that_hangs_delays_no_run() -> None:
    async with serving((HANG,), (HANG,)) as wire:
        async with opened({"servers": {"stuck": {"url": wire.url}}, "specialists": {"coding": {"server": "stuck"}}}) as (app, _):
            begun = time.monotonic()
            answer = await app.run("hi")
            assert time.monotonic() - begun < 2.0
        assert time.monotonic() - begun < 3.0
    assert (answer.status, answer.document()["warnings"]) == ("answered", [])


async def test_a_server_that_need_not_list_its_models_is_not_suspected() -> None:
    other = Host("other", [Model.scripted("named", ["So."])])
    async with serve(other) as url:
        changes = {
            "servers": {"other": {"url": f"{url}/v1", "kind": "openai"}},
            "specialists": {"coding": {"model": "alias", "server": "other"}},
        }
        async with opened(changes) as (app, _):
            assert (await app.run("hi")).document()["warnings"] == []


@pytest.mark.parametrize("model", ["nope", "arbiter"])
async def test_a_model_that_is_fetched_is_missed_no_longer(model: str) -> None:
    async with opened({"specialists": {"coding": {"model": model}}}) as (app, here):
        missing = await app.unserved()
        here.installed["nope:latest"] = Model.scripted("nope", [])
        assert (bool(missing), await app.unserved()) == (model == "nope", [])
