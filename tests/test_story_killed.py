"""A run that is killed between two calls goes on without a question: what has finished is in the journal before the next step begins."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

import mmos
from mmos.testing import Call, Host, Model, configuration, serve
from tests.killed_run import deposit_to

TURNS = [*(Call("deposit", {"number": number}) for number in range(1, 11)), "All ten."]


@pytest.mark.parametrize("finished", [1, 4, 10])
async def test_a_kill_between_two_calls_asks_nobody_and_repeats_nothing(tmp_path: Path, finished: int) -> None:
    models = {"arbiter": Model.scripted("arbiter", TURNS)}
    host, ledger = Host("here", list(models.values())), tmp_path / "ledger"
    async with serve(host) as url:
        config = tmp_path / "orchestration.yaml"
        config.write_text(json.dumps(configuration(models, {"here": url}, {})))
        hang = host.faults.add("hang", after=finished)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.killed_run", str(config), str(tmp_path / "state"), str(ledger)
        )
        async with asyncio.timeout(60):
            while sum(seen.path == "/api/chat" for seen in host.requests) <= finished:
                assert process.returncode is None
                await asyncio.sleep(0.001)  # the next request has gone out: the process builds on what has finished
        process.kill()
        await process.wait()
        host.faults.remove(hang)
        async with mmos.open(str(config), state=tmp_path / "state", tools=[deposit_to(ledger)]) as app:
            [run] = {entry.run for entry in await app.journal.read(kinds=("run_started",))}
            answer = await app.resume(run)
    assert (answer.status, answer.text, answer.view.questions) == ("answered", "All ten.", {})
    assert ledger.read_text().split() == [str(number) for number in range(1, 11)]
