"""Cancelling runs from another process: every request is closed, what is there is kept, and the run can go on later."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.app.cancelling import LOOK_EVERY
from mmos.errors import StateFull
from mmos.events import Entry, RunResumed, RunStarted
from mmos.journal import Journal, new_id
from mmos.testing import Call, consult, stage, until
from tests.shell import Shell, finish, shell
from tests.terminal import CTRL_D, terminal

ESCALATE = Call("escalate_to_user", {"question": "Which one?"})
FAMILY = {"arbiter": [[consult("coding"), consult("analysis")], "Both."], "coding": [consult("analysis"), "A."], "analysis": ["B.", "C."]}
CONSULTING = {"specialists": {"coding": {"tools": ["consult_analysis_specialist"]}}}


async def listed(at: Shell) -> list[dict[str, Any]]:
    return (await at.mmos("runs", "list", "--json")).document["runs"]


async def only_run(at: Shell) -> str:
    (row,) = await listed(at)
    return row["run"]


async def cancelled(at: Shell, run: str, *more: str) -> dict[str, Any]:
    ended = await at.mmos("runs", "cancel", run, "--json", *more)
    (row,) = ended.document["runs"]
    assert ended.code == row["exit_code"]
    return row


async def test_a_run_of_another_process_stops_with_every_grandchild_and_its_process_says_who_did_it(tmp_path: Path) -> None:
    async with shell(tmp_path, FAMILY, orchestration=CONSULTING) as at:
        at.on.host.faults.add("hang", model="analysis")
        running = await at.start("run", "Go.", "--json")
        await until(lambda: len(at.on.sent("analysis")) == 2)  # one of the arbiter, and one of the coding specialist
        assert at.on.host.open
        run = await only_run(at)
        told = await at.mmos("runs", "cancel", run[-4:])
        assert told.code == 0
        assert told.out.startswith(f"run {run} · cancelled\n")
        assert f"cancelled the run. To continue it: mmos runs resume {run}" in told.err
        await until(lambda: not at.on.host.open)
        ended = await finish(running)
        assert (ended.code, ended.document["status"], ended.document["reason"]["code"]) == (130, "cancelled", "cancelled")
        assert "@" in ended.document["reason"]["message"]
        shown = await at.mmos("runs", "show", run)
        assert "asked to cancel the run" in shown.out

        at.on.host.faults.clear()
        resumed = await at.mmos("runs", "resume", run)
        assert (resumed.code, resumed.out) == (0, "Both.\n")


async def test_what_there_is_of_an_answer_is_kept_and_printed_by_both(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["So it is, and more."]}) as at:
        at.on.host.faults.add("stall", model="arbiter", chunks=3)
        running = await at.start("run", "Go.")
        await until(lambda: at.on.sent("arbiter"))
        await asyncio.sleep(0.5)  # the pieces come
        row = await cancelled(at, await only_run(at))
        ended = await finish(running)
        assert row["status"] == "cancelled"
        assert row["answer"]
        assert "So it is, and more.".startswith(row["answer"])
        assert (ended.code, ended.out.strip()) == (130, row["answer"].strip())
        assert "mmos: cancelled: " in ended.err


async def test_in_a_chat_only_the_turn_ends(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One."]}) as at:
        hang = at.on.host.faults.add("hang", model="arbiter")
        async with terminal(tmp_path, "chat", columns=120) as typing:
            await typing.shows("/help")
            typing.say("First?")
            await until(lambda: at.on.sent("arbiter"))
            row = await cancelled(at, await only_run(at))
            assert row["status"] == "cancelled"
            await typing.shows("cancelled the run. The partial answer stays in the conversation. /resume continues.")
            at.on.host.faults.remove(hang)
            typing.say("Second?")
            await typing.shows("One.")
            typing.press(CTRL_D)
            assert await typing.ended() == 0


async def test_a_run_that_waits_is_ended_at_once_and_can_be_resumed(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [ESCALATE, "Red it is."]}) as at:
        waiting = await at.mmos("run", "Paint it.", "--on-question", "wait")
        run = waiting.out.strip()
        assert (await cancelled(at, run))["status"] == "cancelled"
        assert [row["status"] for row in await listed(at)] == ["cancelled"]
        again = await at.mmos("runs", "cancel", run)
        assert (again.code, again.err) == (0, f"Run {run} was cancelled before.\n")
        assert (await at.mmos("runs", "answer", run, "red")).out == "Red it is.\n"


async def test_a_killed_run_is_ended_and_a_run_with_an_answer_is_left_as_it_is(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One.", "Two."]}) as at:
        await at.mmos("run", "First?")
        answered = await only_run(at)
        at.on.host.faults.add("hang", model="arbiter")
        running = await at.start("run", "Second?")
        await until(lambda: len(at.on.sent("arbiter")) == 2)
        running.send_signal(signal.SIGKILL)
        await finish(running)
        killed = (await listed(at))[-1]["run"]
        both = await at.mmos("runs", "cancel", answered, killed, "--json")
        assert both.code == 2
        assert [(row["status"], row["answer"]) for row in both.document["runs"]] == [("answered", "One."), ("cancelled", None)]
        assert "There is nothing to cancel" not in both.document["runs"][1]["note"]


async def test_a_process_that_does_not_react_is_told_of_and_its_death_ends_the_run(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": []}) as at:
        run = new_id()
        async with await Journal.open(tmp_path / ".mmos") as journal:
            journal.append(run, new_id(), RunStarted("Go.", journal.process))
            await journal.durable()
            row = await cancelled(at, run, "--timeout", "0.3")
            assert (row["status"], row["exit_code"]) == ("running", 1)
            assert "does not react" in row["note"]
            waiting = await at.start("runs", "cancel", run)
            await until_requested(journal, run, 2)
        ended = await finish(waiting)
        assert (ended.code, ended.out) == (0, f"run {run} · cancelled\n")


async def until_requested(journal: Journal, run: str, times: int) -> None:
    async with asyncio.timeout(30):
        while len(await journal.read(run=run, kinds=("cancel_requested",))) < times:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("names", [["nothing"], []])
async def test_which_run_is_meant_must_be_said(tmp_path: Path, names: Sequence[str]) -> None:
    async with shell(tmp_path, {"arbiter": []}) as at:
        assert (await at.mmos("runs", "cancel", *names)).code == 2


# ---------------------------------------------------------------- in Python


@pytest.mark.parametrize("kept", [True, False])
async def test_an_app_cancels_its_own_run_and_its_caller_gets_an_answer(tmp_path: Path, kept: bool) -> None:
    async with stage({"arbiter": ["One."]}, state=tmp_path if kept else None) as on:
        hang = on.host.faults.add("hang", model="arbiter")
        begun: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(on.app.run("First?", thread="t", watch=mmos.Watch(on_start=begun.set_result)))
        await until(lambda: on.sent("arbiter"))
        await on.app.cancel(await begun, by="the boss")
        answer = await running
        assert answer.reason is not None
        assert (answer.status, answer.exit_code, answer.reason.message) == ("cancelled", 130, "the boss cancelled the run.")
        await until(lambda: not on.host.open)
        on.host.faults.remove(hang)
        assert (await on.app.resume(answer.run)).text == "One."
        with pytest.raises(mmos.MmosError, match="was answered before"):
            await on.app.cancel(answer.run)


async def test_an_old_request_does_not_stop_a_resumed_run(tmp_path: Path) -> None:
    async with stage({"arbiter": ["One."]}, state=tmp_path) as on:
        on.host.faults.add("hang", model="arbiter")
        begun: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(on.app.run("Go.", watch=mmos.Watch(on_start=begun.set_result)))
        await until(lambda: len(on.sent("arbiter")) == 1)
        await on.app.cancel(await begun)
        assert (await running).status == "cancelled"
        resumed = asyncio.create_task(on.app.resume(await begun))
        await until(lambda: len(on.sent("arbiter")) == 2)
        await asyncio.sleep(2 * LOOK_EVERY)
        assert not resumed.done()
        async with mmos.open(on.config, state=tmp_path) as other:
            await other.cancel(await begun, by="another app")
        answer = await resumed
        assert answer.reason is not None
        assert (answer.status, answer.reason.message) == ("cancelled", "another app cancelled the run.")


async def test_a_request_before_the_work_of_a_run_has_begun_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage({"arbiter": [ESCALATE, "One."]}) as on:
        waiting = await on.app.run("Go.", options=mmos.RunOptions(on_question="wait"))
        await on.app.answer(waiting.run, "this")
        on.host.faults.add("hang", model="arbiter")
        read, asked = on.app.journal.read, False

        async def read_and_cancel(**which: Any) -> list[Entry]:
            nonlocal asked
            found = await read(**which)
            if not asked and any(isinstance(entry.event, RunResumed) for entry in found):
                asked = True
                await on.app.cancel(waiting.run, by="the boss")
            return found

        monkeypatch.setattr(on.app.journal, "read", read_and_cancel)
        async with asyncio.timeout(20):
            answer = await on.app.resume(waiting.run)
        assert answer.reason is not None
        assert (asked, answer.status, answer.reason.message) == (True, "cancelled", "the boss cancelled the run.")


async def test_a_cancelled_run_whose_end_is_not_kept_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(run: str | None = None, *, on_disk: bool = False) -> None:
        raise StateFull("There is no room left.")

    async with stage({"arbiter": ["One."]}, state=tmp_path) as on:
        on.host.faults.add("hang", model="arbiter")
        begun: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(on.app.run("Go.", watch=mmos.Watch(on_start=begun.set_result)))
        await until(lambda: on.sent("arbiter"))
        monkeypatch.setattr(on.app.journal, "durable", full)
        await on.app.cancel(await begun)
        answer = await running
        assert (answer.status, answer.view.warnings) == ("cancelled", ["MMOS did not keep this run. There is no room left."])
