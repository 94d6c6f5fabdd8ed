"""Runs that travel: exported here, imported into another state folder, shown and resumed there; and files of strangers."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmos.events import RunFinished, RunStarted, ThreadNamed, Unknown, Warned
from mmos.journal import Journal, new_id
from mmos.testing import Call, consult, until
from tests.shell import Ended, command, finish, shell

ASK = Call("escalate_to_user", {"question": "Which one?"})
FAMILY = {
    "arbiter": [[consult("coding"), consult("analysis")], "Both.", "Other.", "Again.", "Now."],
    "coding": ["A. " * 200],
    "analysis": ["B. " * 200],
}


def without_seq(lines: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in lines.splitlines()]
    return [{name: value for name, value in row.items() if name != "seq"} for row in rows]


async def imported(folder: Path, lines: str, *args: str) -> Ended:
    return await command(folder, "runs", "import", "-", "--state", "there", *args, given=lines.encode())


async def exported(folder: Path, *args: str) -> str:
    ended = await command(folder, "runs", "export", "--state", "there", *args)
    assert ended.code == 0
    return ended.out


# ---------------------------------------------------------------- there and back


async def test_everything_travels_and_comes_back_the_same(tmp_path: Path) -> None:
    async with shell(tmp_path, FAMILY) as at:
        for thread in ("notes", "other", "notes"):
            assert (await at.mmos("run", "Go on.", "--thread", thread)).code == 0
        there = await at.mmos("runs", "export", "--all")
        (tmp_path / "all.jsonl").write_text(there.out)
        brought = await at.mmos("runs", "import", "all.jsonl", "--state", "there")
        assert (brought.code, brought.out) == (0, "")
        assert brought.err.startswith("Imported 3 runs (")
        assert without_seq(await exported(tmp_path, "--all")) == without_seq(there.out)

        named = await at.mmos("threads", "list", "--json", "--state", "there")
        assert {row["name"]: row["runs"] for row in named.document["threads"]} == {"notes": 2, "other": 1}
        run = json.loads(there.out.splitlines()[-1])["run"]
        here, far = [(await at.mmos("runs", "show", run, "--json", *more)).document for more in ((), ("--state", "there"))]
        assert here == far
        prompts = [(await at.mmos("runs", "show", run, "--prompts", "--json", *more)).out for more in ((), ("--state", "there"))]
        assert prompts[0] == prompts[1]
        assert (await at.mmos("run", "And now?", "--thread", "notes", "--state", "there")).code == 0
        assert len([message for message in at.on.sent("arbiter")[-1]["messages"] if message["role"] == "user"]) == 3


async def test_a_conversation_travels_with_its_name_and_the_order_of_its_runs(tmp_path: Path) -> None:
    thread, runs, moment = new_id(), [new_id(), new_id()], 1_000.0
    async with await Journal.open(tmp_path / "here", clock=lambda: moment) as journal:
        journal.append("", thread, ThreadNamed("notes"))
        for run in runs:  # two runs at once
            journal.append(run, thread, RunStarted("Task.", journal.process))
        for run in runs:
            journal.append(run, thread, RunFinished("answered", "So."))
    lines = (await command(tmp_path, "runs", "export", "--thread", "notes", "--state", "here")).out
    assert lines == (await command(tmp_path, "threads", "export", "notes", "--format", "json", "--state", "here")).out
    assert (await imported(tmp_path, lines)).code == 0
    assert without_seq(await exported(tmp_path, "--thread", "notes")) == without_seq(lines)


async def test_a_run_at_work_comes_as_interrupted_and_a_waiting_one_goes_on_there(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [ASK, "Red.", "Gone."]}) as at:
        waiting = (await at.mmos("run", "Paint.", "--on-question", "wait")).out.strip()
        hang = at.on.host.faults.add("hang", model="arbiter")
        running = await at.start("run", "Go.")
        await until(lambda: len(at.on.sent("arbiter")) == 2)
        lines = (await at.mmos("runs", "export", "--all")).out
        running.send_signal(signal.SIGINT)
        await finish(running)
        at.on.host.faults.remove(hang)
        assert (await imported(tmp_path, lines)).code == 0
        listed = await at.mmos("runs", "list", "--json", "--state", "there")
        assert [row["status"] for row in listed.document["runs"]] == ["waiting", "interrupted"]
        assert (await at.mmos("runs", "answer", waiting, "red", "--state", "there")).out == "Red.\n"
        resumed = await at.mmos("runs", "resume", listed.document["runs"][1]["run"], "--state", "there")
        assert (resumed.code, resumed.out) == (0, "Gone.\n")


async def test_a_fork_travels_with_its_past_and_needs_no_other_run(tmp_path: Path) -> None:
    async with shell(tmp_path, FAMILY) as at:
        assert (await at.mmos("run", "Go on.", "--thread", "notes")).code == 0
        (row,) = (await at.mmos("runs", "list", "--json")).document["runs"]
        assert (await at.mmos("runs", "fork", row["run"], "--at", "2")).out == "Other.\n"
        fork = (await at.mmos("runs", "list", "--json")).document["runs"][1]["run"]
        both = (await at.mmos("runs", "export", "--all")).out
        alone = (await at.mmos("runs", "export", fork)).out
        here = (await at.mmos("runs", "show", fork, "--json")).document
        for lines, state in ((both, "there"), (alone, "lonely")):
            assert (await command(tmp_path, "runs", "import", "-", "--state", state, given=lines.encode())).code == 0
            assert (await at.mmos("runs", "show", fork, "--json", "--state", state)).document == here
            assert (await at.mmos("runs", "export", fork, "--state", state)).out.count("\n") == alone.count("\n")
        assert without_seq(await exported(tmp_path, "--all")) == without_seq(both)
        assert (await at.mmos("runs", "delete", row["run"], "--yes", "--state", "there")).code == 0
        assert (await at.mmos("runs", "show", fork, "--json", "--state", "there")).document == here


# ---------------------------------------------------------------- what is there, and what is wrong


@pytest.mark.parametrize("how", ["the conversation", "everything", "a run"])
async def test_a_forked_conversation_remembers_its_past_after_an_import(tmp_path: Path, how: str) -> None:
    async with shell(tmp_path, {"arbiter": ["One.", "Two.", "Three.", "Four.", "Five."]}) as at:
        for task in ("First?", "Second?"):
            assert (await at.mmos("run", task, "--thread", "talk")).code == 0
        if how == "a run":
            fork = (await at.mmos("runs", "fork", (await at.mmos("runs", "list", "--json")).document["runs"][-1]["run"], "--json")).document
            other, past = fork["thread"], ["First?", "One.", "Second?", "Three."]
        else:
            other = (await at.mmos("threads", "fork", "talk", "--name", "other", "--json")).document["thread"]
            assert (await at.mmos("run", "Third?", "--thread", "other")).code == 0
            past = ["First?", "One.", "Second?", "Two.", "Third?", "Three."]
        exports = [["--thread", "talk"], ["--thread", other]] if how == "the conversation" else [["--all"]]
        lines = "".join([(await at.mmos("runs", "export", *args)).out for args in exports])
        brought = await imported(tmp_path, lines)
        assert (brought.code, brought.out) == (0, "")
        here, far = (await at.mmos("runs", "export", "--thread", other)).out, await exported(tmp_path, "--thread", other)
        assert sorted(map(str, without_seq(far))) == sorted(map(str, without_seq(here)))
        assert (await at.mmos("run", "Next?", "--thread", other, "--state", "there")).code == 0
        said = [message["content"] for message in at.on.sent("arbiter")[-1]["messages"] if message["role"] != "system"]
        assert said == [*past, "Next?"]
        assert (await at.mmos("run", "Next?", "--thread", "talk", "--state", "there")).code == 0
        said = [message["content"] for message in at.on.sent("arbiter")[-1]["messages"] if message["role"] != "system"]
        assert said == ["First?", "One.", "Second?", "Two.", "Next?"]


async def two_runs(folder: Path) -> tuple[list[str], list[str]]:
    """The ids of two runs, and the lines of their export."""
    runs = [new_id(), new_id()]
    async with await Journal.open(folder / "here") as journal:
        for run in runs:
            thread = new_id()
            journal.append(run, thread, RunStarted(f"Task {run}.", journal.process))
            journal.append(run, thread, Unknown("of_the_future", {"a": [1, {"b": None}]}))
            journal.append(run, thread, Warned("careful"))
            journal.append(run, thread, RunFinished("answered", "So."))
    return runs, (await command(folder, "runs", "export", "--all", "--state", "here")).out.splitlines(keepends=True)


async def test_a_run_that_is_there_stays_and_the_rest_comes(tmp_path: Path) -> None:
    (old, new), lines = await two_runs(tmp_path)
    assert (await imported(tmp_path, "".join(lines[:4]))).code == 0
    again = await imported(tmp_path, "".join(lines))
    assert again.code == 1
    assert f"Already here: {old}." in again.err
    assert "Imported 1 run (4 events)." in again.err
    skipped = await imported(tmp_path, "".join(lines), "--skip", "--json")
    assert skipped.code == 0
    assert skipped.document == {"version": 1, "imported": [], "entries": 0, "already_there": [old, new], "problems": []}
    assert without_seq(await exported(tmp_path, "--all")) == without_seq("".join(lines))  # with what this version does not know


def changed(line: str, **values: Any) -> str:
    row = json.loads(line)
    data = {**row["data"], **values.pop("data", {})} if isinstance(row["data"], dict) else row["data"]
    return json.dumps({**row, "data": data, **values}) + "\n"


WRONG: list[tuple[Callable[[str], str], str]] = [
    (lambda _: "{\n", "This is not a line of JSON."),
    (lambda _: "[1]\n", "This is not an event of an export."),
    (lambda _: "[" * 100_000 + "\n", "This is not a line of JSON."),
    (lambda line: line[: len(line) // 2], "This is not a line of JSON."),
    (lambda line: changed(line, run="../../etc"), "The event has no id of a run."),
    (lambda line: changed(line, thread=7), "The event has no id of a thread."),
    (lambda line: changed(line, thread=new_id()), "The run has events of two conversations."),
    (lambda line: changed(line, time="now"), "The event has no time."),
    (lambda line: changed(line, time=1e300), "The event has no time."),
    (lambda line: changed(line, time=-1), "The event has no time."),
    (lambda line: changed(line, part=[3, "4"]), "The part of the event must be two numbers."),
    (lambda line: changed(line, kind="\x1b[2J"), "The event has no kind."),
    (
        lambda line: changed(line, kind="run_started", data={"task": "x", "process": "p"}),
        "A newer mmos wrote this run_started event. Update mmos.",
    ),
    (lambda line: changed(line, version=2), "A newer mmos wrote this warned event. Update mmos."),
    (lambda line: changed(line, data={"more": 1}), "A newer mmos wrote this warned event. Update mmos."),
    (lambda line: changed(line, data={"text": 7}), "The warned event cannot be understood."),
    (lambda line: changed(line, data={"unserved": [1]}), "The warned event cannot be understood."),
    (lambda line: changed(line, kind="thread_named", data={}), "The name of a thread belongs to no run."),
]


@pytest.mark.parametrize(("spoil", "said"), WRONG)
async def test_a_wrong_line_is_named_and_costs_its_run_but_not_the_others(tmp_path: Path, spoil: Callable[[str], str], said: str) -> None:
    (bad, good), lines = await two_runs(tmp_path)
    lines[2] = spoil(lines[2])
    (tmp_path / "it.jsonl").write_text("".join(lines))
    ended = await command(tmp_path, "runs", "import", "it.jsonl", "--state", "there", "--json")
    assert ended.code == 1
    document = ended.document
    assert (document["problems"][0]["line"], document["problems"][0]["message"]) == (3, said)
    assert good in document["imported"] or spoil("{}x") == "{}"
    assert bad not in document["imported"]
    told = await command(tmp_path, "runs", "import", "it.jsonl", "--state", "elsewhere")
    assert told.code == 1
    assert f"it.jsonl:3: {said}" in told.err
    assert "\x1b" not in told.err
    assert (await command(tmp_path, "runs", "list", "--state", "there", "--json")).code == 0


async def test_a_file_that_was_cut_off_brings_only_whole_runs(tmp_path: Path) -> None:
    (first, second), lines = await two_runs(tmp_path)
    cut = "".join(lines)[:-20]
    ended = await imported(tmp_path, cut, "--json")
    assert (ended.code, ended.document["imported"]) == (1, [first])
    assert ended.document["problems"] == [{"line": 8, "run": second, "message": "This is not a line of JSON."}]


@pytest.mark.parametrize(
    ("keep", "line", "said"),
    [
        (slice(0, 7), 7, "The file has 3 of 4 lines of this run."),
        (slice(0, 5), 5, "The file has 1 of 4 lines of this run."),
        ((0, 1, 2, 3, 4, 6, 7), 6, "The file has 3 of 4 lines of this run."),
        ((0, 1, 2, 3, 4, 6, 5, 7), 6, "The lines of this run are not in their order."),
        ((0, 1, 2, 3, 4, 6, 6, 7), 6, "The lines of this run are not in their order."),
    ],
)
async def test_a_run_of_which_lines_are_missing_does_not_come(tmp_path: Path, keep: slice | tuple[int, ...], line: int, said: str) -> None:
    (first, second), lines = await two_runs(tmp_path)
    some = lines[keep] if isinstance(keep, slice) else [lines[place] for place in keep]
    ended = await imported(tmp_path, "".join(some), "--json")
    assert (ended.code, ended.document["imported"]) == (1, [first])
    assert ended.document["problems"] == [{"line": line, "run": second, "message": said}]
    whole = await imported(tmp_path, "".join(lines), "--skip", "--json")
    assert (whole.code, whole.document["imported"]) == (0, [second])


async def test_an_export_without_parts_is_from_an_older_version(tmp_path: Path) -> None:
    runs, lines = await two_runs(tmp_path)
    rows = [{name: value for name, value in json.loads(line).items() if name != "part"} for line in lines]
    ended = await imported(tmp_path, "".join(f"{json.dumps(row)}\n" for row in rows), "--json")
    assert (ended.code, ended.document["imported"]) == (0, runs)
    assert without_seq(await exported(tmp_path, "--all")) == without_seq("".join(lines))


async def test_a_run_must_begin_once_and_with_its_start(tmp_path: Path) -> None:
    (first, second), lines = await two_runs(tmp_path)
    twice = await imported(tmp_path, "".join([*lines[:4], *lines[:4]]), "--json")
    assert [problem["message"] for problem in twice.document["problems"]] == ["The run begins a second time."]
    headless = await imported(tmp_path, "".join(lines[1:]), "--json")
    assert (headless.document["imported"], headless.document["problems"][0]["run"]) == ([second], first)
    nothing = await imported(tmp_path, "")
    assert (nothing.code, nothing.err) == (0, "Imported 0 runs (0 events).\n")


async def test_names_of_conversations_stay_unique_and_ours_stay(tmp_path: Path) -> None:
    thread, run = new_id(), new_id()
    async with await Journal.open(tmp_path / "here") as journal:
        journal.append("", thread, ThreadNamed("notes"))
        journal.append(run, thread, RunStarted("Task.", journal.process))
    lines = (await command(tmp_path, "runs", "export", "--all", "--state", "here")).out
    async with await Journal.open(tmp_path / "there") as journal:
        journal.append("", other := new_id(), ThreadNamed("notes"))
    taken = await imported(tmp_path, lines)
    assert taken.code == 0
    assert f"The conversation {thread} comes without its name, because {other} is named 'notes' here." in taken.err
    await command(tmp_path, "threads", "rename", thread, "mine", "--state", "there")
    kept = await imported(tmp_path, lines, "--skip")
    assert f"The conversation {thread} keeps its name 'mine'. In the export it is 'notes'." in kept.err
    wrong = await imported(tmp_path, lines.replace('"notes"', '"a\\u001bb"'), "--skip")
    assert (wrong.code, "printable characters" in wrong.err) == (1, True)


@pytest.mark.parametrize(
    "args", [["import"], ["import", "missing.jsonl"], ["import", "."], ["export"], ["export", "--all", "--thread", "x"]]
)
async def test_wrong_usage_is_told(tmp_path: Path, args: list[str]) -> None:
    assert (await command(tmp_path, "runs", *args)).code == 2


async def test_two_imports_at_once_bring_each_run_once(tmp_path: Path) -> None:
    runs, lines = await two_runs(tmp_path)
    both = await asyncio.gather(*(imported(tmp_path, "".join(lines), "--json") for _ in range(2)))
    assert sorted(run for ended in both for run in ended.document["imported"]) == sorted(runs)
    assert without_seq(await exported(tmp_path, "--all")) == without_seq("".join(lines))
