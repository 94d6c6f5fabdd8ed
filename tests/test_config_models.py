"""The section `models`: what its values mean, how a role names a model by its key, and what the checks find."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mmos.app.wiring import model_alone, roles_of
from mmos.config.load import Config, from_text
from mmos.config.outgoing import outgoing_variables
from mmos.config.show import describe
from mmos.errors import ConfigError
from mmos.placement.facts import Call, Need
from mmos.prompting.templates import Templates
from tests.placing import GIB, HUGE, LARGE, fleet, hold, kinds

ENTRIES = """
  models:
    fast:
      model: "x:1b"
      max_tokens: 100
      options: {temperature: 0.1, top_p: 0.9}
      context_window: 4096
      think: false
      memory_usage: 2GB
    deep: {model: "y:9b", think: high}
"""


def config(roles: str, entries: str = ENTRIES) -> Config:
    return from_text(f"orchestration:\n{roles}{entries}", "f.yaml", {})


def problems(entries: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config("  arbiter: {model: m}\n", f"  models:\n{entries}")
    return [f"{problem.where} {problem.key.removeprefix('orchestration.')}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "gigabytes"), [("2GB", 2.0), ("2", 2.0), ('"1.5 gib"', 1.5), ("512MB", 0.5), ("256M", 0.25)]
)  # fmt: skip
def test_memory_is_gigabytes_or_a_text_with_a_unit(text, gigabytes):
    made = config("  arbiter: {model: m}\n", f"  models: {{a: {{model: m, memory_usage: {text}}}}}")
    assert made.orchestration.models["a"].memory_usage == gigabytes


def test_a_key_brings_the_model_with_its_window_its_options_and_its_thinking():
    role = config("  arbiter: {model: fast, options: {top_p: 0.5}}\n").roles()["arbiter"]
    assert (role.model, role.window, role.think) == ("x:1b", 4096, False)
    assert role.options == {"num_predict": 100, "temperature": 0.1, "top_p": 0.5}


def test_the_own_name_of_a_model_brings_none_of_that():
    role = config('  arbiter: {model: "x:1b"}\n').roles()["arbiter"]
    assert (role.model, role.window, role.think, role.options) == ("x:1b", 8192, None, {})


def test_what_the_role_says_wins():
    text = "  arbiter: {model: fast, context_window: 16384, think: true, options: {num_predict: 7, temperature: 1}}\n"
    role = config(text).roles()["arbiter"]
    assert (role.window, role.think) == (16384, True)
    assert role.options == {"num_predict": 7, "temperature": 1, "top_p": 0.9}


def test_each_of_several_models_has_its_own():
    role = config('  arbiter: {model: [fast, deep, "z:3b", "X:1B"], options: {seed: 1}}\n').roles()["arbiter"]
    choices = [(one.model, one.think, dict(one.options)) for one in role.sampled("seed", 2).choices]
    assert choices == [
        ("x:1b", False, {"num_predict": 100, "temperature": 0.1, "top_p": 0.9, "seed": 2}),
        ("y:9b", "high", {"seed": 2}),
        ("z:3b", None, {"seed": 2}),
    ]


def test_a_run_may_name_a_key():
    made = config("  arbiter: {model: m}\n  specialists: {coding: {model: fast, options: {seed: 4}}}\n  servers: {a: {url: 'http://a'}}\n")
    roles = roles_of(made, {"arbiter": "fast", "coding": "deep@a"})
    assert (roles["arbiter"].model, roles["arbiter"].options["num_predict"]) == ("x:1b", 100)
    assert (roles["coding"].model, roles["coding"].servers, roles["coding"].think) == ("y:9b", ("a",), "high")
    assert roles_of(made, {"coding": "@a"})["coding"].options["num_predict"] == 100  # another host, the same key
    alone = model_alone(made, "fast", "", {"temperature": 0.7}, Templates())["model"].role
    assert (alone.model, alone.window, alone.options["temperature"], alone.think) == ("x:1b", 4096, 0.7, False)


def test_one_model_has_one_window_also_by_its_key():
    made = config('  arbiter: {model: fast}\n  specialists: {coding: {model: "x:1b", context_window: 32768}}\n')
    assert {role.window for role in made.roles().values()} == {32768}


def test_the_shown_window_names_the_entry():
    assert "context_window: 4096  # models.fast" in describe(config("  arbiter: {model: fast}\n"))


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (
            '    a: {model: "x:1b", memory_usage: 2GB}\n    b: {model: "X:1b", memory_usage: 3GB}\n',
            [
                """f.yaml:5 models.b.memory_usage: found "3GB" (a string), but 'a' is the same model and has "2GB" (a string); write it once, or the same in both"""
            ],
        ),
        ('    a: {model: "x:1b", memory_usage: 2GB}\n    b: {model: "X:1b", memory_usage: 2048MB}\n    gemma: {model: 7}\n', None),
        (
            '    gemma: {model: "y:1b"}\n    z: {model: "gemma:latest"}\n',
            [
                "f.yaml:4 models.gemma: 'gemma' is the name of the model of 'z', so it cannot be the key of another model; choose another key"
            ],
        ),
        (
            "    a: {model: x, capabilities: [vision], lacks: [VISION]}\n",
            ["f.yaml:4 models.a.capabilities[0]: the same entry has VISION under 'lacks'; write it under one of them"],
        ),
        (
            "    a: {model: x, options: {num_ctx: 9}}\n",
            ["f.yaml:4 models.a.options.num_ctx: 'num_ctx' is not allowed here; write 'context_window' beside 'model' instead"],
        ),
        ("    a: {capabilities: [vision]}\n", ["f.yaml:4 models.a.model: 'model' is missing; it is required here"]),
    ],
)
def test_wrong_entries_are_errors_with_their_lines(entries, expected):
    found = problems(entries)
    assert found == (expected or [f for f in found if "gemma.model" in f])


def test_a_key_with_a_typing_error_is_a_warning():
    (warning,) = config("  arbiter: {model: fasst}\n").warnings
    assert (warning.where, warning.message) == (
        "f.yaml:2",
        "'fasst' is no key of 'models', so it means a model of this name; did you mean 'fast'?",
    )


def test_a_key_of_a_cloud_model_needs_the_same_consent_as_its_name():
    with pytest.raises(ConfigError, match="runs in a cloud"):
        config("  arbiter: {model: far}\n", '  models: {far: {model: "big:120b-cloud"}}')


def test_a_variable_in_an_entry_goes_to_hosts_like_one_of_a_role():
    text = "orchestration:\n  servers: {a: {url: 'http://gpu1:11434'}}\n  arbiter: {model: x}\n"
    made = from_text(f"{text}  models: {{k: {{model: x, options: {{stop: '${{SECRET}}'}}}}}}\n", "f.yaml", {"SECRET": "s"})
    assert [one.variable for one in outgoing_variables(made)] == ["SECRET"]


def test_the_word_of_the_user_on_memory_counts_more_than_what_is_computed():
    assert config("  arbiter: {model: m}\n").keeping()["local"].sizes == {"x:1b": 2.0}
    assert _decided(HUGE) == ["Unload"]
    assert _decided(replace(HUGE, told=2.0 * GIB)) == ["Load"]


def _decided(need: Need) -> list[str]:
    """What a host of 24 GiB does for a model of 14 when one with this need is in memory."""
    engine = fleet("one", models={"a": need, "b": LARGE})
    hold(engine, "one", "a")
    engine.submit(Call("c1", ("b",), 100.0, 10.0), 0.0)
    return kinds(engine.decide(0.0))


def test_a_key_brings_short_prompts_and_how_many_calls_a_reply_may_have():
    entries = '  models: {fast: {model: "x:1b", prompts: small, calls_at_once: 2}, deep: {model: "y:9b", calls_at_once: 3}}\n'
    role = config('  arbiter: {model: [fast, deep, "z:3b"]}\n', entries).roles()["arbiter"]
    assert (role.prompts, [(one.model, one.calls_at_once) for one in role.choices]) == ("small", [("x:1b", 2), ("y:9b", 3), ("z:3b", None)])
    assert config('  arbiter: {model: "x:1b"}\n', entries).roles()["arbiter"].prompts is None


@pytest.mark.parametrize("wrong", ["calls_at_once: 0", "calls_at_once: 9", "prompts: large"])
def test_what_these_keys_may_not_be(wrong):
    assert len(problems(f"    fast: {{model: m, {wrong}}}\n")) == 1
