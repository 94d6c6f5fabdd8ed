"""A file of tasks becomes a file of results: in order, each once, also when hosts die, the process is killed or the user presses Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmos.rehearsal.personas import Speed
from mmos.testing import Call, Fault, Host, Model, configuration, serve, until
from tests.disks import disk
from tests.shell import Shell, command, finish, shell, start

RUN = ("run", "--batch", "tasks.jsonl", "--out", "out.jsonl")


def write(path: Path, *lines: Any) -> None:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def results(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


def answers(count: int) -> list[str]:
    return [f"Answer {number}." for number in range(1, count + 1)]


async def runs_of(at: Shell) -> list[dict[str, Any]]:
    return (await at.mmos("runs", "list", "--json", "--limit", "10000")).document["runs"]


async def test_lines_in_lines_out_in_order_with_what_they_carry(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": answers(5)}) as at:
        write(
            tmp_path / "tasks.jsonl", {"task": "One?", "id": "a", "label": "x", "answer": "gold", "status": 1},
            "Two?", ["no", "task"], {"task": ""}, {"task": "Five?", "timeout": "1m", "system": "Be brief.", "id": {"n": 5}},
        )  # fmt: skip
        ended = await at.mmos(*RUN)
        lines = results(tmp_path)
        assert ended.code == 1
        assert ended.out == ""
        assert [line["line"] for line in lines] == [1, 2, 3, 4, 5]
        assert [line["status"] for line in lines] == ["answered", "answered", "failed", "failed", "answered"]
        assert (lines[0]["id"], lines[0]["label"], lines[0]["input_answer"], lines[0]["input_status"]) == ("a", "x", "gold", 1)
        assert lines[4]["id"] == {"n": 5}
        assert [line.get("error") for line in lines][2:4] == [
            'This line is neither a JSON object with a "task" nor a JSON string.', "The task is empty."
        ]  # fmt: skip
        assert "5 tasks: 3 answered, 2 failed. 3 model calls" in ended.err
        [options] = [
            one["system"]
            for body in at.on.sent("arbiter")
            for one in [{"system": body["messages"][0]["content"]}]
            if "Be brief." in one["system"]
        ]
        assert options


async def test_a_batch_of_one_task_counts_in_the_singular(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": answers(1)}) as at:
        write(tmp_path / "tasks.jsonl", "One?")
        assert (await at.mmos(*RUN)).code == 0
        assert "1 of 1 result is in out.jsonl" in (await at.mmos(*RUN)).err


async def test_the_second_command_does_nothing_and_an_edited_line_is_a_new_task(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": answers(5)}) as at:
        write(tmp_path / "tasks.jsonl", "One?", "Two?", "Three?")
        assert (await at.mmos(*RUN)).code == 0
        before = (tmp_path / "out.jsonl").read_bytes()
        again = await at.mmos(*RUN)
        assert (again.code, (tmp_path / "out.jsonl").read_bytes()) == (0, before)
        assert "3 of 3 results are in out.jsonl" in again.err
        write(tmp_path / "tasks.jsonl", "One?", "Other?", "Three?", "Four?")
        assert (await at.mmos(*RUN)).code == 0
        assert [line["line"] for line in results(tmp_path)] == [1, 2, 3, 4]
        assert sorted(at.on.heard("arbiter")) == ["Four?", "One?", "Other?", "Three?", "Two?"]  # the third has not run twice


async def test_a_file_of_something_else_is_not_touched(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": answers(1)}) as at:
        write(tmp_path / "tasks.jsonl", "One?")
        for text in ("My diary, without a line break", "My diary\n", '{"line": 1}\n', '{"line":1,"digest":"00","status":"answered"}\n'):
            (tmp_path / "out.jsonl").write_text(text)
            ended = await at.mmos(*RUN)
            assert ended.code == 2
            assert "MMOS does not write over it" in ended.err
            assert (tmp_path / "out.jsonl").read_text() == text
        assert (await at.mmos("run", "--batch", "tasks.jsonl", "--out", "tasks.jsonl")).code == 2
        assert (await at.mmos("run", "--batch", "absent.jsonl", "--out", "out2.jsonl")).code == 2
        assert (await at.mmos("run", "--batch", "tasks.jsonl")).code == 2
        assert at.on.heard("arbiter") == []


async def test_half_a_line_is_written_again_from_the_journal(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": answers(3)}) as at:
        write(tmp_path / "tasks.jsonl", "One?", "Two?", "Three?")
        await at.mmos(*RUN)
        before = (tmp_path / "out.jsonl").read_bytes()
        for left in (len(before) - 1, len(before) - 100, len(before.splitlines()[0]) + 20, 5):
            (tmp_path / "out.jsonl").write_bytes(before[:left])
            ended = await at.mmos(*RUN)
            assert (ended.code, (tmp_path / "out.jsonl").read_bytes()) == (0, before), ended.err
        assert len(at.on.heard("arbiter")) == 3


async def test_a_killed_batch_goes_on_and_no_task_is_done_twice(tmp_path: Path) -> None:
    async with _two_hosts(tmp_path) as hosts:
        write(tmp_path / "tasks.jsonl", *({"task": f"Task {number}?", "id": number} for number in range(200)))
        for least in (10, 60, 120):
            await _killed(tmp_path, least)
            with (tmp_path / "out.jsonl").open("ab") as file:
                file.write(b'{"line":')  # half a line
        hosts[0].faults.add(Fault("refuse", path="*", seconds=1.0))
        hosts[1].faults.add(Fault("refuse", path="*", seconds=2.0))
        ended = await command(tmp_path, *RUN, "--concurrency", "8")
        lines, runs = results(tmp_path), (await command(tmp_path, "runs", "list", "--json", "--limit", "1000")).document["runs"]
        assert ended.code == 0, ended.err
        assert [(line["line"], line["id"], line["status"]) for line in lines] == [(n + 1, n, "answered") for n in range(200)]
        assert len({line["run"] for line in lines}) == 200
        assert len(runs) == 200  # no task has two runs


async def test_a_batch_that_is_killed_before_its_first_result_goes_on(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": Model.scripted("arbiter", answers(9))}) as at:
        write(tmp_path / "tasks.jsonl", "One?", "Two?", "Three?")
        hang = at.on.host.faults.add("hang")
        process = await start(tmp_path, *RUN, "--concurrency", "2", cold=True)
        await until(lambda: at.on.host.open >= 2)
        process.kill()
        await process.communicate()
        begun = {run["run"] for run in await runs_of(at)}
        assert ((tmp_path / "out.jsonl").read_bytes(), len(begun)) == (b"", 2)
        at.on.host.faults.remove(hang)
        assert (await at.mmos(*RUN)).code == 0
        assert {line["run"] for line in results(tmp_path)} == {run["run"] for run in await runs_of(at)} >= begun


@pytest.mark.parametrize("how", ["emptied", "removed", "removed before a wrong command"])
async def test_without_results_the_batch_begins_anew(tmp_path: Path, how: str) -> None:
    async with shell(tmp_path, {"arbiter": answers(4)}) as at:
        write(tmp_path / "tasks.jsonl", "One?", "Two?")
        assert (await at.mmos(*RUN)).code == 0
        before = {line["run"] for line in results(tmp_path)}
        if how == "emptied":
            (tmp_path / "out.jsonl").write_bytes(b"")
        else:
            (tmp_path / "out.jsonl").unlink()
        if how == "removed before a wrong command":
            assert (await at.mmos(*RUN, "--role", "nope=x")).code == 2
            assert not (tmp_path / "out.jsonl").exists()
        assert (await at.mmos(*RUN)).code == 0
        assert not before & {line["run"] for line in results(tmp_path)}
        assert len(at.on.sent("arbiter")) == 4


async def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": Model.scripted("arbiter", answers(100))}) as at:
        write(tmp_path / "tasks.jsonl", *(f"Task {number}?" for number in range(30)))
        at.on.host.faults.add(Fault("hang", after=10))
        process = await at.start(*RUN, "--concurrency", "4")
        await until(lambda: at.on.host.open >= 4 and _lines(tmp_path) >= 7)  # of the first ten lines, three may hang
        process.send_signal(signal.SIGINT)
        ended = await finish(process)
        assert ended.code == 130
        assert re.search(r"Interrupted\. \d+ of 30 results are in out\.jsonl\. Go on with:\n +mmos run --batch", ended.err)
        at.on.host.faults.clear()
        assert (await at.mmos(*RUN)).code == 0
        assert [line["line"] for line in results(tmp_path)] == list(range(1, 31))
        assert len(await runs_of(at)) == 30


async def test_a_full_disk_stops_the_batch_and_the_same_command_goes_on(tmp_path: Path) -> None:
    with disk(tmp_path / "disk") as small:
        async with shell(tmp_path, {"arbiter": Model.scripted("arbiter", answers(50))}) as at:
            at = replace(at, disk=small)
            write(tmp_path / "tasks.jsonl", *(f"Task {number}?" for number in range(40)))
            tasks, out = str(tmp_path / "tasks.jsonl"), str(tmp_path / "disk" / "out.jsonl")
            batch = ("run", "--batch", tasks, "--out", out, "-c", str(tmp_path / "orchestration.yaml"), "--state", str(tmp_path / "state"))
            small.fill(leave=9000)
            ended = await at.mmos(*batch, "--concurrency", "2", "--json")
            written = (small.inside / "out.jsonl").read_bytes().count(b"\n")
            assert (ended.code, ended.document["written"], 0 < written < 40) == (1, written, True)
            assert f"{out} could not be written: no space left on device. {written} of 40 results are in {out}. Go on with:" in ended.err
            small.make_room()
            assert (await at.mmos(*batch)).code == 0
            lines = [json.loads(line) for line in (small.inside / "out.jsonl").read_text().splitlines()]
            assert [line["line"] for line in lines] == list(range(1, 41))
            assert len(at.on.sent("arbiter")) <= 40 + 2  # tasks at work when the disk was full ask again


async def test_two_commands_do_not_write_one_file(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": answers(3)}) as at:
        write(tmp_path / "tasks.jsonl", "One?")
        hang = at.on.host.faults.add("hang")
        first = await at.start(*RUN)
        await until(lambda: at.on.host.open)
        second = await at.mmos(*RUN)
        assert (second.code, "Another process writes to" in second.err) == (2, True)
        at.on.host.faults.remove(hang)
        first.send_signal(signal.SIGINT)
        await finish(first)


async def test_a_failed_task_is_a_result_and_runs_again_on_request(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [Call("escalate_to_user", {"question": "Which?"}), "Two.", "Three.", "One."]}) as at:
        write(tmp_path / "tasks.jsonl", "One?", "Two?", "Three?")
        ended = await at.mmos(*RUN, "--concurrency", "1", "--on-question", "wait", "--json")
        assert ended.code == 1
        assert (ended.document["statuses"], ended.document["next"][-8:]) == ({"waiting": 1, "answered": 2}, " --again")
        await at.mmos("runs", "answer", results(tmp_path)[0]["run"], "red")
        assert (await at.mmos(*RUN)).code == 1  # without --again what is written stays
        again = await at.mmos(*RUN, "--again")
        assert [line["status"] for line in results(tmp_path)] == ["answered"] * 3, again.err
        assert [line["line"] for line in results(tmp_path)] == [1, 2, 3]
        assert len(await runs_of(at)) == 3


async def test_an_edited_first_line_costs_no_other_result_when_the_batch_is_killed(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": Model.scripted("arbiter", answers(30))}) as at:
        write(tmp_path / "tasks.jsonl", *(f"Task {number}?" for number in range(9)))
        assert (await at.mmos(*RUN)).code == 0
        before = {line["line"]: line["run"] for line in results(tmp_path)}
        write(tmp_path / "tasks.jsonl", "Other?", *(f"Task {number}?" for number in range(1, 9)), "More?")
        hang = at.on.host.faults.add("hang")
        process = await start(tmp_path, *RUN, "--concurrency", "2", cold=True)
        await until(lambda: at.on.host.open >= 2)
        process.kill()
        await process.communicate()
        assert {line["line"]: line["run"] for line in results(tmp_path)}.items() >= {n: before[n] for n in range(2, 10)}.items()
        at.on.host.faults.remove(hang)
        ended = await at.mmos(*RUN)
        assert ended.code == 0, ended.err
        assert [line["line"] for line in results(tmp_path)] == list(range(1, 11))
        assert {line["line"]: line["run"] for line in results(tmp_path)}.items() >= {n: before[n] for n in range(2, 10)}.items()
        assert results(tmp_path)[0]["run"] != before[1]
        assert sorted(path.name for path in tmp_path.iterdir() if "out.jsonl" in path.name) == ["out.jsonl"]


async def test_again_keeps_every_result_until_it_has_a_better_one(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": Model.scripted("arbiter", answers(9))}) as at:
        write(tmp_path / "tasks.jsonl", {"task": "One?"}, "Two?")
        hang = at.on.host.faults.add(Fault("hang", times=1))
        await at.mmos(*RUN, "--concurrency", "1", "--timeout", "1")
        before = (tmp_path / "out.jsonl").read_bytes()
        assert [line["status"] == "answered" for line in results(tmp_path)] == [False, True]
        at.on.host.faults.remove(hang)
        hang = at.on.host.faults.add("hang")
        process = await start(tmp_path, *RUN, "--again", cold=True)
        await until(lambda: at.on.host.open)
        process.kill()
        await process.communicate()
        await until(lambda: not at.on.host.open)
        assert (tmp_path / "out.jsonl").read_bytes() == before
        process = await at.start(*RUN, "--again")
        await until(lambda: at.on.host.open)
        process.send_signal(signal.SIGINT)
        ended = await finish(process)
        assert (ended.code, ended.err.splitlines()[-1].endswith("--again"), (tmp_path / "out.jsonl").read_bytes()) == (130, True, before)
        at.on.host.faults.remove(hang)
        ended = await at.mmos(*RUN, "--again", "--timeout", "60")
        assert ended.code == 0, ended.err
        assert [(line["line"], line["status"]) for line in results(tmp_path)] == [(1, "answered"), (2, "answered")]


async def test_a_line_that_moves_keeps_its_result(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": answers(9)}) as at:
        write(tmp_path / "tasks.jsonl", "One?", {"task": "Same?", "weight": 1.50}, {"task": "Same?", "weight": 1.50})
        assert (await at.mmos(*RUN)).code == 0
        before = [line["run"] for line in results(tmp_path)]
        same = {"task": "Same?", "weight": 1.50}
        write(tmp_path / "tasks.jsonl", "New?", same, "One?", same, same)
        ended = await at.mmos(*RUN)
        assert ended.code == 0, ended.err
        lines = results(tmp_path)
        assert [line["line"] for line in lines] == [1, 2, 3, 4, 5]
        assert lines[2]["run"] == before[0]
        assert {lines[1]["run"], lines[3]["run"]} == set(before[1:])
        assert len({line["run"] for line in lines}) == 5
        write(tmp_path / "tasks.jsonl", "One?", "New?")
        ended = await at.mmos(*RUN)
        assert "The lines of 3 results are changed or gone" in ended.err
        assert [(line["line"], line["run"]) for line in results(tmp_path)] == [(1, before[0]), (2, lines[0]["run"])]
        assert len(at.on.sent("arbiter")) == 5


async def test_the_totals_are_those_of_this_command_and_say_what_was_there(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": answers(9)}) as at:
        write(tmp_path / "tasks.jsonl", *(f"Task {number}?" for number in range(4)))
        assert (await at.mmos(*RUN)).code == 0
        before = (tmp_path / "out.jsonl").read_bytes()
        (tmp_path / "out.jsonl").write_bytes(b"".join(before.splitlines(keepends=True)[:3]))  # the journal has the fourth
        write(tmp_path / "tasks.jsonl", "Other?", *(f"Task {number}?" for number in range(1, 4)))
        ended = await at.mmos(*RUN, "--json")
        assert (ended.document["earlier"], ended.document["written"], ended.document["model_calls"]) == (2, 4, 1)
        assert "4 results, 2 of them new: 4 answered. 1 model call," in ended.err


async def test_a_second_ctrl_c_disturbs_nothing(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": Model.scripted("arbiter", answers(40))}) as at:
        write(tmp_path / "tasks.jsonl", *(f"Task {number}?" for number in range(12)))
        for pause in (0.0, 0.01, 0.05):
            hang = at.on.host.faults.add("hang")
            process = await start(tmp_path, *RUN, "--json", "--concurrency", "4", cold=True)
            await until(lambda: at.on.host.open >= 4)
            for _ in range(6):
                if process.returncode is None:
                    process.send_signal(signal.SIGINT)
                await asyncio.sleep(pause)
            ended = await finish(process)
            assert (ended.code, ended.document["reason"]) == (130, "Interrupted."), ended.err
            assert "Traceback" not in ended.err
            await until(lambda: not at.on.host.open)
            at.on.host.faults.remove(hang)
        assert (await at.mmos(*RUN)).code == 0
        assert len(await runs_of(at)) == 12


@pytest.mark.parametrize("foreign", ['{"note": "mine"}\n', '{"note": "mine"}', "mine"])
async def test_a_line_that_is_no_result_is_not_removed(tmp_path: Path, foreign: str) -> None:
    async with shell(tmp_path, {"arbiter": answers(3)}) as at:
        write(tmp_path / "tasks.jsonl", "One?")
        assert (await at.mmos(*RUN)).code == 0
        with (tmp_path / "out.jsonl").open("a") as file:
            file.write(foreign)
        before = (tmp_path / "out.jsonl").read_text()
        write(tmp_path / "tasks.jsonl", "One?", "Two?")
        ended = await at.mmos(*RUN)
        assert (ended.code, (tmp_path / "out.jsonl").read_text()) == (2, before)
        assert "Line 2 of" in ended.err
        assert "is no result of a batch. MMOS does not write over it." in " ".join(ended.err.split())


async def test_a_slow_task_holds_the_order_and_unordered_does_not(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": answers(20)}) as at:
        write(tmp_path / "tasks.jsonl", *(f"Task {number}?" for number in range(10)))
        hang = at.on.host.faults.add(Fault("hang", times=1))
        process = await at.start(*RUN, "--concurrency", "2", "--unordered")
        await until(lambda: _lines(tmp_path) == 9)
        process.send_signal(signal.SIGINT)
        assert (await finish(process)).code == 130
        at.on.host.faults.remove(hang)
        lines = {line["line"] for line in results(tmp_path)}
        assert len(lines) == 9  # the task that hangs holds back no other
        assert lines < set(range(1, 11))
        assert (await at.mmos(*RUN)).code == 0  # in order now: the others are read from the journal
        assert [line["line"] for line in results(tmp_path)] == list(range(1, 11))
        assert len(await runs_of(at)) == 10


async def test_the_benchmark_kills_hosts_and_the_batch_and_loses_nothing() -> None:
    script = Path(__file__).parent.parent / "scripts" / "bench_batch.py"
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), "--tasks", "150", "--kill", "--check", "--json", stdout=asyncio.subprocess.PIPE
    )
    ended, _ = await process.communicate()
    figures = json.loads(ended)
    assert (process.returncode, figures["codes"], figures["lost"], figures["twice"]) == (0, [-9, 0], 0, 0)


async def test_tasks_come_from_stdin(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": answers(2)}) as at:
        ended = await at.mmos("run", "--batch", "-", "--out", "out.jsonl", given=b'{"task": "One?"}\n"Two?"\n')
        assert (ended.code, [line["status"] for line in results(tmp_path)]) == (0, ["answered", "answered"])


async def _killed(folder: Path, least: int) -> None:
    """Kill a batch when its file has so many results."""
    process = await start(folder, *RUN, "--concurrency", "8", cold=True)
    try:
        await until(lambda: _lines(folder) >= least or process.returncode is not None, seconds=60)
    finally:
        process.kill()
        await process.communicate()


def _lines(folder: Path) -> int:
    path = folder / "out.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


@asynccontextmanager
async def _two_hosts(folder: Path) -> AsyncIterator[list[Host]]:
    speed = Speed(load_seconds=0.1, prefill=5000.0, decode=500.0)
    model = Model.scripted("arbiter", answers(5000), speed=speed)
    hosts = [Host(name, [model], parallel=4) for name in ("one", "two")]
    async with serve(hosts[0]) as one, serve(hosts[1]) as two:
        (folder / "orchestration.yaml").write_text(yaml.safe_dump(configuration({"arbiter": model}, {"one": one, "two": two}, {})))
        yield hosts
