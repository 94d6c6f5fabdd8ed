"""`mmos pipeline`: the pipelines of a file, what of them answers, and who answers by default."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from mmos.cli.pipeline import pipeline
from mmos.config.load import load
from mmos.journal import Journal
from mmos.pattern_events import PatternBegun, PatternEnded
from tests.shell import shell

CAMUS = """\
backends:  # mine
  - {name: first, model: "a:7b", url: "http://127.0.0.1:9"}
  - {name: second, model: "b:7b", url: "http://127.0.0.1:9"}
pipelines:
  default: [first]
  two steps: {strategy: sequential_with_validation, steps: [{backend: first, task: plan}, second]}
  board: {strategy: ensemble, backends: [first, second]}
defaults: {pipeline: default}  # usual
"""
OWN = """\
orchestration:
  arbiter: {model: m}
  patterns:
    chain: {pattern: sequential, models: [a, {role: arbiter}, "pattern:poll"]}
    poll: {pattern: voting, models: [a, b]}
    old: {pattern: sequential, enabled: false, models: [a]}
"""


def called(folder: Path, monkeypatch: pytest.MonkeyPatch, *args: str) -> Result:
    monkeypatch.chdir(folder)
    return CliRunner().invoke(pipeline, list(args))


def written(folder: Path, text: str, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_list_has_what_the_file_calls_pipelines(tmp_path, monkeypatch):
    written(tmp_path, CAMUS, ".camus/config.yml")
    lines = called(tmp_path, monkeypatch, "list").stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["PIPELINE", "DEFAULT", "ENABLED", "STEPS"],
        ["default", "yes", "yes", "first"],
        ["two-steps", "yes", "first", "(plan)", "→", "second,", "each", "checked"],
        ["board", "yes", "ensemble:", "first,", "second"],
    ]
    found = json.loads(called(tmp_path, monkeypatch, "list", "--json").stdout)["pipelines"]
    assert [(one["name"], one["default"], [step["model"] for step in one["steps"]]) for one in found] == [
        ("default", True, ["a:7b"]),
        ("two-steps", False, ["a:7b", "b:7b"]),
        ("board", False, ["a:7b", "b:7b"]),
    ]


def test_in_our_own_file_pipelines_are_sequences(tmp_path, monkeypatch):
    written(tmp_path, OWN, "orchestration.yaml")
    found = json.loads(called(tmp_path, monkeypatch, "list", "--json").stdout)["pipelines"]
    assert [(one["name"], one["enabled"], [step["name"] for step in one["steps"]]) for one in found] == [
        ("chain", True, ["a", "arbiter", "pattern:poll"]),
        ("old", False, ["a"]),
    ]


@pytest.mark.parametrize(
    ("strategy", "meant", "line"),
    [
        ("two-steps", "two-steps", 'defaults: {pipeline: default, strategy: "two steps"}  # usual'),
        ("intelligent", "intelligent", "defaults: {pipeline: default, strategy: intelligent}  # usual"),
        ("ensemble", "board", "defaults: {pipeline: default, strategy: board}  # usual"),
        ("none", None, "defaults: {pipeline: default, strategy: null}  # usual"),
    ],
)
def test_set_strategy_changes_one_line_of_a_file_of_another_tool(tmp_path, monkeypatch, strategy, meant, line):
    path = written(tmp_path, CAMUS, ".camus/config.yml")
    assert called(tmp_path, monkeypatch, "set-strategy", strategy, "--dry-run").exit_code == 0
    assert path.read_text(encoding="utf-8") == CAMUS
    assert called(tmp_path, monkeypatch, "set-strategy", strategy).exit_code == 0
    assert path.read_text(encoding="utf-8").splitlines() == [*CAMUS.splitlines()[:-1], line]
    assert load(path, environ={}).orchestration.defaults.strategy == meant


def test_set_strategy_writes_into_our_own_file(tmp_path, monkeypatch):
    path = written(tmp_path, OWN, "orchestration.yaml")
    changed = called(tmp_path, monkeypatch, "set-strategy", "chain", "--json")
    assert json.loads(changed.stdout)["written"] is True
    assert path.read_text(encoding="utf-8") == f"{OWN}  defaults:\n    strategy: chain\n"
    again = called(tmp_path, monkeypatch, "set-strategy", "chain")
    assert (again.exit_code, again.stdout, "says that already" in again.stderr) == (0, "", True)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [("chian", "did you mean 'chain'?"), ("old", "switched off"), ("parallel", "There is no pattern parallel.")],
)
def test_set_strategy_refuses_what_would_do_nothing(tmp_path, monkeypatch, strategy, expected):
    path = written(tmp_path, OWN, "orchestration.yaml")
    refused = called(tmp_path, monkeypatch, "set-strategy", strategy)
    assert (refused.exit_code, expected in refused.stderr) == (2, True)
    assert path.read_text(encoding="utf-8") == OWN


def test_a_file_that_cannot_be_changed_says_what_to_do(tmp_path, monkeypatch):
    written(tmp_path, 'model = "m"\n[multi_model_patterns.p]\npattern = "sequential"\nmodels = ["a"]\n', "opencode.toml")
    refused = called(tmp_path, monkeypatch, "set-strategy", "p")
    assert (refused.exit_code, "mmos config migrate opencode.toml --write" in refused.stderr) == (2, True)


def test_without_a_pipeline_the_status_asks_no_host(tmp_path, monkeypatch):
    servers = '  servers: {gone: {url: "http://127.0.0.1:9"}}\n'
    written(tmp_path, f"orchestration:\n  arbiter: {{model: m}}\n{servers}", "orchestration.yaml")
    result = called(tmp_path, monkeypatch, "status")
    assert result.exit_code == 0
    assert "The configuration has no pipeline." in result.stderr


async def test_the_status_says_what_answers_and_how_the_last_runs_ended(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["x"]}) as at:
        tree = yaml.safe_load((tmp_path / "orchestration.yaml").read_text())["orchestration"]
        tree["servers"]["gone"] = {"url": "http://127.0.0.1:9"}
        model, gone = tree["arbiter"]["model"], {"model": "x:1b", "server": "gone"}
        tree["patterns"] = {
            "good": {"pattern": "sequential", "models": [{"role": "arbiter"}, model]},
            "bad": {"pattern": "sequential", "models": ["no:1b", gone]},
        }
        (tmp_path / "orchestration.yaml").write_text(yaml.safe_dump({"orchestration": tree}))
        async with await Journal.open(tmp_path / ".mmos") as journal:
            journal.append("r1", "t", PatternBegun("p", name="good", shape="sequential"))
            journal.append("r1", "t", PatternEnded("p", "partial", seconds=2.0))
        shown = await at.mmos("pipeline", "status", "--json")
        wrong = await at.mmos("pipeline", "status", "goood")
    assert shown.code == 1
    bad, good = sorted(shown.document["pipelines"], key=lambda one: one["name"])
    assert [(step["state"], bool(step["hosts"])) for step in good["steps"]] == [("ready", True), ("ready", True)]
    assert [step["state"] for step in bad["steps"]] == ["no such model", "no answer"]
    assert [(run["run"], run["status"], run["seconds"]) for run in good["runs"]] == [("r1", "partial", 2.0)]
    assert (wrong.code, "did you mean 'good'?" in wrong.err) == (2, True)
