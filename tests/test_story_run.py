"""Stories of `mmos run`: the command as people and scripts meet it, in processes of its own, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mmos.journal import Journal
from mmos.testing import Call, Turn, until
from tests.shell import Shell, finish, shell

CONSULT = [Call("consult_coding_specialist", {"query": "How?"}), Call("consult_analysis_specialist", {"query": "What?"})]
ROLES: dict[str, Sequence[Turn]] = {"arbiter": [CONSULT, "Both say so."], "coding": ["Thus."], "analysis": ["This."]}


# ---------------------------------------------------------------- what comes out


async def test_a_piped_run_prints_the_answer_and_nothing_else(tmp_path: Path) -> None:
    async with shell(tmp_path, ROLES) as at:
        ended = await at.mmos("run", "How?")
        assert (ended.code, ended.out, ended.err) == (0, "Both say so.\n", "")


async def test_the_task_may_come_from_stdin(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [lambda prompt: f"<{prompt.user_text}>"]}) as at:
        ended = await at.mmos("run", "-", given="Wörter\nund mehr\n".encode())
        assert (ended.code, ended.out) == (0, "<Wörter\nund mehr\n>\n")


async def test_streamed_text_comes_as_it_is_made(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["First words, and then no more."]}) as at:
        at.on.host.faults.add("stall", chunks=2)
        process = await at.start("run", "--stream", "Speak.")
        assert process.stdout is not None
        async with asyncio.timeout(30):
            assert (await process.stdout.read(5)).startswith(b"First")
        process.send_signal(signal.SIGINT)
        assert (await finish(process)).code == 130


async def test_progress_is_told_on_stderr_when_it_is_wanted(tmp_path: Path) -> None:
    async with shell(tmp_path, ROLES) as at:
        ended = await at.mmos("run", "--progress", "--no-stream", "How?")
        assert ended.out == "Both say so.\n"
        assert "arbiter → consult_coding_specialist: How?" in ended.err
        assert "✓ consult_analysis_specialist" in ended.err


async def test_the_result_document_follows_the_interface(tmp_path: Path) -> None:
    async with shell(tmp_path, ROLES) as at:
        ended = await at.mmos("run", "--json", "How?")
        document = ended.document
        assert (ended.code, ended.err) == (0, "")
        assert list(document)[:11] == [
            "version", "run", "thread", "status", "answer", "reason", "question", "roles", "tools", "usage", "repairs",
        ]  # fmt: skip
        assert (document["status"], document["answer"], document["reason"], document["question"]) == (
            "answered",
            "Both say so.",
            None,
            None,
        )
        assert next((use["role"], use["model"], use["host"], use["calls"]) for use in document["roles"]) == (
            "arbiter",
            "arbiter",
            "here",
            2,
        )
        assert document["usage"]["model_calls"] == 4
        assert document["tools"] == [
            {"name": "consult_coding_specialist", "calls": 1, "failed": 0},
            {"name": "consult_analysis_specialist", "calls": 1, "failed": 0},
        ]


async def test_a_role_may_have_another_model_and_the_arbiter_more_to_go_by(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["no"], "coding": ["Coder speaking."]}) as at:
        ended = await at.mmos("run", "--role", "arbiter=coding@here", "--system", "Speak Latin.", "Hello.")
        assert ended.out == "Coder speaking.\n"
        assert "Speak Latin." in at.on.sent("coding")[0]["messages"][0]["content"]


async def test_a_thread_goes_on_in_another_process(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One.", "Two."]}) as at:
        await at.mmos("run", "--thread", "build", "First.")
        await at.mmos("run", "--thread", "build", "Second.")
        assert [message["content"] for message in at.on.sent("arbiter")[1]["messages"][1:]] == ["First.", "One.", "Second."]
        listed = (await at.mmos("threads", "list", "--json")).document["threads"]
        assert [(row["name"], row["runs"], row["first"]) for row in listed] == [("build", 2, "First.")]


# ---------------------------------------------------------------- exit codes


async def test_wrong_usage_is_2_with_a_document_of_its_own(tmp_path: Path) -> None:
    async with shell(tmp_path, ROLES) as at:
        ended = await at.mmos("run", "--json", "--max-turns", "none", "Hi.")
        assert ended.code == 2
        assert (ended.document["run"], ended.document["thread"], ended.document["reason"]["code"]) == (None, None, "usage")
        assert "--max-turns" in ended.err
        assert (await at.mmos("rnu", "Hi.")).err.startswith("mmos: There is no command 'rnu'. Did you mean 'run'?")
        assert (await at.mmos("run", "--role", "poet=x", "Hi.")).code == 2
        assert (await at.mmos("run", "   ")).code == 2


async def test_a_wrong_configuration_is_2_and_names_every_error(tmp_path: Path) -> None:
    async with shell(tmp_path, ROLES) as at:
        (tmp_path / "orchestration.yaml").write_text("orchestration:\n  arbitre: {model: x}\n  specialists: {coding: {modle: y}}\n")
        ended = await at.mmos("run", "--json", "Hi.")
        assert (ended.code, ended.document["reason"]["code"]) == (2, "config_invalid")
        for mistake in ("orchestration.yaml:2", "'arbiter'", "orchestration.yaml:3", "'model'"):
            assert mistake in ended.err
        checked = await at.mmos("config", "check")
        assert checked.code == 2
        assert "modle" in checked.err


async def test_a_failed_run_is_1(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [Call("escalate_to_user", {"question": "Red?"})]}) as at:
        ended = await at.mmos("run", "--json", "Paint.")
        assert (ended.code, ended.document["status"], ended.document["reason"]["code"]) == (1, "failed", "question_unanswered")


async def test_a_waiting_run_is_3_and_can_be_answered_from_the_shell(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [Call("escalate_to_user", {"question": "Red?"}), "Red."]}) as at:
        waiting = await at.mmos("run", "--on-question", "wait", "Paint.")
        run = waiting.out.strip()
        assert waiting.code == 3
        assert "arbiter asks: Red?" in waiting.err
        assert f"mmos runs answer {run}" in waiting.err
        answered = await at.mmos("runs", "answer", run, "yes")
        assert (answered.code, answered.out) == (0, "Red.\n")
        assert at.on.heard("arbiter")[1] == "yes"


async def test_no_host_that_can_serve_is_4_within_seconds(tmp_path: Path) -> None:
    async with shell(tmp_path, ROLES) as at:
        at.on.host.faults.add("refuse")
        ended = await at.mmos("run", "--json", "Hi.")
        assert (ended.code, ended.document["status"], ended.document["reason"]["code"]) == (4, "failed", "host_unreachable")
        assert ended.document["usage"]["seconds"] < 10


async def test_a_limit_is_5_and_what_there_is_is_printed(tmp_path: Path) -> None:
    async with shell(tmp_path, ROLES) as at:
        ended = await at.mmos("run", "--max-turns", "1", "How?")
        assert ended.code == 5
        assert "Thus." in ended.out
        assert "arbiter took 1 turn without an answer." in ended.err
        assert "Allow more with --max-turns." in ended.err


async def test_a_stream_that_breaks_off_for_good_is_partial(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["Half of an answer that never ends."]}) as at:
        at.on.host.faults.add("cut", chunks=3)
        ended = await at.mmos("run", "--json", "Hi.")
        assert (ended.code, ended.document["status"], ended.document["reason"]["code"]) == (5, "partial", "stream_cut")
        assert ended.document["answer"].startswith("Half")


async def test_a_stream_that_breaks_off_once_is_begun_anew(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["A whole answer, this time."]}) as at:
        at.on.host.faults.add("cut", chunks=2, times=1)
        ended = await at.mmos("run", "Hi.")
        assert (ended.code, ended.out) == (0, "A whole answer, this time.\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interruption_stops_cleanly_with_the_partial_result(tmp_path: Path, number: signal.Signals) -> None:
    async with shell(tmp_path, {"arbiter": ["Some words and then nothing more."]}) as at:
        at.on.host.faults.add("stall", chunks=3)
        process = await at.start("run", "--stream", "Go.")
        assert process.stdout is not None
        async with asyncio.timeout(30):
            first = await process.stdout.readexactly(4)
        process.send_signal(number)
        ended = await finish(process)
        assert (ended.code, (first.decode() + ended.out).startswith("Some words")) == (130, True)
        assert "cancelled" in ended.err
        row = (await at.mmos("runs", "list", "--json")).document["runs"][0]
        document = (await at.mmos("runs", "show", row["run"], "--json")).document
        assert (row["status"], document["status"], document["reason"]["code"]) == ("cancelled", "cancelled", "cancelled")
        assert document["answer"].startswith("Some words")
        await until(lambda: not at.on.host.open)


async def committed(folder: Path, kind: str) -> None:
    """Returns when another process has committed a fact of this kind."""
    async with asyncio.timeout(30):
        while not (folder / "journal.db").exists():
            await asyncio.sleep(0.01)
        async with await Journal.open(folder) as journal:
            async for entry in journal.follow():
                if entry.event.kind == kind:
                    return


# ---------------------------------------------------------------- many at once, and after a crash


async def test_two_runs_at_once_share_a_state_folder(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["Answer."] * 4}) as at:
        ended = await asyncio.gather(*(at.mmos("run", f"Task {n}.") for n in range(4)))
        assert [end.code for end in ended] == [0, 0, 0, 0]
        rows = (await at.mmos("runs", "list", "--json")).document["runs"]
        assert sorted(row["task"] for row in rows) == [f"Task {n}." for n in range(4)]
        assert {row["status"] for row in rows} == {"answered"}


async def test_a_killed_run_is_interrupted_and_can_be_resumed(tmp_path: Path) -> None:
    async with shell(tmp_path, ROLES) as at:
        at.on.host.faults.add("hang", model="analysis", times=1)
        process = await at.start("run", "How?")
        await committed(tmp_path / ".mmos", "call_finished")
        process.kill()
        await process.wait()
        row = (await at.mmos("runs", "list", "--json")).document["runs"][0]
        assert row["status"] == "interrupted"
        resumed = await at.mmos("runs", "resume", row["run"], "--json")
        assert (resumed.code, resumed.document["answer"]) == (0, "Both say so.")
        assert len(at.on.sent("coding")) == 1


async def test_a_run_can_be_looked_into_exported_and_deleted(tmp_path: Path) -> None:
    async with shell(tmp_path, ROLES) as at:
        run = (await at.mmos("run", "--json", "How?")).document["run"]
        shown = await at.mmos("runs", "show", run[-8:])
        assert "arbiter calls consult_coding_specialist" in shown.out
        assert "Both say so." in shown.out
        assert (await at.mmos("runs", "show", run, "--json")).document["answer"] == "Both say so."
        prompts = (await at.mmos("runs", "show", run, "--prompts")).out
        assert re.search(
            r"^─── a1 arbiter · arbiter on \w+ · .*num_ctx 8192 · \d tools: consult_analysis_specialist, ", prompts, re.MULTILINE
        )
        assert "[user]\nHow?\n" in prompts
        requests = (await at.mmos("runs", "show", run, "--prompts", "--json")).document["requests"]
        assert sorted(str(request["body"]) for request in requests) == sorted(
            str(json.loads(seen.body)) for seen in at.on.host.requests if seen.path == "/api/chat"
        )
        exported = [json.loads(line) for line in (await at.mmos("runs", "export", run)).out.splitlines()]
        assert next(row["kind"] for row in exported) == "run_started"
        assert [row["kind"] for row in exported][-1] == "run_finished"
        assert (await at.mmos("runs", "delete", "--yes", run)).code == 0
        assert (await at.mmos("runs", "list", "--json")).document["runs"] == []
        assert (await at.mmos("runs", "show", run)).code == 2


async def test_threads_can_be_shown_renamed_exported_and_deleted(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One.", "Two."]}) as at:
        await at.mmos("run", "--thread", "old", "First?")
        assert (await at.mmos("threads", "rename", "old", "new")).code == 0
        assert "First?" in (await at.mmos("threads", "show", "new")).out
        assert (await at.mmos("threads", "export", "new")).out.startswith("# new\n")
        assert (await at.mmos("threads", "show", "old")).code == 2
        assert (await at.mmos("threads", "delete", "--yes", "new")).code == 0
        assert (await at.mmos("threads", "list", "--json")).document["threads"] == []


async def test_a_run_without_a_state_folder_that_can_be_written_says_so(tmp_path: Path) -> None:
    async with shell(tmp_path, ROLES) as at:
        (tmp_path / ".mmos").write_text("a file in the way")
        ended = await at.mmos("run", "--json", "Hi.")
        assert ended.code == 1
        assert ended.document["reason"]["code"].startswith("state_")
        assert ".mmos" in ended.err


# ---------------------------------------------------------------- tools that misbehave, and doors that are shut

TOOLS = """
import sys, time

def hang() -> str:
    time.sleep(1000)
    return "never"

def leave() -> str:
    sys.exit(7)

def shout() -> str:
    print("PRINTED")
    return next(iter([]))

def huge() -> str:
    return "x" * 5_000_000
"""


@asynccontextmanager
async def with_tools(folder: Path, turns: Sequence[Turn]) -> AsyncIterator[Shell]:
    async with shell(folder, {"arbiter": turns}) as at:
        (folder / "story_tools.py").write_text(TOOLS)
        with (folder / "orchestration.yaml").open("a") as file:
            file.write("  tools: ['story_tools:hang', 'story_tools:leave', 'story_tools:shout', 'story_tools:huge']\n")
        yield at


async def test_a_tool_that_blocks_for_ever_holds_nobody_up(tmp_path: Path) -> None:
    async with with_tools(tmp_path, [Call("hang"), "never"]) as at:
        ended = await at.mmos("run", "--trust", "--json", "--timeout", "1", "Hang.")
        assert (ended.code, ended.document["reason"]["code"]) == (5, "timeout")


async def test_a_tool_can_neither_leave_nor_print_into_the_answer(tmp_path: Path) -> None:
    async with with_tools(tmp_path, [[Call("leave"), Call("shout")], "Still here."]) as at:
        ended = await at.mmos("run", "--trust", "--json", "Go.")
        assert (ended.code, ended.document["answer"]) == (0, "Still here.")
        assert "PRINTED" in ended.err
        results = [message["content"] for message in at.on.sent("arbiter")[1]["messages"] if message["role"] == "tool"]
        assert "SystemExit: 7" in results[0]
        assert "StopIteration" in results[1]


async def test_a_huge_result_travels_as_a_digest(tmp_path: Path) -> None:
    async with with_tools(tmp_path, [Call("huge"), "Big."]) as at:
        ended = await at.mmos("run", "--trust", "--json", "Go.")
        assert (ended.code, ended.document["answer"]) == (0, "Big.")
        assert "The result has 5,000,000 characters" in at.on.heard("arbiter")[1]


async def test_what_cannot_be_undone_wants_a_yes(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["One."]}) as at:
        run = (await at.mmos("run", "--json", "Hi.")).document["run"]
        refused = await at.mmos("runs", "delete", run)
        assert refused.code == 2
        assert "--yes" in refused.err
        assert len((await at.mmos("runs", "list", "--json")).document["runs"]) == 1


async def test_odd_usage_is_refused_in_words(tmp_path: Path) -> None:
    async with shell(tmp_path, ROLES) as at:
        refused = await at.mmos("run", "--timeout", "nan", "Hi.")
        assert refused.code == 2
        assert "'nan' is not a duration. Write seconds, more than 0, as a number or like 30s, 5m or 1h30m." in refused.err
        assert (await at.mmos("run", "--thread", "two\nlines", "Hi.")).code == 2
        ended = await at.mmos("run", "--on-question", "wait", "--state", "elsewhere", "Hi.")
        assert ended.code == 0


async def test_advice_names_the_place_where_the_run_is(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [Call("escalate_to_user", {"question": "Red?"})]}) as at:
        ended = await at.mmos("run", "--json", "--on-question", "wait", "--state", "else where", "Paint.")
        assert ended.document["reason"]["next"] == f"mmos runs answer {ended.document['run']} TEXT --state 'else where'"


# ---------------------------------------------------------------- rehearsed


async def test_a_rehearsed_run_answers_through_two_consultations_and_says_that_it_is_rehearsed(tmp_path: Path) -> None:
    async with shell(tmp_path, ROLES) as at:
        (tmp_path / "orchestration.yaml").unlink()
        ended = await at.mmos("run", "--rehearse", "--state", "s", "--json", "Why does my build fail?")
        assert (ended.code, ended.document["status"], ended.document["rehearsed"]) == (0, "answered", True)
        assert sum(tool["calls"] for tool in ended.document["tools"] if tool["name"].startswith("consult_")) >= 2
        assert at.on.host.requests.total == 0
