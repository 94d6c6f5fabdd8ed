"""Files of other tools: what Camus and OpenCode wrote means what it meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mmos.cli.config_migrate import migrate
from mmos.config.foreign.migrating import migrated
from mmos.config.load import Config, find, from_text, load
from mmos.config.show import describe
from mmos.errors import ConfigError

FIRST = """\
backends:
  - {name: writer-local, type: ollama, url: "http://127.0.0.1:11434/", model: "writer:7b"}
  - {name: critic-local, type: ollama, url: "http://127.0.0.1:11434", model: "critic:8b"}
  - {name: far, url: "http://gpu1:11434/api/generate", model: "writer:7b"}
pipelines:
  default: [writer-local]
  polish:
    - writer-local
    - critic-local
    - far
defaults:
  pipeline: polish
"""
LATER = """\
backends:
  - {name: "My Writer", model: "writer:7b", url: "http://h:11434", capabilities: [fast_inference, UNKNOWN], temperature: 0.2}
  - {name: critic, type: openai, url: "http://h:8000/v1", model: critic, api_key: "$CRITIC_KEY"}
  - {name: here, type: llama_cpp, path: models/here.gguf}
pipelines:
  plain: ["My Writer", critic]
  checked:
    strategy: sequential_with_validation
    steps: [{backend: "My Writer", task: analyze_and_plan}, {backend: here, prompt: "Mend: {{ previous_output }}"}, plain]
  board: {strategy: parallel_ensemble, backends: [critic, here], voting: weighted, weights: [0.6, 0.4]}
  each: {strategy: parallel, backends: [critic, here]}
  fitting: {strategy: intelligent, backends: [critic, here]}
defaults: {pipeline: plain, strategy: intelligent, quality_threshold: 0.7}
multi_model:
  enabled: true
  strategies:
    intelligent_selection:
      type: rule_based
      rules:
        - {task: CODE_GENERATION, preferred_backends: [critic]}
        - {task: REFACTORING, pipeline: checked}
        - {task: ANALYSIS, strategy: ensemble}
        - {task: COOKING, pipeline: checked}
  quality: {validation_enabled: true, minimum_confidence: 0.9, cross_validation: true}
"""
OPENCODE = """\
model = "ollama/main:9b"
[multi_model_patterns.review]
pattern = "sequential"

[[multi_model_patterns.review.models]]
model = "fast"
provider = "ollama"
system_prompt = "You write ${code}."
temperature = 0.8
[[multi_model_patterns.review.models]]
model = "critic:7b"
provider = "lab"
task = "validate"

[multi_model_patterns."a jury"]
pattern = "voting"
enabled = false
models = ["a", {model = "b", gpu_id = 1}]
[multi_model_patterns.merged]
pattern = "ensemble"
aggregation_strategy = "best"
aggregator_model = "fast"
models = ["a",
  "b"]
[multi_model_patterns.merged.rag]
enabled = true
[models.fast]
model = "tiny:1b"
provider = "ollama"
capabilities = ["FAST_INFERENCE"]
[provider.lab]
type = "openai"
base_url = "http://lab:8000/v1"
api_key = "{env:LAB_KEY}"
[gpu]
strategy = "spread"
colour = "red"
"""


def config_of(folder: Path, text: str, name: str = "config.yml") -> Config:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load(path, environ={})


def problems(folder: Path, text: str, name: str = "config.yml") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config_of(folder, text, name)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_a_file_of_the_first_kind(tmp_path):
    config = config_of(tmp_path, FIRST)
    said = config.orchestration
    assert config.warnings == ()
    assert {name: server.url for name, server in said.servers.items()} == {"local": "http://127.0.0.1:11434", "gpu1": "http://gpu1:11434"}
    assert [(member.model, member.server) for member in said.patterns["polish"].models] == [
        ("writer-local", "local"),
        ("critic-local", "local"),
        ("far", "gpu1"),
    ]
    assert said.patterns["polish"].pattern == "sequential"
    assert said.defaults.pattern == "polish"
    assert (said.arbiter.model, config.roles()["arbiter"].model) == ("writer-local", "writer:7b")
    assert not said.specialists
    assert config.document.problem(("orchestration", "servers", "gpu1"), "it is down").key == "backends[2]"


def test_a_file_of_the_later_kind(tmp_path):
    config = config_of(tmp_path, LATER)
    said = config.orchestration
    assert (said.servers["h-2"].kind, said.servers["h-2"].api_key_env) == ("openai", "CRITIC_KEY")
    assert config.defined["direct"].models == {"here": str(tmp_path / "models/here.gguf")}
    assert said.models["My-Writer"].capabilities == ["FAST_INFERENCE"]
    checked = said.patterns["checked"]
    assert (checked.pattern, checked.validate_) == ("sequential", True)
    assert [(one.model, one.name, one.task, one.temperature) for one in checked.models] == [
        ("My-Writer", "My Writer", "analyze_and_plan", 0.2),
        ("here", None, None, 0.7),
        ("pattern:plain", None, None, 0.7),
    ]
    board = said.patterns["board"]
    assert (board.pattern, board.aggregate, board.voting, [one.weight for one in board.models]) == (
        "ensemble",
        "vote",
        "weighted",
        [0.6, 0.4],
    )
    assert (said.patterns["each"].pattern, said.patterns["fitting"].pattern) == ("parallel", "specialized")
    assert (said.defaults.pattern, said.defaults.strategy, said.defaults.quality_threshold) == ("plain", "intelligent", 0.7)
    assert [(rule.condition, rule.model or rule.pattern) for rule in said.routing.rules] == [
        ("task.type == 'code_generation'", "critic"),
        ("task.type == 'refactoring'", "checked"),
        ("task.type == 'code_analysis'", "board"),
    ]
    assert (said.quality.validation, said.quality.minimum_confidence, said.quality.cross_validation) == ("always", 0.9, True)
    assert [problem.key for problem in config.warnings] == [
        "backends[0].capabilities[1]",
        "backends[1].api_key",
        "backends[2].path",
        "multi_model.strategies.intelligent_selection.rules[3].task",
    ]


def test_what_later_versions_add_may_be_switched_off(tmp_path):
    config = config_of(tmp_path, LATER.replace("enabled: true\n  strategies", "enabled: false\n  strategies"))
    said = config.orchestration
    assert (said.routing.rules, said.quality.validation, said.defaults.strategy) == ([], "on_request", None)
    assert {name: pattern.enabled for name, pattern in said.patterns.items()} == {
        "plain": True, "checked": False, "board": False, "each": False, "fitting": False,
    }  # fmt: skip
    assert "multi_model.strategies: it does nothing, because multi_model.enabled is not true" in str(config.warnings[-2])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("default: [writer-local]", "default: [writer-locl]", "config.yml:6: pipelines.default[0]: found \"writer-locl\" (a string), allowed: the name of a backend: writer-local, critic-local, far; did you mean 'writer-local'?"),
        ("pipeline: polish", "pipeline: polis", 'config.yml:12: defaults.pipeline: found "polis" (a string), allowed: the name of a pipeline: default, polish'),
        ("type: ollama, url: \"http://127.0.0.1:11434/\"", "type: anthropic, url: x", None),
        ("model: \"critic:8b\"", "modell: x", "config.yml:3: backends[1]: 'model' is missing; it is required here"),
        ("name: far", "name: writer-local", "config.yml:4: backends[2].name: 'writer-local' is the name of two backends; change one of them"),
        ("default: [writer-local]", "default: []", "config.yml:6: pipelines.default: the pipeline has no backend; name at least one"),
        ("default: [writer-local]", "default: {strategy: ensemble, backends: [far, critic-local], weights: [1]}", "config.yml:6: pipelines.default.weights: found 1 weight for 2 backends, allowed: one weight for each"),
        ("default: [writer-local]", "default: {strategy: ensembl, backends: [far]}", None),
        ("http://gpu1:11434/api/generate", "ftp://gpu1", 'config.yml:4: backends[2].url: found "ftp://gpu1" (a string), allowed: an address like "http://ollama01:11434" or "https://…"'),
    ],
)  # fmt: skip
def test_an_error_names_the_line_and_the_key_of_the_file(tmp_path, old, new, expected):
    assert old in FIRST
    found = problems(tmp_path, FIRST.replace(old, new))
    assert expected in (None, found[0])


def test_a_file_of_opencode(tmp_path):
    config = config_of(tmp_path, OPENCODE, "opencode.toml")
    said = config.orchestration
    assert (said.arbiter.model, said.gpu.strategy) == ("main:9b", "spread")
    assert {name: (server.url, server.kind, server.api_key_env) for name, server in said.servers.items()} == {
        "lab": ("http://lab:8000/v1", "openai", "LAB_KEY"),
        "local": ("http://localhost:11434", "ollama", None),
    }
    writer, critic = said.patterns["review"].models
    assert (writer.model, writer.provider, writer.system_prompt, writer.temperature) == ("fast", "ollama", "You write ${code}.", 0.8)
    assert (critic.server, critic.provider, critic.task) == ("lab", None, "validate")
    jury = said.patterns["a-jury"]
    assert (jury.pattern, jury.voting, jury.enabled, jury.models[1].gpu_id) == ("voting", "majority", False, 1)
    merged = said.patterns["merged"]
    assert (merged.aggregate, merged.aggregator_model, [one.model for one in merged.models]) == ("best", "fast", ["a", "b"])
    assert said.defaults.pattern is None
    assert [(problem.where.rpartition(":")[2], problem.key) for problem in config.warnings] == [
        ("15", "multi_model_patterns.a jury"),
        ("25", "multi_model_patterns.merged.rag"),
        ("34", "provider.lab.api_key"),
        ("37", "gpu.colour"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('pattern = "voting"', 'pattern = "votin"', "opencode.toml:16: multi_model_patterns.a jury.pattern"),
        ("temperature = 0.8", 'temperature = "hot"', 'opencode.toml:9: multi_model_patterns.review.models[0].temperature: found "hot" (a string), allowed: a number from 0 to 10'),
        ('provider = "lab"', 'provider = "cloudy"', "opencode.toml:12: multi_model_patterns.review.models[1].provider"),
        ("temperature = 0.8", "temperature = ", "opencode.toml:9: this is not valid TOML: Invalid value"),
        ('[[multi_model_patterns.review.models]]\nmodel = "critic:7b"', "[[multi_model_patterns.review.models]]", "opencode.toml:10: multi_model_patterns.review.models[1]: 'model' is missing; it is required here"),
    ],
)  # fmt: skip
def test_an_error_names_the_line_of_a_toml_file(tmp_path, old, new, expected):
    assert old in OPENCODE
    (found,) = problems(tmp_path, OPENCODE.replace(old, new), "opencode.toml")
    assert found.startswith(expected)


def test_a_member_runs_where_its_model_does(tmp_path):
    text = """
[models.judge]
model = "judge:70b"
provider = "lmstudio"
[multi_model_patterns.pick]
pattern = "specialized"
models = ["judge", {model = "judge", provider = "ollama"}, "other"]
"""
    config = config_of(tmp_path, text, "opencode.toml")
    assert [(one.name, one.servers) for one in config.members()] == [
        ("pick/judge", ("studio",)),
        ("pick/judge", ("local",)),
        ("pick/other", ()),
    ]


@pytest.mark.parametrize(("word", "shape", "expected"), [
    ("best", "voting", ("ensemble", "best")),
    ("Consensus", "voting", ("ensemble", "consensus")),
    ("best_of_n", "ensemble", ("ensemble", "best_of_n")),
])  # fmt: skip
def test_a_way_to_vote_that_counts_no_votes_is_an_ensemble(tmp_path, word, shape, expected):
    camus = FIRST.replace("[writer-local]", f"{{strategy: {shape}, backends: [writer-local, far], voting: {word}}}")
    toml = f'[multi_model_patterns.default]\npattern = "{shape}"\nvoting_strategy = "{word}"\nmodels = ["a", "b"]\n'
    for text, name in ((camus, "config.yml"), (toml, "opencode.toml")):
        config = config_of(tmp_path, text, name)
        found = config.orchestration.patterns["default"]
        assert (found.pattern, found.aggregate, config.warnings) == (*expected, ())


def test_the_options_of_a_backend_hold_in_its_pipelines(tmp_path):
    text = FIRST.replace('model: "critic:8b"', 'model: "critic:8b", options: {temperature: 0.1, num_ctx: 2048}')
    config = config_of(tmp_path, text)
    (critic,) = [one for one in config.members() if one.name == "polish/critic-local"]
    assert (critic.options["temperature"], critic.window, config.warnings) == (0.1, 2048, ())


def test_what_a_toml_file_says_of_a_model_holds_for_its_members(tmp_path):
    text = """
[models.coder]
model = "coder:7b"
max_tokens = 500
temperature = 0.2
options = {top_p = 0.5}
[multi_model_patterns.pair]
pattern = "sequential"
models = ["coder", {model = "coder", temperature = 0.9}]
"""
    config = config_of(tmp_path, text, "opencode.toml")
    assert [one.options for one in config.members()] == [
        {"temperature": 0.2, "num_predict": 500, "top_p": 0.5},
        {"temperature": 0.9, "num_predict": 500, "top_p": 0.5},
    ]
    assert not config.warnings
    (problem,) = problems(tmp_path, text.replace("0.2", '"hot"'), "opencode.toml")
    assert problem.startswith("opencode.toml:5: models.coder.temperature: ")


@pytest.mark.parametrize("text", ["", "x = [1]\n", "[models]\n", "multi_model_patterns = 3\n"])
def test_a_toml_file_without_models_is_an_error(tmp_path, text):
    assert problems(tmp_path, text, "opencode.toml")


@pytest.mark.parametrize(
    "text", ["x = " + "[" * 5000, "x = 1\nx = 2", "a = 2020-01-01\n[multi_model_patterns]", 'x = """\n' + "]\n" * 500 + '"""']
)
def test_a_toml_file_that_cannot_be_read_is_an_error(tmp_path, text):
    assert problems(tmp_path, text, "opencode.toml")[0].startswith("opencode.toml")


def test_the_files_of_other_tools_are_found_after_our_own(tmp_path):
    for name in ("opencode.toml", ".camus/config.yml", "orchestration.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x", encoding="utf-8")
        source = find(None, {"HOME": str(tmp_path)}, tmp_path)
        assert (source.name, source.path, source.found) == (name, path, True)


def test_a_file_below_camus_is_for_the_folder_around_it(tmp_path):
    assert config_of(tmp_path, FIRST, ".camus/config.yml").folder == tmp_path


def test_a_run_keeps_the_file_in_our_keys(tmp_path):
    for text, name in ((FIRST, "config.yml"), (LATER, "config.yml"), (OPENCODE, "opencode.toml")):
        config = config_of(tmp_path, text, name)
        assert from_text(config.text, "", {}).orchestration == config.orchestration


@pytest.mark.parametrize(("text", "name"), [(FIRST, ".camus/config.yml"), (LATER, ".camus/config.yml"), (OPENCODE, "opencode.toml")])
def test_a_migrated_file_does_the_same(tmp_path, text, name):
    config = config_of(tmp_path, text, name)
    written = migrated(config.document)
    again = from_text(written, "orchestration.yaml", {})
    assert again.orchestration == config.orchestration
    assert all(f"# - {note.key}: " in written for note in config.document.notes)
    assert again.document.tool == ""


def test_what_is_shown_of_a_file_of_another_tool_is_ours_with_its_lines(tmp_path):
    config = config_of(tmp_path, OPENCODE, "opencode.toml")
    shown = describe(config)
    assert f"aggregate: best  # {tmp_path}/opencode.toml:21" in shown
    assert from_text(shown, "shown", {}).orchestration.patterns == config.orchestration.patterns


def test_migrate_prints_or_writes_and_overwrites_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".camus").mkdir()
    (tmp_path / ".camus" / "config.yml").write_text(FIRST, encoding="utf-8")
    printed = CliRunner().invoke(migrate, [])
    assert (printed.exit_code, printed.stdout.splitlines()[1]) == (0, "orchestration:")
    assert not (tmp_path / "orchestration.yaml").exists()
    assert CliRunner().invoke(migrate, ["--write"]).exit_code == 0
    assert (tmp_path / "orchestration.yaml").read_text(encoding="utf-8") == printed.stdout
    again = CliRunner().invoke(migrate, [".camus/config.yml", "--write"])
    assert (again.exit_code, "exists already" in again.stderr) == (2, True)
    own = CliRunner().invoke(migrate, ["orchestration.yaml"])
    assert (own.exit_code, "nothing to migrate" in own.stderr) == (2, True)
    assert "cannot be used together" in CliRunner().invoke(migrate, ["--out", "x", "--write"]).stderr
    document = json.loads(CliRunner().invoke(migrate, ["--json", "--out", "new.yaml"]).stdout)
    assert (document["tool"], document["written"], document["text"]) == ("Camus", "new.yaml", printed.stdout)
