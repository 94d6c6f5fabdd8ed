"""Patterns as users ask for them: on the command line, by a name with changes, and with members that nobody names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mmos import RunOptions
from mmos.cli.main import mmos
from mmos.errors import UsageError
from mmos.testing import stage
from tests.shell import shell
from tests.terminal import terminal

SEQUENCE = {"pattern": "sequential", "models": [{"role": "coding", "task": "generate"}, {"role": "analysis", "task": "validate"}]}
FILE = """
orchestration:
  servers: {gpu1: {url: "http://h:1", vram_gb: 24}, gpu2: {url: "http://h:2", vram_gb: 24}}
  arbiter: {model: "qwen2.5:14b", server: gpu1}
  specialists: {coding: {model: "qwen2.5-coder:7b", server: gpu2}, reasoning: {model: "qwen2.5:7b", server: gpu2}}
"""


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(mmos, [*arguments, "--rehearse", "-c", "orchestration.yaml", "--state", "state"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "orchestration.yaml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_without_members_the_models_of_the_roles_work() -> None:
    async with stage({"arbiter": ["three"], "coding": ["one"], "analysis": ["two"]}) as on:
        answer = await on.app.run("Count.", options=RunOptions(pattern={"pattern": "sequential"}))
        assert answer.text == "three"
        assert [member["name"] for member in answer.document()["patterns"][0]["members"]] == ["coding", "analysis", "arbiter"]


async def test_a_pattern_of_the_file_may_be_changed_for_one_run() -> None:
    async with stage({"arbiter": [], "coding": ["one", "again"], "analysis": ["two"]}, orchestration={"patterns": {"fix": SEQUENCE}}) as on:
        answer = await on.app.run("Count.", options=RunOptions(pattern={"name": "fix", "max_steps": 1}))
        (document,) = answer.document()["patterns"]
        assert (answer.text, document["name"], len(document["members"])) == ("one", "fix", 1)
        with pytest.raises(UsageError, match="did you mean 'fix'"):
            await on.app.run("Count.", options=RunOptions(pattern={"name": "fixx", "max_steps": 1}))


def test_a_run_says_who_works_and_its_record_says_it_again(folder: Path) -> None:
    ran = typed(
        "run", "--pattern", "sequential", "--models", "qwen2.5-coder:7b", "--models", "qwen2.5:7b@gpu2", "What is a mutex?", "--json"
    )
    assert ran.exit_code == 0
    shown = ran.stderr.splitlines()
    assert shown[0] == "Running sequential pattern with 2 models..."
    assert shown[1].startswith("  ✓ qwen2.5-coder:7b on gpu2 · answered · ")
    document = json.loads(ran.stdout)
    assert [(one["model"], one["host"], one["status"]) for one in document["patterns"][0]["members"]] == [
        ("qwen2.5-coder:7b", "gpu2", "answered"),
        ("qwen2.5:7b", "gpu2", "answered"),
    ]
    record = typed("runs", "show", document["run"]).stdout
    assert "pattern sequential (sequential) begins with qwen2.5-coder:7b, qwen2.5:7b" in record
    assert "member qwen2.5:7b on gpu2 · answered" in record


def test_a_rehearsed_judge_chooses(folder: Path) -> None:
    ran = typed("run", "--ensemble", "--aggregate", "best", "Implement a binary search function in Python.", "--json")
    document = json.loads(ran.stdout)
    assert document["status"] == "answered"
    assert "says most. (rehearsed)" in ran.stderr
    assert "def find(items, wanted)" in document["answer"]


def test_members_keep_to_the_gpu_that_they_or_the_run_names(folder: Path) -> None:
    servers = 'servers: {gpu1: {url: "http://h:1", vram_gb: 24, gpus: [0]}, gpu2: {url: "http://h:2", vram_gb: 24, gpus: [1]}}'
    member = "{model: 'qwen2.5:7b', server: [gpu1, gpu2]%s}"
    own = f"fix: {{pattern: sequential, models: [{member % ', gpu_id: 1'}, {member % ''}]}}"
    (folder / "orchestration.yaml").write_text(
        f"orchestration: {{{servers}, arbiter: {{model: 'qwen2.5:7b', server: [gpu1, gpu2]}}, patterns: {{{own}}}}}"
    )
    first = json.loads(typed("run", "--multi-model", "fix", "What is a mutex?", "--json").stdout)
    assert first["patterns"][0]["members"][0]["host"] == "gpu2"
    second = json.loads(
        typed("run", "--pattern", "sequential", "--models", "qwen2.5:7b", "--gpu", "0", "What is a mutex?", "--json").stdout
    )
    assert [member["host"] for member in second["patterns"][0]["members"]] == ["gpu1"]


def test_no_progress_is_no_progress(folder: Path) -> None:
    ran = typed("run", "--multi-model", "generation_validation", "--no-progress", "What is a mutex?")
    assert (ran.exit_code, ran.stderr) == (0, "")


@pytest.mark.parametrize(("name", "near"), [("generation_validatio", "generation_validation"), ("sequental", "sequential")])
def test_a_name_that_nobody_has_is_wrong_usage(folder: Path, name: str, near: str) -> None:
    ran = typed("run", "--strategy", name, "Hello.", "--json")
    assert ran.exit_code == 2 or isinstance(ran.exception, UsageError)
    assert near in ran.stdout + str(ran.exception)


async def test_a_pattern_answers_in_chat_until_it_is_turned_off(tmp_path: Path) -> None:
    script = {"arbiter": ["alone", "three", "alone again"], "coding": ["one", "once"], "reasoning": ["two", "twice"]}
    async with shell(tmp_path, script) as on:
        async with terminal(tmp_path, "chat", columns=120) as at:
            await at.shows("/help")
            at.say("/pattern")
            await at.shows("No pattern answers now.")
            at.say("/pattern sequential")
            await at.shows("The pattern sequential answers from now on.")
            at.say("Count.")
            await at.shows("✓ sequential · Running sequential pattern with 3 models...")
            await at.shows("✓ [1] coding · coding on here")
            at.say("/pattern off")
            await at.shows("The arbiter answers again.")
            at.say("/pattern generation_validation Once.")
            await at.shows("twice")
            at.say("/pattern generation_validatio")
            await at.shows("did you mean 'generation_validation'?")
            at.say("Hello.")
            await at.shows("alone")
            at.say("/quit")
            assert await at.ended() == 0
        assert [len(on.on.heard(role)) for role in ("arbiter", "coding", "reasoning")] == [2, 2, 2]


async def test_at_a_terminal_each_member_at_work_has_a_live_line_that_leaves_nothing(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [], "coding": ["one"], "reasoning": ["two"]}) as on:
        on.on.host.faults.add("late", path="/api/chat", seconds=0.5)
        async with terminal(tmp_path, "run", "--multi-model", "generation_validation", "Count.", columns=120) as at:
            await at.shows("Running sequential pattern with 2 models...")
            await at.shows("coding · coding")
            assert await at.ended() == 0
        left = [line for line in at.lines if line]
        assert [line[:12] for line in left if "coding" in line] == ["  ✓ coding o"]
        assert "two" in left
