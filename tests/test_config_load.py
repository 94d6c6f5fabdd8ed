"""Finding, reading and expanding a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.config.load import Source, find, from_mapping, from_text, load
from mmos.errors import ConfigError, Problem

ROOT = Path(__file__).parent.parent

ARCHITECTURE_EXAMPLE = """\
orchestration:
  servers:                      # optional
    ollama01: {url: "http://ollama01:11434", vram_gb: 11, parallel: 1}
    ollama02: {url: "http://ollama02:11434", vram_gb: 48, gpus: [0, 1]}
    studio:   {url: "http://127.0.0.1:1234/v1", kind: openai, api_key_env: STUDIO_KEY}
    here:     {kind: embedded, models: {"smollm2:135m": builtin, "mine": "~/models/mine.gguf"}, parallel: 2}   # llama.cpp in a process of ours
  arbiter: {model: "qwen2.5:14b", server: ollama01, role: coordinator}
  specialists:
    coding:      {model: "qwen2.5-coder:32b", server: ollama02, context_window: 16384}
    reasoning:   {model: "qwen2.5:32b", server: ollama02, context_window: 16384}
    analysis:    {model: "qwen2.5:14b", server: ollama01, context_window: 8192}
    interpreter: {model: functiongemma, server: ollama01, context_window: 8192}
  routing:
    rules:
      - {condition: "task.complexity > 7", specialist: reasoning}
      - {condition: "task.type == 'code_generation'", specialist: coding}
      - {condition: "task.requires_speed", specialist: analysis}
      - {condition: "response.unclear_tool_calls", specialist: interpreter}
  conversation: {max_models_per_conversation: 3, include_full_history: false, allow_model_to_model: true, arbiter_reviews_all: true}
"""
MINIMAL = "orchestration:\n  arbiter: {model: m}\n"


def test_the_example_of_the_architecture_loads():
    config = from_text(ARCHITECTURE_EXAMPLE, "example", {})
    assert list(config.orchestration.specialists) == ["coding", "reasoning", "analysis", "interpreter"]
    assert config.orchestration.servers["ollama02"].gpus == [0, 1]
    assert config.orchestration.servers["here"].models == {"smollm2:135m": "builtin", "mine": "~/models/mine.gguf"}
    assert [rule.specialist for rule in config.orchestration.routing.rules] == ["reasoning", "coding", "analysis", "interpreter"]
    assert config.text == ARCHITECTURE_EXAMPLE


def test_the_file_of_the_repository_is_that_example():
    config = load(ROOT / "orchestration.yaml", environ={})
    assert config.orchestration == from_text(ARCHITECTURE_EXAMPLE, "example", {}).orchestration
    assert config.path == ROOT / "orchestration.yaml"
    assert config.folder == ROOT


def test_what_the_world_lacks_is_a_warning():
    config = from_text(ARCHITECTURE_EXAMPLE, "o.yaml", {"HOME": "/nowhere"})
    keys = {problem.key: problem for problem in config.warnings}
    assert str(keys["orchestration.servers.studio.api_key_env"]) == (
        "o.yaml:5: orchestration.servers.studio.api_key_env: STUDIO_KEY is not set in the environment; MMOS cannot use this server without it"
    )
    assert keys["orchestration.servers.here.models.mine"].message == "there is no file ~/models/mine.gguf"


def test_a_name_that_no_server_has_is_a_host_on_the_usual_port():
    config = from_text("orchestration: {arbiter: {model: m, server: [big, gpu7]}, servers: {big: {url: 'http://big:1'}}}", "f", {})
    assert {name: server.url for name, server in config.servers().items()} == {"big": "http://big:1", "gpu7": "http://gpu7:11434"}


@pytest.mark.parametrize(
    ("ollama_host", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("gpu1", "http://gpu1:11434"),
        ("gpu1:8080", "http://gpu1:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:99999", "http://127.0.0.1:11434"),
        ("http://gpu1", "http://gpu1:80"),
        ("https://gpu1/ollama", "https://gpu1:443/ollama"),
        ("[::]:1234", "http://[::1]:1234"),
        ("http://user:pw@gpu1:8080", "http://user:pw@gpu1:8080"),
        ("https://user:p@w@gpu1/ollama", "https://user:p@w@gpu1:443/ollama"),
        ("user:pw@[::]:1234", "http://user:pw@[::1]:1234"),
        ("user:pw@gpu1", "http://user:pw@gpu1:11434"),
        ("::1", "http://[::1]:11434"),
    ],
)
def test_without_any_host_the_local_one_is_used(ollama_host, url):
    environ = {"OLLAMA_HOST": ollama_host}
    assert [server.url for server in from_text(MINIMAL, "f", environ).servers().values()] == [url]
    built_in = load(Source(None, "built-in configuration"), environ=environ)
    assert [server.url for server in built_in.servers().values()] == [url]


def test_the_built_in_configuration_is_whole():
    config = load(Source(None, "built-in configuration"), environ={})
    assert config.path is None
    assert config.folder is None
    assert config.warnings == ()
    assert set(config.roles()) == {"arbiter", "coding", "reasoning", "analysis", "interpreter"}
    assert from_text(config.text, "kept", {"OLLAMA_HOST": "gpu1"}).servers()["local"].url == "http://gpu1:11434"


def test_find_takes_the_first_that_there_is(tmp_path):
    home, here = tmp_path / "home", tmp_path / "here"
    users = home / ".config" / "mmos" / "orchestration.yaml"
    users.parent.mkdir(parents=True)
    here.mkdir()
    environ = {"HOME": str(home)}
    assert find(None, environ, here) == Source(None, "built-in configuration")
    users.write_text(MINIMAL)
    assert find(None, environ, here) == Source(users, str(users))
    (here / "orchestration.yaml").write_text(MINIMAL)
    assert find(None, environ, here) == Source(here / "orchestration.yaml", "orchestration.yaml", found=True)
    (here / "other.yaml").write_text(MINIMAL)
    assert find(None, {**environ, "MMOS_CONFIG": "other.yaml"}, here) == Source(here / "other.yaml", "other.yaml")
    (home / "mine.yaml").write_text(MINIMAL)
    assert find("~/mine.yaml", {**environ, "MMOS_CONFIG": "other.yaml"}, here) == Source(home / "mine.yaml", "~/mine.yaml")


def test_the_users_folder_follows_xdg(tmp_path):
    users = tmp_path / "xdg" / "mmos" / "orchestration.yaml"
    users.parent.mkdir(parents=True)
    users.write_text(MINIMAL)
    assert find(None, {"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "HOME": "/nowhere"}, tmp_path).path == users
    assert find(None, {"XDG_CONFIG_HOME": "relative", "HOME": "/nowhere"}, tmp_path).path is None


def test_a_file_that_was_asked_for_must_be_there(tmp_path):
    with pytest.raises(ConfigError, match=r"^no\.yaml: -c names a file that does not exist"):
        find("no.yaml", {}, tmp_path)
    with pytest.raises(ConfigError, match=r"^no\.yaml: \$MMOS_CONFIG names a file that does not exist"):
        find(None, {"MMOS_CONFIG": "no.yaml"}, tmp_path)
    with pytest.raises(ConfigError, match=r"names a folder, allowed: a file; did you mean \./orchestration\.yaml\?"):
        find(".", {}, tmp_path)
    with pytest.raises(ConfigError, match="no such file or directory"):
        load(tmp_path / "gone.yaml", environ={})


def test_references_to_the_environment():
    text = """\
orchestration:
  servers:
    a:
      url: "http://${HOST:-fallback}:${PORT}"
      headers: {Authorization: "Bearer ${TOKEN}"}
      parallel: ${SLOTS}
      vram_gb: ${VRAM:-24}
  arbiter: {model: "${MODEL}", system: "costs $${HOME} and $5", context_window: "${UNSET}"}
  conversation: {include_full_history: "${FULL:-yes}"}
"""
    config = from_text(text, "f", {"PORT": "1", "TOKEN": "t0", "SLOTS": "4", "MODEL": "12", "HOST": ""})
    server, arbiter = config.orchestration.servers["a"], config.orchestration.arbiter
    assert (server.url, server.parallel, server.vram_gb) == ("http://fallback:1", 4, 24.0)
    assert server.headers == {"Authorization": "Bearer t0"}
    assert (arbiter.model, arbiter.system, arbiter.context_window) == ("12", "costs ${HOME} and $5", None)
    assert config.orchestration.conversation.include_full_history is True
    assert type(arbiter.model) is type(server.headers["Authorization"]) is str
    assert server.url.values == ("1",)  # what came from the environment stays known, so that nobody shows it
    assert config.text == text
    assert [str(problem) for problem in config.warnings] == [
        "f:8: orchestration.arbiter.context_window: UNSET is not set in the environment, so this value is empty; set it, or write a default: ${UNSET:-…}"
    ]


def test_an_address_from_an_unset_variable_is_a_host_that_nobody_reaches():
    config = from_text("orchestration: {arbiter: {model: m, server: a}, servers: {a: {url: '${NOWHERE}'}}}", "f", {})
    assert config.orchestration.servers["a"].url == "http://unset.invalid"
    assert [problem.key for problem in config.warnings] == ["orchestration.servers.a.url"]


def test_slips_are_warnings():
    text = """\
orchestration:
  servers:
    gpu1: {url: "http://gpu1"}
    gpu2: {url: "http://box:11434/v1"}
    twin: {url: "http://box:11434/v1"}
    open: {url: "https://me:pw@box", headers: {Authorization: "Bearer abc"}}
  arbiter: {model: m, server: gpu11, options: {temprature: 1, private: 2}}
  prompts: nowhere
  routing: {rules: [{condition: "run.turns > 3 and task.complexity > 3", specialist: coding}]}
  specialists: {coding: {model: m}}
"""
    warned = [str(problem).removeprefix("f:") for problem in from_text(text, "f", {}).warnings]
    plain = "this is a secret in plain text; write ${NAME} and set NAME in the environment"
    assert warned == [
        "3: orchestration.servers.gpu1.url: the address has no port, so it means port 80; Ollama listens on 11434",
        "4: orchestration.servers.gpu2.url: the address of an Ollama does not end in v1; for an OpenAI-shaped server write kind: openai",
        "5: orchestration.servers.twin.url: the address of an Ollama does not end in v1; for an OpenAI-shaped server write kind: openai",
        "5: orchestration.servers.twin.url: 'gpu2' has the same address; MMOS counts one host under two names twice",
        f"6: orchestration.servers.open.headers.Authorization: {plain}",
        f"6: orchestration.servers.open.url: {plain}",
        "7: orchestration.arbiter.server: 'gpu11' is not one of the servers, so it means http://gpu11:11434; did you mean 'gpu1'?",
        "7: orchestration.arbiter.options.temprature: 'temprature' is not a known option, and hosts ignore unknown options; did you mean 'temperature'?",
        "8: orchestration.prompts: there is no folder nowhere; MMOS uses the built-in prompts",
    ]


def test_facts_that_no_run_can_know_are_told():
    text = """\
orchestration:
  servers: {a: {url: "http://a:11434"}}
  arbiter: {model: m, server: a}
  specialists: {coding: {model: c}}
  routing:
    rules:
      - {condition: "run.phase == 'plan'", specialist: coding}
      - {condition: "host.vram_gb > 12", specialist: coding}
      - {condition: "response.confidence < 0.5", specialist: coding}
"""
    place = "orchestration.routing.rules"
    assert [str(problem) for problem in from_text(text, "f", {}).warnings] == [
        f"f:7: {place}[0].condition: there are no 'phases', so run.phase is never known; write them below 'phases'",
        f"f:8: {place}[1].condition: no server of the arbiter has 'vram_gb', so host.vram_gb is never known; write it for the server",
        f"f:9: {place}[2].condition: response.confidence is known only after an answer of a specialist that states it, such as 'Confidence: 80%'; ask for such a line under 'system' of the specialist",
    ]
    known = text.replace("url:", "vram_gb: 24, url:") + "  phases: {plan: {}}\n"
    assert len(from_text(known, "f", {}).warnings) == 1


def test_how_to_wake_a_host_without_its_address_is_told():
    text = """\
orchestration:
  servers:
    a: {url: "http://a:11434", wake_seconds: 5, wake_address: "255.255.255.255:9"}
    b: {url: "http://b:11434", wake_seconds: 5, wake: "aa:bb:cc:dd:ee:ff"}
  arbiter: {model: m}
"""
    (warning,) = from_text(text, "f", {}).warnings
    assert (
        str(warning)
        == "f:3: orchestration.servers.a.wake_seconds: 'wake_seconds' does nothing without 'wake', the address of the host's network card"
    )


def test_texts_that_a_fact_never_is_are_told():
    text = """\
orchestration:
  servers: {gpu1: {url: "http://a:11434"}}
  arbiter: {model: m}
  specialists: {coding: {model: c, server: gpu2}}
  phases: {initial: plan, plan: {next: [work]}, work: {}}
  routing:
    rules:
      - {condition: "run.phase == 'plann'", specialist: coding}
      - {condition: "host.kind in ['olama', 'openai']", specialist: coding}
      - {condition: "host.name != 'cpu' and host.name != 'gpu2' and host.name != 'gpu1'", specialist: coding}
      - {condition: "run.phase == 'work' or 'p' in run.phase", specialist: coding}
"""
    place = "orchestration.routing.rules"
    assert [str(problem) for problem in from_text(text, "f", {}).warnings] == [
        f"f:8: {place}[0].condition: 'plann' is no value of run.phase; did you mean 'plan'? Values: plan, work",
        f"f:9: {place}[1].condition: 'olama' is no value of host.kind; did you mean 'ollama'? Values: ollama, openai, embedded, rehearsal",
        f"f:10: {place}[2].condition: 'cpu' is no value of host.name. Values: gpu1, gpu2",
    ]


def test_two_spellings_of_one_model_on_one_server_are_told():
    text = """\
orchestration:
  arbiter: {model: "qwen2.5:14b", server: a}
  specialists:
    same: {model: "qwen2.5:14b", server: a}
    capitals: {model: "Qwen2.5:14B", server: [b, a]}
    elsewhere: {model: "library/qwen2.5:14b", server: c}
    other: {model: "team/qwen2.5:14b", server: a}
    small: {model: s, server: a}
    anywhere: {model: "s:latest"}
"""
    assert [str(problem) for problem in from_text(text, "f", {}).warnings] == [
        "f:5: orchestration.specialists.capitals.model: Qwen2.5:14B and qwen2.5:14b are one model; MMOS treats them as one; write qwen2.5:14b here, too",
        "f:9: orchestration.specialists.anywhere.model: s:latest and s are one model; MMOS treats them as one; write s here, too",
    ]


def test_options_that_would_load_a_model_again_are_told():
    text = """\
orchestration:
  arbiter: {model: m, options: {num_batch: 256, temperature: 0.2}}
  specialists:
    alike: {model: "M:latest", options: {num_batch: 256}}
    without: {model: m, server: a}
    small: {model: s, server: a, options: {num_gpu: 10}}
    elsewhere: {model: s, server: b}
"""
    because = "use one model with unlike values of 'num_batch', so a host loads it again for each; write the same value in both"
    told = [str(problem) for problem in from_text(text, "f", {}).warnings if "unlike" in str(problem)]
    assert told == [
        f"f:2: orchestration.arbiter.options.num_batch: arbiter and without {because}",
        f"f:4: orchestration.specialists.alike.options.num_batch: alike and without {because}",
    ]


def test_functions_and_templates_are_looked_for_beside_the_file(tmp_path):
    (tmp_path / "own_tools_of_mine.py").write_text("raise SystemExit('imported')")
    (tmp_path / "my-prompts").mkdir()
    path = tmp_path / "orchestration.yaml"
    path.write_text("orchestration: {arbiter: {model: m}, tools: ['own_tools_of_mine:f'], prompts: my-prompts}")
    assert load(path, environ={}).warnings == ()


def test_a_mapping_works_like_a_file():
    mapping = {"orchestration": {"arbiter": {"model": "m", "tools": ("a", "b")}, "servers": {"a": {"url": "http://${H:-h}:1"}}}}
    config = from_mapping(mapping, environ={})
    assert config.orchestration.arbiter.tools.allow == ["a", "b"]
    assert config.path is None
    assert from_text(config.text, "dumped", {}).orchestration == config.orchestration


def test_problems_of_a_mapping_have_keys_and_no_lines():
    with pytest.raises(ConfigError) as caught:
        from_mapping({"orchestration": {"arbiter": {"model": object(), "think": {1, 2}}}}, environ={})
    assert [str(problem) for problem in caught.value.problems] == [
        "orchestration.arbiter.model: found a Python object, allowed: text, numbers, true, false, lists and mappings",
        "orchestration.arbiter.think: found a Python set, allowed: text, numbers, true, false, lists and mappings",
    ]
    with pytest.raises(ConfigError) as caught:
        from_mapping({"orchestration": {"arbiter": {"modle": "m"}}}, environ={})
    assert [problem.where for problem in caught.value.problems] == ["", ""]


def test_a_mapping_that_holds_itself_is_refused():
    mapping: dict[str, object] = {}
    mapping["orchestration"] = mapping
    with pytest.raises(ConfigError, match="nested more than"):
        from_mapping(mapping, environ={})


def test_small_aliases_and_merges_work():
    text = """\
orchestration:
  arbiter: &base {model: m, server: a, options: &o {seed: 1}}
  specialists:
    one: {<<: *base, model: n}
    two: {model: k, options: *o}
"""
    roles = from_text(text, "f", {}).orchestration.specialists
    assert (roles["one"].model, roles["one"].server, roles["two"].options) == ("n", "a", {"seed": 1})


def test_words_are_those_of_yaml_1_2():
    text = "orchestration: {arbiter: {model: no, role: 12:30:00, description: 2026-01-01}, conversation: {allow_model_to_model: off}}"
    config = from_text(text, "f", {})
    arbiter = config.orchestration.arbiter
    assert (arbiter.model, arbiter.role, arbiter.description) == ("no", "12:30:00", "2026-01-01")
    assert config.orchestration.conversation.allow_model_to_model is False


def test_a_secret_is_in_no_repr():
    server = from_mapping(
        {"orchestration": {"arbiter": {"model": "m"}, "servers": {"a": {"url": "http://me:hunter2@h:1", "headers": {"Key": "hunter2"}}}}},
        environ={},
    ).orchestration.servers["a"]
    assert "hunter2" not in repr(server)
    assert "h:1" in repr(server)


_PIECES = st.sampled_from(
    [
        *("orchestration", "arbiter", "model", "specialists", "routing: {rules: [", "condition: ", "task.", "${A", "1e9", "0x", "~", "\\"),
        *(":", "{", "}", "[", "]", ",", "- ", "? ", "|", ">", "'", '"', "&a", "*a", "<<", "!!python/name:x", "---", "%", "#"),
        *(" ", "  ", "\n", "\t", "\x00", "\ud800"),
    ]
)


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=60).map("".join)))
def test_any_text_is_a_configuration_or_a_config_error(text):
    _load_or_refuse(text)


@given(st.integers(0, len(ARCHITECTURE_EXAMPLE) - 1), st.integers(0, 30), st.one_of(_PIECES, st.text(max_size=5)))
def test_any_change_of_the_example_is_a_configuration_or_a_config_error(at, length, piece):
    _load_or_refuse(ARCHITECTURE_EXAMPLE[:at] + piece + ARCHITECTURE_EXAMPLE[at + length :])


def _load_or_refuse(text: str) -> None:
    told = _problems(text)
    assert all(problem.where.startswith("f") and problem.message for problem in told)
    assert not any(word in str(problem) for problem in told for word in ("pydantic", "a value of another type"))


def _problems(text: str) -> tuple[Problem, ...]:
    try:
        return from_text(text, "f", {}).warnings
    except ConfigError as error:
        return error.problems or (Problem("", "", ""),)
