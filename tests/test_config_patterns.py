"""Patterns in a configuration: what is checked, what is warned of, and which models they ask."""

from __future__ import annotations

import pytest

from mmos.config.load import Config, from_text
from mmos.errors import ConfigError

TOP = """\
orchestration:
  arbiter: {model: m}
  specialists: {coding: {model: c}}
"""
REVIEW = "  patterns: {review: {pattern: sequential, models: [a, b]}}\n"


def config_of(text: str, top: str = TOP) -> Config:
    return from_text(top + text, "o.yaml", {})


def problems(text: str, top: str = TOP) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config_of(text, top)
    return [f"{problem.key.removeprefix('orchestration.')}: {problem.message}" for problem in caught.value.problems]


def notes(text: str) -> list[str]:
    return [f"{problem.key.removeprefix('orchestration.')}: {problem.message}" for problem in config_of(text).warnings]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ("[{weight: 2}]", "models[0]: name a 'model', or a 'role' of this file"),
        ("[{model: a, role: coding}]", "models[0].role: a member has a 'model' or a 'role', not both; remove one of them"),
        ("[{role: codin}]", "models[0].role: found \"codin\" (a string), allowed: the name of a role: arbiter, coding; did you mean 'coding'?"),
        ("[{role: coding, server: a}]", "models[0].server: 'server' is for a member with a 'model'; a role has its own"),
        ("[{model: a, server: b, provider: ollama}]", "models[0].provider: 'server' and 'provider' do not go together: both say where it runs; remove one of them"),
        ("[{model: a, gpu_id: 1, gpu_ids: [0]}]", "models[0].gpu_ids: 'gpu_id' and 'gpu_ids' do not go together: write 'gpu_id' for one GPU or 'gpu_ids' for several; remove one of them"),
        ("[a, {model: b}], min_members: 3", "min_members: found 3, but the pattern has only 2 members, so it would always fail"),
        ("[{model: a, weight: 0}, {model: b, weight: 0}]", "models: all weights are 0, so no member counts; give one of them a larger weight"),
        ("[\"pattern:nobody\"]", "models[0]: found \"nobody\" (a string), allowed: the name of a pattern: p"),
        ("[a], aggregator_model: \"pattern:x\"", "aggregator_model: found \"x\" (a string), allowed: the name of a pattern: p"),
        ("[\"pattern:p\"]", "models[0]: a pattern cannot contain itself: p → p; remove one of these members"),
        ("[\"qwen3:cloud\"]", "models[0]: found \"qwen3:cloud\" (a string), which runs in a cloud, so its prompts would leave the house; write allow_cloud: true for its server or under 'fleet', or name another model"),
    ],
)  # fmt: skip
def test_a_member_that_cannot_be(members, expected):
    assert problems(f"  patterns: {{p: {{pattern: ensemble, models: {members}}}}}\n") == [f"patterns.p.{expected}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  defaults: {pattern: revew}\n", "defaults.pattern: found \"revew\" (a string), allowed: the name of a pattern: review; did you mean 'review'?"),
        ("  defaults: {strategy: nothing}\n", 'defaults.strategy: found "nothing" (a string), allowed: one of single, intelligent, review'),
        ("  routing: {rules: [{condition: task.requires_speed, pattern: x}]}\n", 'routing.rules[0].pattern: found "x" (a string), allowed: the name of a pattern: review'),
        ("  routing: {rules: [{condition: task.requires_speed, pattern: review, model: x}]}\n", "routing.rules[0].pattern: 'model' and 'pattern' do not go together: both say who answers; remove one of them"),
    ],
)  # fmt: skip
def test_a_name_that_no_pattern_has(text, expected):
    assert problems(REVIEW + text) == [expected]


def test_a_pattern_that_is_switched_off_cannot_be_named():
    off = "  patterns: {p: {pattern: voting, enabled: false, models: [a]}}\n  defaults: {pattern: p}\n"
    assert problems(off) == ["defaults.pattern: the pattern 'p' is switched off (enabled: false); switch it on, or name another one"]


def test_patterns_that_contain_each_other_by_roles_and_members():
    top = 'orchestration:\n  arbiter: {model: m}\n  specialists: {coding: {model: "pattern:one"}}\n'
    text = '  patterns: {one: {pattern: ensemble, models: ["pattern:two"]}, two: {pattern: parallel, models: [{role: coding}]}}\n'
    (problem,) = problems(text, top)
    assert problem == "patterns.one.models[0]: a pattern cannot contain itself: one → two → coding → one; remove one of these members"


def test_a_ready_pattern_may_be_named_and_cannot_contain_itself():
    ready = "  defaults: {pattern: planning_implementation}\n"
    assert config_of(ready).orchestration.defaults.pattern == "planning_implementation"
    top = "orchestration:\n  arbiter: {model: m}\n  specialists: {coding: {model: 'pattern:review_refinement'}, analysis: {model: a}}\n"
    (problem,) = problems("", top)
    assert (
        problem
        == "specialists.coding.model: a pattern cannot contain itself: coding → review_refinement → coding; remove one of these members"
    )
    top = "orchestration:\n  arbiter: {model: 'pattern:review_refinement'}\n  specialists: {coding: {model: c}, analysis: {model: a}}\n"
    arbiter = config_of("", top).roles()["arbiter"]
    assert (arbiter.model, arbiter.pattern) == ("c", "review_refinement")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("pattern: sequential, aggregate: best", "aggregate: 'aggregate' does nothing here: only an ensemble makes one answer of several"),
        ("pattern: ensemble, voting: ranked", "voting: 'voting' does nothing here: votes are counted in the pattern voting, and in an ensemble with aggregate: vote"),
        ("pattern: ensemble, samples: 3", "samples: 'samples' does nothing here: it is for an ensemble with aggregate: best_of_n"),
        ("pattern: voting, max_steps: 3", "max_steps: 'max_steps' does nothing here: only a sequence has steps"),
        ("pattern: parallel, validate: true", "validate: 'validate' does nothing here: only the steps of a sequence are checked"),
        ("pattern: ensemble, models: [{model: a, weight: 2}]", "models[0].weight: 'weight' does nothing here: weights count where answers are counted or chosen, above all with voting: weighted or aggregate: weighted"),
        ("pattern: sequential, deadline: 9", "deadline: 'deadline' does nothing here: only members that work side by side can be late"),
    ],
)  # fmt: skip
def test_a_key_that_the_shape_does_not_use_is_a_warning(keys, expected):
    members = "" if "models" in keys else ", models: [a, b]"
    assert notes(f"  patterns: {{p: {{{keys}{members}}}}}\n") == [f"patterns.p.{expected}"]


def test_keys_that_a_shape_uses_are_no_warnings():
    used = "{pattern: ensemble, aggregate: vote, voting: weighted, deadline: 5, models: [{model: a, weight: 2}, b]}"
    assert (
        notes(
            f"  patterns: {{p: {used}, q: {{pattern: sequential, validate: true, quality_threshold: 0.5, max_steps: 2, models: [a, b]}}}}\n"
        )
        == []
    )


def test_what_no_server_can_give_a_member_is_a_warning():
    text = "  patterns: {p: {pattern: ensemble, models: [{model: a, gpu_id: 3}, {model: b, provider: openai}, {model: c, vram_required_gb: 40}]}}\n"
    servers = "  servers: {here: {url: 'http://here:11434', gpus: [0], vram_gb: 24}}\n"
    assert sorted(note.partition(":")[0] for note in notes(servers + text)) == [
        "patterns.p.models[0].gpu_id",
        "patterns.p.models[1].provider",
        "patterns.p.models[2].vram_required_gb",
    ]


def test_the_model_that_acts_for_a_pattern_keeps_the_role():
    text = """\
  servers: {one: {url: "http://one:11434"}, two: {url: "http://two:11434"}}
  models: {fast: {model: "tiny:1b", context_window: 2048}}
  patterns:
    steps: {pattern: sequential, models: [a, {model: fast, server: two}]}
    judged: {pattern: ensemble, aggregator_model: big, models: [a, {model: big, server: one}]}
    nested: {pattern: parallel, models: ["pattern:judged"]}
"""
    top = 'orchestration:\n  arbiter: {model: "pattern:nested"}\n  specialists: {coding: {model: [c, "pattern:steps"]}}\n'
    roles = config_of(text, top).roles()
    assert (roles["arbiter"].model, roles["arbiter"].servers, roles["arbiter"].pattern) == ("big", ("one",), "nested")
    assert [(one.model, one.pattern) for one in roles["coding"].choices] == [("c", ""), ("tiny:1b", "steps")]


def test_members_are_asked_and_their_servers_are_known():
    text = """\
  servers: {one: {url: "http://one:11434"}, studio: {url: "http://s:1234/v1", kind: openai}}
  patterns:
    p: {pattern: ensemble, aggregator_model: judge, models: [{model: m, server: gpu9}, {model: x, provider: lmstudio, temperature: 0}, {role: coding}]}
    off: {pattern: ensemble, enabled: false, models: [{model: y, server: elsewhere}]}
"""
    config = config_of(text)
    assert [(one.name, one.model, one.servers) for one in config.members()] == [
        ("p/m", "m", ("gpu9",)),
        ("p/x", "x", ("studio",)),
        ("p/judge", "judge", ()),
    ]
    assert config.members()[1].options == {"temperature": 0, "num_predict": 4096}
    assert [*config.implicit] == ["gpu9"]
    assert [one.name for one in config.asked()] == ["arbiter", "coding", "p/m", "p/x", "p/judge"]


def test_a_member_and_a_role_with_one_model_have_one_window():
    top = "orchestration:\n  arbiter: {model: m, context_window: 16384}\n"
    config = config_of("  patterns: {p: {pattern: ensemble, models: [m, other]}}\n", top)
    assert [one.window for one in config.members()] == [16384, 8192]


def test_a_member_has_the_options_of_its_model_where_it_says_nothing() -> None:
    config = from_text(
        """
orchestration:
  servers: {here: {url: "http://localhost:11434"}}
  arbiter: {model: "small:1b"}
  models: {terse: {model: "terse:7b", max_tokens: 300, options: {temperature: 0.1, seed: 7}}}
  patterns:
    two: {pattern: sequential, models: [terse, {model: terse, temperature: 0.7, max_tokens: 4096}, "other:3b"]}
""",
        "",
        {},
    )
    assert [one.options for one in config.members() if one.name.startswith("two/")] == [
        {"temperature": 0.1, "num_predict": 300, "seed": 7},
        {"temperature": 0.7, "num_predict": 4096, "seed": 7},
        {"temperature": 0.7, "num_predict": 4096},
    ]
