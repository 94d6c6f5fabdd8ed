"""What is known of each model: by the configuration, measurements, hosts and names, and which of them counts."""

from __future__ import annotations

import pytest

from mmos.catalog import naming
from mmos.catalog.catalog import catalog
from mmos.catalog.evidence import Measured, OnHost
from mmos.catalog.known import CAPABILITIES, KnownModel
from mmos.config.models_schema import Model
from mmos.hosts.face import Installed


def on(host: str, name: str, parameters: str = "", *, can: set[str] | None = None, window: int | None = None, size: int = 0) -> OnHost:
    abilities = None if can is None else frozenset(can)
    return OnHost(host, Installed(name, size=size, parameters=parameters, context_length=window, capabilities=abilities))


def only(*there: OnHost, measured: tuple[Measured, ...] = (), **entries: Model) -> KnownModel:
    (model,) = catalog(entries, (), there, measured)
    return model


def capable(models: tuple[KnownModel, ...], capability: str) -> list[str]:
    return [model.name for model in models if capability in model.capabilities]


@pytest.mark.parametrize(
    ("name", "capabilities"),
    [
        ("qwen2.5-coder:32b", {"CODE_SPECIALIZED"}),
        ("codellama:7b", {"CODE_SPECIALIZED"}),
        ("hf.co/someone/StarCoder2-15B-GGUF:Q4_K_M", {"CODE_SPECIALIZED"}),
        ("someone-coder/plain:1b", set()),
        ("t5-encoder:1b", set()),
        ("codec-lm", set()),
        ("deepseek-r1:14b", {"REASONING"}),
        ("qwen2.5vl:7b", {"VISION"}),
        ("nomic-embed-text", {"EMBEDDING"}),
        ("WhiteRabbitNeo-13B", {"SECURITY_FOCUSED"}),
        ("foundation-sec-8b-instruct", {"SECURITY_FOCUSED"}),
        ("llama-guard3:8b", set()),
        ("qwen2.5:14b", set()),
    ],
)
def test_a_name_claims_no_more_than_it_says(name, capabilities):
    assert set(naming.said(name)) == capabilities
    assert capabilities <= set(CAPABILITIES)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("qwen2.5-coder:32b", "qwen"),
        ("codellama:7b", "llama"),
        ("mistral-nemo", "mistral"),
        ("devstral:24b", "mistral"),
        ("deepseek-r1-distill-qwen:7b", "deepseek"),
        ("functiongemma", "gemma"),
        ("yi:6b", "yi"),
        ("yippee:6b", ""),
        ("phi4:14b", "phi"),
        ("sophia:14b", ""),
    ],
)
def test_the_family_of_a_well_known_name(name, family):
    assert naming.family(name) == family


@pytest.mark.parametrize(
    ("name", "billions", "active"),
    [
        ("qwen3:30b-a3b", 30, 3),
        ("mixtral:8x7b", 56, None),
        ("smollm2:135m", 0.135, None),
        ("gemma3n:e4b", 4, None),
        ("Qwen2.5-Coder-7B-Instruct", 7, None),
        ("qwen2.5", None, None),
        ("phi4mini", None, None),
        ("llama3:8b-instruct-q8_0", 8, None),
    ],
)
def test_the_size_in_a_name(name, billions, active):
    assert naming.billions(name) == (None if billions is None else pytest.approx(billions))
    assert naming.active_billions(name) == active


def test_the_word_of_a_host_counts_more_than_the_name():
    seen = only(on("gpu1", "llava:7b", can={"completion"}))
    assert "VISION" not in seen.capabilities
    assert "VISION" in only(on("gpu1", "llava:7b")).capabilities  # an older host lists nothing
    tools = only(on("gpu1", "m:7b", can={"completion", "tools", "thinking"}, window=131072))
    assert tools.capabilities == {"TOOL_CALLING", "REASONING", "LARGE_CONTEXT"}
    assert tools.why["TOOL_CALLING"] == "gpu1 lists tools"
    assert tools.why["LARGE_CONTEXT"] == "its window has 131,072 tokens"


def test_an_older_host_beside_a_newer_one_denies_nothing():
    model = only(on("old", "m:7b", can={"completion"}), on("new", "m:7b", can={"completion", "tools"}))
    assert "TOOL_CALLING" in model.capabilities
    assert model.hosts == ("old", "new")


def test_a_measurement_counts_more_than_the_host():
    there = on("gpu1", "m:7b", can={"completion", "tools"}, window=131072)
    bad = only(there, measured=(Measured("m:7b", "gpu1", "models test, 2026-11-30", calls=0.25, window=8192),))
    assert bad.capabilities == set()
    assert bad.calls == 0.25
    there = on("gpu1", "m:7b", can={"completion"})
    good = only(there, measured=(Measured("M:7b", "gpu1", "models test, 2026-11-30", calls=0.9),))
    assert good.why["TOOL_CALLING"] == "90% of its calls were right: models test, 2026-11-30 on gpu1"


def test_the_configuration_counts_most_and_says_where_it_differs():
    there = on("gpu1", "m:7b", can={"completion", "vision"})
    entry = Model(
        model="m:7b", capabilities=["TOOL_CALLING", "SECURITY_FOCUSED"], lacks=["VISION"], family="Qwen", memory_usage=2.0, max_tokens=64
    )
    model = only(there, measured=(Measured("m:7b", "gpu1", "models test, 2026-11-30", calls=0.1),), quick=entry)
    assert model.capabilities == {"TOOL_CALLING", "SECURITY_FOCUSED"}
    assert model.why["TOOL_CALLING"] == "configuration: models.quick"
    assert set(model.disputed) == {"TOOL_CALLING"}
    assert (model.keys, model.family, model.memory_gb, model.max_tokens) == (("quick",), "qwen", 2.0, 64)


def test_fast_is_what_writes_twice_as_many_tokens_as_the_slowest():
    there = [on("gpu1", name) for name in ("a:7b", "b:14b", "c:32b")]
    measured = [Measured(name, "gpu1", "calls", writes=speed) for name, speed in (("a:7b", 100.0), ("b:14b", 55.0), ("c:32b", 30.0))]
    models = catalog({}, (), there, measured)
    assert capable(models, "FAST_INFERENCE") == ["a:7b"]
    assert models[0].why["FAST_INFERENCE"] == "it writes 100 tokens/s, the slowest of 3 models 30"
    assert capable(catalog({}, (), there, []), "FAST_INFERENCE") == ["a:7b", "b:14b"]
    assert capable(catalog({}, (), there, []), "HIGH_QUALITY") == ["c:32b"]


def test_the_configuration_decides_what_is_fast():
    there = [on("gpu1", name) for name in ("a:7b", "b:32b")]
    entries = {"a": Model(model="a:7b", lacks=["FAST_INFERENCE"]), "b": Model(model="b:32b", capabilities=["FAST_INFERENCE"])}
    assert capable(catalog(entries, (), there, []), "FAST_INFERENCE") == ["b:32b"]


def test_a_speed_that_the_configuration_denies_is_disputed():
    there = [on("gpu1", name) for name in ("a:7b", "b:32b")]
    measured = [Measured(name, "gpu1", "calls", "calls", writes=speed) for name, speed in (("a:7b", 100.0), ("b:32b", 30.0))]
    slow, entries = {"b": Model(model="b:32b", capabilities=["FAST_INFERENCE"])}, {"a": Model(model="a:7b", lacks=["FAST_INFERENCE"])}
    assert [dict(model.disputed) for model in catalog({**slow, **entries}, (), there, measured)] == [
        {"FAST_INFERENCE": "it writes 100 tokens/s, the slowest of 2 models 30"},
        {"FAST_INFERENCE": "it writes 30 tokens/s, the slowest of 2 models 30"},
    ]
    assert not any(model.disputed for model in catalog({**slow, **entries}, (), there, []))


def test_of_several_hosts_the_fastest_counts_and_benchmarks_more_than_calls():
    there = [on("one", "a:7b"), on("two", "a:7b")]
    measured = [
        Measured("a:7b", "one", "b", "benchmark", reads=10.0, writes=5.0, load_seconds=9.0),
        Measured("a:7b", "two", "b", "benchmark", reads=20.0, load_seconds=4.0),
        Measured("a:7b", "two", "c", "calls", reads=99.0, writes=99.0, load_seconds=1.0),
    ]
    model = only(*there, measured=tuple(measured))
    assert (model.reads, model.writes, model.load_seconds) == (20.0, 5.0, 4.0)


def test_models_that_cannot_stand_in_for_others_are_not_compared():
    there = [on("gpu1", "functiongemma", "270M"), on("gpu1", "nomic-embed-text", "137M"), on("gpu1", "a:7b"), on("gpu1", "big:70b-cloud")]
    models = catalog({}, ["gone:1b"], there, [])
    assert not capable(models, "FAST_INFERENCE") + capable(models, "HIGH_QUALITY")
    assert [model.name for model in models if model.remote] == ["big:70b-cloud"]


def test_models_of_like_size_are_neither_fast_nor_good():
    models = catalog({}, (), [on("gpu1", "a:7b"), on("gpu1", "b:8b")], [])
    assert not capable(models, "FAST_INFERENCE") + capable(models, "HIGH_QUALITY")


def test_experts_count_by_the_parameters_that_work():
    models = catalog({}, (), [on("gpu1", "moe:30b-a3b"), on("gpu1", "dense:32b")], [])
    assert capable(models, "FAST_INFERENCE") == ["moe:30b-a3b"]
    assert capable(models, "HIGH_QUALITY") == []  # 30 and 32 are alike


def test_a_model_without_a_host_is_listed():
    models = catalog({"quick": Model(model="Q:1b", description="small")}, ["role:7b", "q:1b"], [on("gpu1", "role:7b", size=4 << 30)], [])
    assert [(model.name, model.hosts, model.description) for model in models] == [("q:1b", (), "small"), ("role:7b", ("gpu1",), "")]
    assert models[1].memory_gb == 4.0
    assert models[0].keys == ("quick",)


def test_what_was_measured_of_a_model_that_is_gone_is_left_out():
    assert catalog({}, (), [], [Measured("m:7b", "gpu1", "calls", writes=5.0)]) == ()
