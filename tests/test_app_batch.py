"""Many tasks at once: each has an answer, also a wrong one. What has begun goes on, and without a host the batch waits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

import mmos
from mmos import errors
from mmos.app.batch import Batch, Task
from mmos.testing import Fault, Model, stage, until


def arbiter(*turns: str) -> Model:
    return Model.scripted("arbiter", list(turns) or ["Yes."] * 200)


async def test_each_task_has_an_answer_and_a_wrong_one_does_not_end_the_batch() -> None:
    async with stage({"arbiter": arbiter()}) as on:
        tasks = [
            "One?",
            "",
            mmos.Task("Three?", options=mmos.RunOptions(role_only="nobody")),
            mmos.Task("Four?", files=["absent.txt"]),
            "Five?",
        ]
        ended = {task.text: answer async for task, answer in on.app.batch(tasks, concurrency=2)}
    assert {text: answer.status for text, answer in ended.items()} == {
        "One?": "answered", "": "failed", "Three?": "failed", "Four?": "failed", "Five?": "answered"
    }  # fmt: skip
    assert ended[""].reason is not None
    assert (ended[""].reason.code, ended[""].run) == ("usage", "")


async def test_it_takes_a_task_only_when_there_is_room() -> None:
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield f"Task {taken}"

    async with stage({"arbiter": arbiter()}) as on:
        batch = aiter(on.app.batch(endless(), concurrency=3))
        for _ in range(5):
            await anext(batch)
        await asyncio.sleep(0.2)
        assert taken <= 5 + 3 + 3  # those that were read, ended and are at work
        await batch.aclose()
        assert not on.host.open


async def test_tasks_of_one_thread_run_one_after_the_other() -> None:
    async with stage({"arbiter": arbiter("A", "B", "C")}) as on:
        tasks = [mmos.Task(text, thread="talk") for text in ("one", "two", "three")]
        answers = [(task.text, answer.text) async for task, answer in on.app.batch(tasks, concurrency=3)]
        assert answers == [("one", "A"), ("two", "B"), ("three", "C")]
        assert [message["content"] for message in on.sent("arbiter")[2]["messages"][1:]] == ["one", "A", "two", "B", "three"]


async def test_a_run_that_began_earlier_goes_on_and_one_that_ended_gives_its_answer(tmp_path: Path) -> None:
    async with stage({"arbiter": arbiter("First.", "Second.")}, state=tmp_path) as on:
        first = await on.app.run("One?")
        on.host.faults.add("hang")
        work = asyncio.create_task(on.app.run("Two?"))
        await until(lambda: on.host.open)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        on.host.faults.clear()
        [cut] = {entry.run for entry in await on.app.journal.read(kinds=("run_started",))} - {first.run}
        tasks = [Task("One?", run=first.run), Task("Two?", run=cut)]
        ended = {task.text: answer async for task, answer in on.app.batch(tasks)}
    assert (ended["One?"].run, ended["One?"].text) == (first.run, "First.")
    assert (ended["Two?"].run, ended["Two?"].status) == (cut, "answered")


async def test_a_run_that_somebody_cancelled_does_not_go_on_by_itself(tmp_path: Path) -> None:
    async with stage({"arbiter": arbiter("First.")}, state=tmp_path) as on:
        on.host.faults.add("hang")
        work = asyncio.create_task(on.app.run("One?"))
        await until(lambda: on.host.open)
        [run] = {entry.run for entry in await on.app.journal.read(kinds=("run_started",))}
        await on.app.cancel(run)
        await work
        on.host.faults.clear()
        [(_, kept)] = [ended async for ended in on.app.batch([Task("One?", run=run)])]
        [(_, again)] = [ended async for ended in on.app.batch([Task("One?", run=run, again=True)])]
    assert (kept.status, again.status, again.run) == ("cancelled", "answered", run)


async def test_calls_of_a_batch_are_not_urgent(tmp_path: Path) -> None:
    async with stage({"arbiter": arbiter()}, state=tmp_path) as on:
        [(_, answer)] = [ended async for ended in on.app.batch(["Hello?"])]
        assert answer.view.options == {"urgency": "batch"}


async def test_without_a_host_the_batch_waits_and_goes_on() -> None:
    said: list[str] = []
    async with stage({"arbiter": arbiter()}) as on:
        on.host.faults.add(Fault("refuse", path="*", seconds=3.0))
        batch = Batch(on.app, (Task(f"Task {number}") for number in range(6)), concurrency=2, tell=said.append)
        assert [answer.status async for _, answer in batch] == ["answered"] * 6
    assert [line.partition(",")[0].partition(".")[0] for line in said] == ["No host answers", "A host answers again"]


async def test_the_patience_of_a_batch_ends() -> None:
    async with stage({"arbiter": arbiter()}) as on:
        on.host.faults.add(Fault("refuse", path="*"))
        with pytest.raises(errors.NoHost, match="No host has answered for 0"):
            [ended async for ended in Batch(on.app, [Task("One?"), Task("Two?")], patience=0.2)]
        on.host.faults.clear()


async def test_hosts_that_answer_and_serve_nothing_end_the_batch() -> None:
    async with stage({"arbiter": arbiter()}) as on:
        tasks = [Task(f"Task {number}", options=mmos.RunOptions(model="absent:7b")) for number in range(1000)]
        ended: list[str] = []

        async def work_off() -> None:
            async for _, answer in Batch(on.app, tasks, concurrency=4):
                ended.append(answer.status)

        with pytest.raises(errors.NoHost, match="No host could serve the last 10 tasks"):
            await work_off()
    assert set(ended) == {"failed"}
    assert len(ended) < 10


async def test_what_is_no_task_and_no_text_is_wrong_usage() -> None:
    async with stage({"arbiter": arbiter()}) as on:
        wrong: list[tuple[Any, str]] = [
            ("hello", "tasks: found str"),
            (b"hello", "found bytes"),
            (5, "found int, allowed: many texts"),
            ([5], "found int"),
        ]
        for tasks, message in wrong:
            with pytest.raises(errors.UsageError, match=message):
                [ended async for ended in on.app.batch(tasks)]
        [(_, answer)] = [ended async for ended in on.app.batch([mmos.Task(cast("Any", 5))])]
        assert (answer.status, answer.reason and answer.reason.code) == ("failed", "usage")
        run = (await on.app.run("One?")).run
        for call in (
            on.app.answer(run, cast("Any", 5)),
            on.app.fork(cast("Any", None)),
            on.app.resume(cast("Any", 7)),
            on.app.run(cast("Any", 5)),
        ):
            with pytest.raises(errors.UsageError, match="allowed: a text"):
                await call
