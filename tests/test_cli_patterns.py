"""`mmos patterns list` and `show`: how a pattern goes, what it costs, and what is said when something is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mmos.app.flow import Flow, flows, ranges
from mmos.cli.main import mmos
from mmos.cli.patterns.drawing import drawn
from mmos.config.load import Config, load
from mmos.errors import NotFound

FILE = """
orchestration:
  servers:
    gpu1: {url: "http://127.0.0.1:9", vram_gb: 11}
    gpu2: {url: "http://127.0.0.1:9", vram_gb: 24, gpus: [0, 1]}
  arbiter: {model: "qwen2.5:14b", server: gpu1}
  specialists:
    coding: {model: "qwen2.5-coder:7b", server: gpu2}
  patterns:
    code_review:
      pattern: sequential
      max_steps: 2
      models: [{model: llama3.2, task: generate}, {model: "mistral:7b", server: gpu2, task: refine}, never]
    second_opinion:
      pattern: ensemble
      description: Two answers become one.
      models: [{role: coding}, llama3.2, "pattern:code_review"]
    poll: {pattern: voting, models: [a, b, c]}
    best: {pattern: ensemble, aggregate: best_of_n, samples: 3, aggregator_model: "judge:7b", models: [a]}
    fits: {pattern: specialized, enabled: false, models: [a, {model: b, gpu_id: 1}]}
    round: {pattern: ensemble, models: [a]}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    (tmp_path / "orchestration.yaml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    from mmos.config.sources import find

    return load(find("orchestration.yaml", {}, tmp_path), environ={})


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(mmos, ["patterns", *arguments])


def models(flow: Flow, others: dict[str, Flow]) -> list[list[list[str]]]:
    return [[[call.model for call in stage] for stage in stages] for stages in ranges(flow, others, 1000.0)]


def test_the_calls_of_each_form(config: Config) -> None:
    found = flows(config)
    assert models(found["code_review"], found) == [[["llama3.2"], ["mistral:7b"]]]
    assert models(found["second_opinion"], found) == [[["qwen2.5-coder:7b", "llama3.2", "llama3.2"], ["mistral:7b"], ["qwen2.5-coder:7b"]]]
    assert models(found["poll"], found) == [[["a", "b"]], [["a", "b", "c"]]]
    assert models(found["best"], found) == [[["a", "a", "a"], ["judge:7b"]]]
    assert models(found["fits"], found) == [[["a"]], [["b"]]]
    assert models(found["round"], found) == [[["a"]]]


def test_a_later_step_reads_more_and_a_member_runs_where_it_may(config: Config) -> None:
    found = flows(config)
    (stages,) = ranges(found["code_review"], found, 500.0)
    assert [stage[0].prompt_tokens for stage in stages] == [500.0, 700.0]
    assert [stage[0].hosts for stage in stages] == [(), ("gpu2",)]
    assert found["fits"].members[1].servers in ((), ("gpu2",))


def test_a_sequence_is_drawn_in_a_row_and_an_ensemble_as_a_fan(config: Config) -> None:
    found = flows(config)
    assert drawn(found["code_review"], 80) == ["input → llama3.2 → mistral:7b → answer"]
    assert drawn(found["code_review"], 20) == ["input → llama3.2", "  → mistral:7b", "  → answer"]
    assert drawn(found["second_opinion"], 80) == [
        "       ┌→ qwen2.5-coder:7b    ─┐",
        "input ─┼→ llama3.2            ─┼→ synthesize (qwen2.5-coder:7b) → answer",
        "       └→ pattern:code_review ─┘",
    ]
    assert drawn(found["fits"], 30)[-1] == "  → the one that fits → answer"
    assert all(len(line) <= 12 for line in drawn(found["poll"], 12))


def test_list_shows_forms_members_and_what_is_not_enabled(config: Config) -> None:
    shown = typed("list")
    assert shown.exit_code == 0
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert lines[1] == ["code_review", "sequential", "yes", "llama3.2,", "mistral:7b,", "never"]
    assert lines[5][:3] == ["fits", "specialized", "no"]
    document = json.loads(typed("list", "--json").stdout)
    assert [one["name"] for one in document["patterns"] if not one["built_in"]] == list(config.orchestration.patterns)
    assert document["patterns"][-1]["name"] == "review_refinement"
    assert [member["task"] for member in document["patterns"][-1]["members"]] == ["review", "refine"]
    assert document["patterns"][1]["members"][0]["role"] == "coding"


def test_the_name_of_a_form_says_how_to_ask_with_it(config: Config) -> None:
    error = typed("show", "ensemble", "--offline").exception
    assert isinstance(error, NotFound)
    assert error.message == "'ensemble' is a form of patterns, not a pattern."
    assert "mmos run --pattern ensemble TASK" in error.next_step


def test_show_without_hosts_says_how_it_goes_and_nothing_of_the_cost(config: Config) -> None:
    shown = typed("show", "second_opinion", "--offline").stdout
    assert "Two answers become one." in shown
    assert "cost" not in shown
    document = json.loads(typed("show", "code_review", "--offline", "--json").stdout)
    assert (document["cost"], document["flow"]) == (None, ["input → llama3.2 → mistral:7b → answer"])
    assert [member["task"] for member in document["members"]] == ["generate", "refine", None]


def test_show_says_when_no_host_can_serve_a_model(config: Config) -> None:
    shown = typed("show", "code_review")
    assert shown.exit_code == 0
    assert "mistral:7b: no host can serve it now." in shown.stdout
    cost = json.loads(typed("show", "code_review", "--json").stdout)["cost"]
    assert cost["missing"] == ["llama3.2:latest", "mistral:7b"]


def test_show_tells_the_cost_on_the_fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "orchestration.yaml").write_text(
        'orchestration: {servers: {gpu1: {url: "http://h1:1", vram_gb: 12}}, arbiter: {model: "qwen2.5:7b", server: gpu1}, specialists: '
        '{coding: {model: "qwen2.5-coder:7b", server: gpu1}}, patterns: {pair: {pattern: ensemble, models: [{role: arbiter}, {role: coding}]}}}'
    )
    monkeypatch.chdir(tmp_path)
    shown = typed("show", "pair", "--rehearse", "-c", "orchestration.yaml")
    assert shown.exit_code == 0
    assert "cost for a task of 1,000 tokens: 2 loads, about" in shown.stdout
    assert "GPU-seconds" in shown.stdout
    assert "qwen2.5:7b on gpu1: loads in about" in shown.stdout


def test_a_wrong_name_gets_the_nearest_one(config: Config) -> None:
    shown = typed("show", "code_reviews", "--offline")
    assert shown.exit_code != 0
    assert "code_review" in str(shown.exception)


def test_the_library_is_drawn_where_members_read_it(config: Config, tmp_path: Path) -> None:
    text = FILE.replace("poll: {pattern: voting,", "poll: {pattern: voting, rag: {collection: docs},").replace(
        "round: {pattern: ensemble,", "round: {pattern: ensemble, rag: true,"
    )
    (tmp_path / "orchestration.yaml").write_text(text)
    found = json.loads(typed("show", "poll", "--offline", "--json").stdout)
    assert found["rag"] == {"collection": "docs"}
    assert found["flow"] == [
        "                        ┌→ a ─┐",
        "input → library (docs) ─┼→ b ─┼→ vote (auto) → answer",
        "                        └→ c ─┘",
    ]
    found = json.loads(typed("show", "round", "--offline", "--json").stdout)
    assert (found["rag"], found["flow"]) == ({"collection": None}, ["input → library → a → synthesize (a) → answer"])
    assert json.loads(typed("show", "best", "--offline", "--json").stdout)["rag"] is None
