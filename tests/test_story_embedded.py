"""Whole runs on a real model, a tiny one: what is asserted is how the work went, never what was said."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import mmos
from mmos.errors import ConfigError
from mmos.rehearsal.fleet import default_fleet
from mmos.testing import Call, stage
from tests.embedded import engines, needs_linux, needs_model
from tests.shell import command, finish

SHORT = {"temperature": 0.2, "repeat_penalty": 1.15, "num_predict": 12}
SPECIALISTS = {name: {"model": "tiny", "server": "here", "context_window": 1024, "options": SHORT} for name in ("explain", "example")}
TINY: dict[str, Any] = {
    "orchestration": {
        "servers": {"here": {"kind": "embedded", "models": {"tiny": "builtin"}, "parallel": 2}},
        "prompts": "small",
        "arbiter": {
            "model": "tiny", "server": "here", "context_window": 1024, "channel": "schema", "consult_first": 2,
            "tools": ["consult_*_specialist"], "options": {**SHORT, "num_predict": 100},
        },
        "specialists": SPECIALISTS,
        "limits": {"calls": 2, "turns": 4},
    }
}  # fmt: skip


# ---------------------------------------------------------------- runs


@needs_model
async def test_a_run_consults_two_specialists_and_answers(tmp_path: Path) -> None:
    ended = await command(tmp_path, "run", "--embedded", "--json", "What is a binary search?")
    assert ended.code == 0, ended.err
    document = ended.document
    assert document["status"] == "answered"
    assert document["answer"]
    consulted = [tool["name"] for tool in document["tools"] if tool["name"].startswith("consult_") and not tool["failed"]]
    assert len(consulted) == 2
    assert {role["host"] for role in document["roles"]} == {"here"}
    assert sum(role["load_seconds"] > 0 for role in document["roles"]) == 1
    assert document["usage"]["prompt_tokens"] > document["usage"]["output_tokens"] > 0
    shown = await command(tmp_path, "runs", "show", document["run"], "--embedded")
    assert document["run"] in shown.out


@needs_model
async def test_a_conversation_of_three_turns(tmp_path: Path) -> None:
    async with mmos.open(TINY, state=tmp_path) as app:
        for number, task in enumerate(("What is a lock?", "Say it shorter.", "And what is a queue?"), 1):
            heard: list[str] = []
            answer = await app.run(task, thread="locks", on_token=heard.append)
            assert answer.status == "answered", answer.reason
            assert "".join(heard) == answer.text != ""
            assert len(answer.view.finished_calls) == 2
            assert len({call.tool for call in answer.view.finished_calls.values()}) == 2
            assert answer.usage["model_calls"] == 4 or answer.view.warnings, number


@needs_model
@needs_linux
async def test_a_run_survives_the_death_of_its_engine(tmp_path: Path) -> None:
    killed: list[int] = []

    def kill(_: str) -> None:
        """With the first piece of the answer."""
        if not killed:
            killed.extend(engines(os.getpid()))
            for process in killed:
                os.kill(process, signal.SIGKILL)

    async with mmos.open(TINY, state=tmp_path) as app:
        answer = await app.run("What is a lock?", on_token=kill)
        failed = [entry.event for entry in await app.journal.read(run=answer.run, kinds=("model_failed",))]
    assert killed
    assert answer.status == "answered", answer.reason
    assert [event.code for event in failed] == ["runner_crashed"]
    assert "SIGKILL" in failed[0].detail


@needs_model
async def test_a_file_of_ones_own_is_found_beside_the_configuration(tmp_path: Path) -> None:
    """From whichever folder mmos is called."""
    from mmos.hosts.embedded.files import built_in_file

    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.gguf").symlink_to(built_in_file() or "")
    changed = json.loads(json.dumps(TINY).replace('"builtin"', '"models/mine.gguf"'))
    (tmp_path / "orchestration.yaml").write_text(yaml.safe_dump(changed))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ended = await command(elsewhere, "models", "warm", "tiny", "-c", "../orchestration.yaml")
    assert ended.code == 0, ended.err


# ---------------------------------------------------------------- what is missing or wrong


@needs_model
async def test_without_the_package_a_run_says_what_to_install(tmp_path: Path) -> None:
    """In an environment that has all packages but this one."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for folder in (Path(mmos.__file__).parent.parent, Path(yaml.__file__).parent.parent):
        for entry in folder.iterdir():
            if not entry.name.startswith(("xllamacpp", ".")) and not (packages / entry.name).exists():
                (packages / entry.name).symlink_to(entry)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MMOS_", "COVERAGE_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-m", "mmos", "run", "--embedded", "--json", "Hello", cwd=tmp_path,
        env={**environ, "HOME": str(tmp_path), "PYTHONPATH": str(packages)},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    ended = await finish(process)
    assert ended.code == 4, ended.err
    assert "xllamacpp" in ended.document["reason"]["message"]
    assert "pip install xllamacpp" in ended.document["reason"]["next"]


async def test_a_file_that_is_not_there_fails_the_run_and_says_which(tmp_path: Path) -> None:
    gone = json.loads(json.dumps(TINY).replace('"builtin"', '"nowhere.gguf"'))
    (tmp_path / "orchestration.yaml").write_text(yaml.safe_dump(gone))
    ended = await command(tmp_path, "run", "--json", "Hello")
    assert ended.code == 4
    assert str(tmp_path / "nowhere.gguf") in ended.document["reason"]["message"]
    checked = await command(tmp_path, "config", "check")
    assert checked.code == 0
    assert "there is no file nowhere.gguf" in checked.out + checked.err


@pytest.mark.parametrize("others", [("--rehearse",), ("-c", "orchestration.yaml")])
async def test_one_fleet_at_a_time(tmp_path: Path, others: tuple[str, ...]) -> None:
    ended = await command(tmp_path, "run", "--embedded", *others, "Hello")
    assert ended.code == 2
    assert "Give one of them" in ended.err


async def test_who_has_nothing_is_told_of_the_embedded_model(tmp_path: Path) -> None:
    ended = await command(tmp_path, "run", "Hello", OLLAMA_HOST="127.0.0.1:1")
    assert ended.code == 4
    assert "--embedded" in ended.err


async def test_who_has_only_an_ollama_here_works_with_what_it_has(tmp_path: Path) -> None:
    async with default_fleet(time_scale=50) as fleet:
        ended = await command(tmp_path, "run", "Write a function that reverses a text.", OLLAMA_HOST=fleet.hosts["ollama02"])
    assert ended.code == 0, ended.err
    assert ended.out.strip()
    assert "No orchestration.yaml" in ended.err


def test_what_cannot_be_in_a_configuration() -> None:
    for wrong, said in (({"url": "http://x:1"}, "has no address"), ({"models": {"tiny": 7}}, "text")):
        servers = {"here": {"kind": "embedded", **wrong}}
        with pytest.raises(ConfigError, match=said):
            mmos.run_sync("Hello", {"orchestration": {"servers": servers, "arbiter": {"model": "tiny", "server": "here"}}})
    with pytest.raises(ConfigError, match="from 1 to 8"):
        mmos.run_sync("Hello", {"orchestration": {"arbiter": {"model": "tiny", "consult_first": 9}}})


# ---------------------------------------------------------------- who has to consult first


@pytest.mark.parametrize("channel", ["schema", "tools"])
async def test_an_arbiter_that_has_to_consult_is_offered_nothing_else(channel: str) -> None:
    called = [Call("consult_coding_specialist", {"query": "?"}), Call("consult_analysis_specialist", {"query": "?"})]
    calls = json.dumps({"calls": [{"tool": call.tool, "arguments": {"query": "?"}} for call in called]})
    turns = [calls, '{"answer": "So."}'] if channel == "schema" else [called, "So."]
    roles = {"arbiter": turns, "coding": ["One."], "analysis": ["Two."]}
    changes = {"arbiter": {"channel": channel, "consult_first": 2}, "limits": {"calls": 2}}
    async with stage(roles, orchestration=changes) as on:
        answer = await on.app.run("Help.")
        first, last = on.sent("arbiter")
    assert (answer.status, answer.text) == ("answered", "So.")
    frame = "format" if channel == "schema" else "tools"
    assert "consult_coding_specialist" in json.dumps(first[frame])
    assert "escalate_to_user" not in json.dumps(first[frame])
    assert "consult_" not in json.dumps(last.get(frame, ""))


async def test_an_arbiter_that_answers_too_early_is_reminded_and_then_believed() -> None:
    roles = {"arbiter": ["I know.", "I do know.", "I insist."], "coding": []}
    async with stage(roles, orchestration={"arbiter": {"consult_first": True}}) as on:
        answer = await on.app.run("Help.")
        assert "Do not answer yet" in on.heard("arbiter")[1]
    assert (answer.status, answer.text) == ("answered", "I insist.")


async def test_the_last_turn_is_for_the_answer() -> None:
    roles = {"arbiter": [Call("consult_coding_specialist", {"query": "?"}), "So."], "coding": ["One."]}
    async with stage(roles, orchestration={"arbiter": {"consult_first": True}, "limits": {"turns": 2}}) as on:
        answer = await on.app.run("Help.")
        assert "tools" not in on.sent("arbiter")[1]
    assert answer.status == "answered"
