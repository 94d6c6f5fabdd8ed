"""A run that is killed between two calls goes on without a question: what has finished is in the journal before the next step begins."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import mmos
from mmos.app.answer import Answer
from mmos.events import LaneOpened, RunStarted
from mmos.journal import Journal, new_id
from mmos.messages import Message
from mmos.testing import Call, Host, Model, Turn, configuration, consult, serve, stage
from tests.killed_run import deposit_to
from tests.shell import finish, shell

TURNS = [*(Call("deposit", {"number": number}) for number in range(1, 11)), "All ten."]


async def killed(folder: Path, roles: Mapping[str, Sequence[Turn]], *, after: int) -> tuple[Answer, Host]:
    """A run whose process is killed when this many requests have their replies and the next one has gone out. It is then resumed."""
    models = {role: Model.scripted(role, turns) for role, turns in roles.items()}
    host = Host("here", list(models.values()))
    async with serve(host) as url:
        config = folder / "orchestration.yaml"
        config.write_text(json.dumps(configuration(models, {"here": url}, {"fleet": {"warm_up": False}})))
        hang = host.faults.add("hang", after=after)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.killed_run", str(config), str(folder / "state"), str(folder / "ledger")
        )
        async with asyncio.timeout(60):
            while sum(seen.path == "/api/chat" for seen in host.requests) <= after:
                assert process.returncode is None
                await asyncio.sleep(0.001)  # the next request has gone out: the process builds on what has finished
        process.kill()
        await process.wait()
        host.faults.remove(hang)
        async with mmos.open(str(config), state=folder / "state", tools=[deposit_to(folder / "ledger")]) as app:
            [run] = {entry.run for entry in await app.journal.read(kinds=("run_started",))}
            return await app.resume(run), host


@pytest.mark.parametrize("finished", [1, 4, 10])
async def test_a_kill_between_two_calls_asks_nobody_and_repeats_nothing(tmp_path: Path, finished: int) -> None:
    answer, _ = await killed(tmp_path, {"arbiter": TURNS}, after=finished)
    assert (answer.status, answer.text, answer.view.questions) == ("answered", "All ten.", {})
    assert (tmp_path / "ledger").read_text().split() == [str(number) for number in range(1, 11)]


async def test_a_consultation_that_the_next_request_builds_on_is_not_asked_again(tmp_path: Path) -> None:
    roles = {"arbiter": [consult("coding"), "Both say so."], "coding": ["It is so."]}
    answer, host = await killed(tmp_path, roles, after=2)
    assert (answer.status, answer.text) == ("answered", "Both say so.")
    assert len(host.requests.to("/api/chat", "coding:latest")) + len(host.requests.to("/api/chat", "coding")) == 1


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="it reads which file is flushed from /proc")
async def test_the_disk_has_the_intent_before_a_call_with_effects_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    at_the_effect: list[list[str]] = []

    def deposit() -> str:
        at_the_effect.append([*flushed])
        return "deposited"

    @mmos.tool(after_crash="repeat")
    def look() -> str:
        return f"{len(flushed)} flushed"

    turns = [Call("look"), Call("deposit"), Call("deposit"), "Done."]
    async with stage({"arbiter": turns}, tools=[deposit, look], state=tmp_path / "state") as on:
        answer = await on.app.run("Go.")
        looked, *_ = on.heard("arbiter")[1:]
    assert (answer.text, looked) == ("Done.", "0 flushed")
    assert at_the_effect == [["journal.db-wal", "state"], ["journal.db-wal", "state", "journal.db-wal"]]


async def test_of_two_that_resume_a_run_at_once_one_wins_and_the_other_is_told(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["Painted."]}) as home:
        run, thread = new_id(), new_id()
        async with await Journal.open(tmp_path / ".mmos") as journal:
            journal.append(run, thread, RunStarted("Paint it.", journal.process, str(tmp_path / "orchestration.yaml")))
            journal.append(run, thread, LaneOpened("arbiter", "arbiter", Message("user", "Paint it.")))
        slow = home.on.host.faults.add("slow", seconds=1.0)
        both = [await home.start("runs", "resume", run) for _ in range(2)]
        ended = [await finish(process) for process in both]
        home.on.host.faults.remove(slow)
        won, lost = sorted(ended, key=lambda one: one.code)
        assert (won.code, won.out, lost.code) == (0, "Painted.\n", 2)
        assert "still at work in another process" in lost.err or "already has an answer" in lost.err
        assert len(home.on.sent("arbiter")) == 1
