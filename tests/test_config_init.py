"""What `config init` proposes for hosts of many kinds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.config.init import HostSurvey, SurveyedModel, propose
from mmos.config.load import Config, from_text

TOOLS = frozenset({"completion", "tools"})
CHAT = frozenset({"completion"})
EMBEDDING = frozenset({"embedding"})


def model(name: str, parameters: str = "", capabilities: frozenset[str] | None = TOOLS, **more) -> SurveyedModel:
    return SurveyedModel(name, more.pop("size_bytes", 5_000_000_000), parameters, capabilities=capabilities, **more)


def host(name: str, *models: SurveyedModel) -> HostSurvey:
    return HostSurvey(name, f"http://{name}:11434", True, "0.34.4", models)


def proposed(*surveys: HostSurvey) -> Config:
    config = from_text(propose(surveys), "proposed", {})
    assert config.warnings == ()
    return config


def models(config: Config) -> dict[str, str]:
    return {name: role.model for name, role in config.roles().items()}


def test_a_fleet_gets_a_model_for_each_role():
    config = proposed(
        host(
            "ollama01",
            model("qwen2.5:14b", "14.8B"),
            model("functiongemma:270m", "268M"),
            model("nomic-embed-text", "137M", EMBEDDING),
            model("deepseek-v3.1:671b-cloud", "671B", size_bytes=400),
            model("gpt-oss:120b", "120B", remote=True),
        ),
        host(
            "ollama02", model("qwen2.5-coder:32b", "32.8B"), model("qwen2.5:32b", "32.8B", context_length=4096), model("qwen2.5:7b", "7.6B")
        ),
    )
    assert models(config) == {
        "arbiter": "qwen2.5:14b",
        "coding": "qwen2.5-coder:32b",
        "reasoning": "qwen2.5:32b",
        "analysis": "qwen2.5:7b",
        "interpreter": "functiongemma:270m",
    }
    roles = config.roles()
    assert (roles["coding"].servers, roles["arbiter"].servers) == (("ollama02",), ("ollama01",))
    assert (roles["coding"].window, roles["reasoning"].window) == (16384, 4096)


def test_a_reasoner_reasons_unless_it_is_tiny():
    mid = model("llama3.1:8b", "8.0B")
    assert (
        models(proposed(host("a", mid, model("deepseek-r1:14b", "14.8B", CHAT), model("qwen2.5:32b", "32.8B"))))["reasoning"]
        == "deepseek-r1:14b"
    )
    assert (
        models(proposed(host("a", mid, model("deepseek-r1:1.5b", "1.8B", CHAT), model("qwen2.5:32b", "32.8B"))))["reasoning"]
        == "qwen2.5:32b"
    )


def test_the_arbiter_calls_tools_even_if_another_fits_better_in_size():
    assert models(proposed(host("a", model("gemma2:9b", "9.2B", CHAT), model("qwen3:4b", "4.0B"))))["arbiter"] == "qwen3:4b"


def test_old_hosts_that_tell_no_capabilities_are_judged_by_name():
    config = proposed(
        host(
            "a",
            model("phi3:14b", "14B", None),
            model("mxbai-embed-large", "334M", None),
            model("qwen2.5:7b-instruct", "", None, size_bytes=4_700_000_000),
        )
    )
    assert models(config) == {
        "arbiter": "qwen2.5:7b-instruct",
        "coding": "phi3:14b",
        "reasoning": "phi3:14b",
        "analysis": "qwen2.5:7b-instruct",
    }


def test_one_model_takes_every_role_with_one_window():
    config = proposed(host("localhost", model("smollm2:135m", "134.5M", None, context_length=8192)))
    assert set(models(config).values()) == {"smollm2:135m"}
    assert {role.context_window for role in [config.orchestration.arbiter, *config.orchestration.specialists.values()]} == {8192}


@pytest.mark.parametrize("spelling", ["qwen2.5:14b", "Qwen2.5:14B"])
def test_a_model_on_two_hosts_may_run_on_both(spelling):
    config = proposed(host("a", model("qwen2.5:14b", "14.8B")), host("b", model(spelling, "14.8B")))
    assert (config.roles()["arbiter"].servers, config.roles()["arbiter"].model) == (("a", "b"), "qwen2.5:14b")


def test_a_host_without_models_is_told_what_to_pull():
    for surveys in ([host("localhost")], [host("localhost", model("nomic-embed-text", "137M", EMBEDDING))], []):
        text = propose(surveys)
        assert "#   ollama pull qwen2.5:14b\n" in text
        assert "interpreter" in proposed(*surveys).roles()


def test_hosts_that_do_not_answer_are_a_comment():
    dead = HostSurvey("far", "http://me:hunter2@far:11434", False, error="connection\nrefused")
    text = propose([host("near", model("qwen2.5:7b", "7.6B")), dead])
    assert '    # far: {url: "http://***@far:11434"}   # did not answer: connection refused\n' in text
    assert list(proposed(host("near", model("qwen2.5:7b", "7.6B")), dead).servers()) == ["near"]


def test_when_no_host_answers_they_stay_for_later():
    config = proposed(
        HostSurvey("far away!", "http://far:11434", False, error="timed out"), HostSurvey("far away!", "http://other:11434", False)
    )
    assert {name: server.url for name, server in config.servers().items()} == {
        "far-away": "http://far:11434",
        "far-away-2": "http://other:11434",
    }


def test_the_editor_is_told_where_the_schema_is():
    assert propose([], schema="orchestration.schema.json").startswith("# yaml-language-server: $schema=orchestration.schema.json\n")
    assert "yaml-language-server" not in propose([])


_NAMES = st.text(min_size=1, max_size=30)
_MODELS = st.builds(
    SurveyedModel,
    name=st.one_of(_NAMES, st.sampled_from(["functiongemma", "qwen2.5-coder:7b", "deepseek-r1:8b", "llama3.2:3b", "bge-m3", "x:cloud"])),
    size_bytes=st.integers(0, 10**12),
    parameters=st.one_of(st.just(""), st.text(max_size=8), st.sampled_from(["7.6B", "268M", "8x7B", "1T"])),
    family=st.text(max_size=8),
    capabilities=st.one_of(st.none(), st.frozensets(st.sampled_from(["completion", "tools", "embedding", "thinking"]))),
    context_length=st.one_of(st.none(), st.integers(0, 10**6)),
)
_HOSTS = st.builds(
    HostSurvey,
    name=_NAMES,
    url=st.sampled_from(["http://a:11434", "http://b:11434", "https://c"]),
    reachable=st.booleans(),
    version=st.text(max_size=10),
    models=st.lists(_MODELS, max_size=4),
    error=st.text(max_size=40),
)


@given(st.lists(_HOSTS, max_size=4))
def test_whatever_hosts_say_the_proposal_loads(surveys):
    config = from_text(propose(surveys), "proposed", {})
    assert config.orchestration.arbiter.model
    assert len(config.orchestration.servers) <= len(surveys)


def test_marks_of_trials_choose_the_arbiter():
    fleet = [host("a", model("qwen2.5:14b", "14.8B"), model("llama3.1:8b", "8.0B"))]

    def arbiter(**scores: float) -> tuple[str, str]:
        text = propose(fleet, scores={("a", name.replace("_", ":", 1)): score for name, score in scores.items()})
        return from_text(text, "proposed", {}).roles()["arbiter"].model, text

    assert arbiter()[0] == "qwen2.5:14b"
    assert arbiter(**{"qwen2.5_14b": 0.3})[0] == "llama3.1:8b"
    assert arbiter(**{"llama3.1_8b": 0.2})[0] == "qwen2.5:14b"
    model_name, text = arbiter(**{"qwen2.5_14b": 0.9})
    assert model_name == "qwen2.5:14b"
    assert "90% of the cases right" in text


def test_marks_of_trials_choose_the_interpreter():
    fleet = [host("a", model("qwen2.5:14b", "14.8B"), model("qwen3:1.7b", "1.7B"), model("functiongemma", "268M"))]

    def interpreter(**scores: float) -> str | None:
        text = propose(fleet, scores={("a", name.replace("_", ":", 1)): score for name, score in scores.items()})
        role = from_text(text, "proposed", {}).roles().get("interpreter")
        return role and role.model

    assert interpreter() == "functiongemma"
    assert interpreter(functiongemma=0.1) is None
    assert interpreter(**{"functiongemma": 0.1, "qwen3_1.7b": 0.9}) == "qwen3:1.7b"
    assert interpreter(**{"functiongemma": 0.1, "qwen2.5_14b": 0.9}) is None  # too large to answer at once
