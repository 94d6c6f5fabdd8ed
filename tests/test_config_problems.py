"""Every kind of problem, word for word and line for line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from mmos.config import facts
from mmos.config.document import MOST_BYTES
from mmos.config.load import from_text, load
from mmos.config.show import as_dict, describe
from mmos.errors import ConfigError, Problem

ROLE_KEYS = "expertise, detail, constraints, model, server, role, description, context_window, channel, options, think, keep_alive, pin, system, tools, gpu_id, gpu_ids, vram_required_gb, timeout, memory"
ROLE_NAME = "a name of at most 40 small letters, digits and '_' that begins with a letter, because it becomes part of a tool's name"
SERVER_NAME = "a name of letters, digits, '.', '_' and '-'; write addresses under 'servers'"
DURATION = 'seconds, more than 0, as a number or like "30s" or "5m"'
FACTS = ", ".join(fact for fact in facts.FACTS if fact.startswith("task."))


def problems(text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        from_text(text, "o.yaml", environ or {})
    return [str(problem) for problem in caught.value.problems]


def under(section: str, environ: dict[str, str] | None = None) -> list[str]:
    """The problems of one section, without the part that all of them begin with."""
    found = problems(f"orchestration:\n  arbiter: {{model: m}}\n  specialists: {{coding: {{model: m}}}}\n  {section}\n", environ)
    return [problem.replace("o.yaml:4: orchestration.", "") for problem in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "o.yaml:1: the file is empty; `mmos config init` writes one to start from"),
        ("# nothing\n", "o.yaml:1: the file is empty; `mmos config init` writes one to start from"),
        ("---\n", "o.yaml:2: the file is empty; `mmos config init` writes one to start from"),
        ("- a\n", "o.yaml:1: found a list, allowed: a mapping that starts with 'orchestration:'"),
        ("hello", "o.yaml:1: found \"hello\" (a string), allowed: a mapping that starts with 'orchestration:'"),
        (
            "a: 1\n\tb: 2",
            "o.yaml:2: this is not valid YAML: found a tab character that violates indentation; indent with spaces, not with tabs",
        ),
        ("a: 1\nb: \x07", "o.yaml:2: the character U+0007 is not allowed in YAML; remove it"),
        (
            "a: {b: ${X}}",
            "o.yaml:1: this is not valid YAML: did not find expected ',' or '}'; put quotes around a ${NAME} within { } or [ ]",
        ),
        (
            "a: b: c",
            "o.yaml:1: this is not valid YAML: mapping values are not allowed in this context; check the indentation, and put quotes around a text that contains ': '",
        ),
        ("a: " + "[" * 50, "o.yaml:1: a" + "[0]" * 39 + ": this is nested more than 40 levels deep"),
    ],
)
def test_what_cannot_be_read(text, expected):
    assert problems(text)[0] == expected
    assert len(problems(text)) == 1


def test_yaml_that_a_configuration_may_not_hold():
    text = """\
orchestration:
  arbiter: {model: !!python/name:os.system m}
  arbiter: {model: other}
  specialists: !mine {}
  prompts: *nowhere
  tools: &t [*t]
  ? [a, b]
  : 1
---
second: document
"""
    assert problems(text) == [
        "o.yaml:2: orchestration.arbiter.model: the YAML tag !!python/name:os.system is not allowed; write the value without it",
        "o.yaml:3: orchestration.arbiter: 'arbiter' appears twice, first on line 2; keep one of them",
        "o.yaml:4: orchestration.specialists: the YAML tag !mine is not allowed; write the value without it",
        "o.yaml:5: orchestration.prompts: the alias *nowhere has no anchor before it",
        "o.yaml:6: orchestration.tools[0]: the alias *t refers to itself",
        "o.yaml:6: orchestration.tools[0]: found nothing, allowed: files, shell, web, or module:function, like mytools:read_file",
        "o.yaml:7: orchestration: a list or a mapping cannot be a key; write one word",
        "o.yaml:7: orchestration.: '' is not a key here. Allowed: servers, arbiter, specialists, routing, conversation, limits, timeouts, phases, fleet, gpu, recovery, defaults, models, patterns, selection, quality, cache, rag, tools, constraints, preferences, tell_mistakes, prompts",
        "o.yaml:9: '---' starts a second document here; a configuration must be one document",
    ]


def test_aliases_that_multiply_are_not_unfolded():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    too_much = "here the file expands to more than 10,000 values or 40 levels; use fewer aliases (*name)"
    assert problems("\n".join(lines)) == [f"o.yaml:4: a3[9]: {too_much}"]
    deep = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 2000))]
    assert problems("\n".join(deep)) == [f"o.yaml:39: a38: {too_much}"]


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "o.yaml"
    path.write_bytes(b"orchestration:\n  arbiter: {model: caf\xe9}\n")
    with pytest.raises(ConfigError) as caught:
        load(path, environ={})
    assert caught.value.problems == (Problem(f"{path}:2", "", "the byte 0xe9 is not UTF-8; save the file as UTF-8"),)
    path.write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(ConfigError, match=r"the file is too large, allowed: at most 1,048,576 bytes"):
        load(path, environ={})
    path.write_bytes(b"\xef\xbb\xbforchestration: {arbiter: {model: m}}")
    assert load(path, environ={}).orchestration.arbiter.model == "m"


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            "limits: {turn: 1}",
            "limits.turn: 'turn' is not a key here; did you mean 'turns'? Allowed: turns, calls, depth, total_turns, tokens, seconds, idle, repetition, repeats, tools, answer_chars",
        ),
        ("limits: {Max-Turns: 1}", "limits.Max-Turns: 'Max-Turns' is not a key here; did you mean 'turns'? Allowed: turns, calls, depth, total_turns, tokens, seconds, idle, repetition, repeats, tools, answer_chars"),
        ("limits: {turns: 0}", "limits.turns: found 0 (a whole number), allowed: a whole number >= 1"),
        ("limits: {turns: 2.5}", "limits.turns: found 2.5 (a number), allowed: a whole number >= 1"),
        ("limits: {turns: true}", "limits.turns: found true (a boolean), allowed: a whole number >= 1"),
        ('limits: {turns: "3"}', 'limits.turns: found "3" (a string), allowed: a whole number >= 1'),
        ("limits: {turns: null}", "limits.turns: found nothing, allowed: a whole number >= 1; leave the key out instead"),
        ("limits: {seconds: 5 minutes}", f'limits.seconds: found "5 minutes" (a string), allowed: {DURATION}'),
        ("limits:", "limits: found nothing, allowed: a mapping of keys; leave the key out instead"),
        ("gpu: {strategy: packed}", "gpu.strategy: found \"packed\" (a string), allowed: auto, round_robin, pack, spread or manual; did you mean 'pack'?"),
        ("gpu: {vram_threshold_percent: 0}", "gpu.vram_threshold_percent: found 0 (a whole number), allowed: a percentage, more than 0 and at most 100"),
        ("timeouts: {total: -1}", f"timeouts.total: found -1 (a whole number), allowed: {DURATION}"),
        ("conversation: {arbiter_reviews_all: maybe}", 'conversation.arbiter_reviews_all: found "maybe" (a string), allowed: true or false'),
        ("fleet: {policy: least_bussy}", "fleet.policy: found \"least_bussy\" (a string), allowed: completion_time, round_robin, least_busy, fastest or resource; did you mean 'least_busy'?"),
        ("fleet: {degrade: [wait, refusal]}", "fleet.degrade[1]: found \"refusal\" (a string), allowed: wait, same_class, remote or refuse; did you mean 'refuse'?"),
        ("tools: mytools:f", 'tools: found "mytools:f" (a string), allowed: a list'),
        ("tools: [os.system]", 'tools[0]: found "os.system" (a string), allowed: files, shell, web, or module:function, like mytools:read_file'),
        ("prompts: [a]", "prompts: found a list, allowed: text; put it in quotes"),
        ("prompts: ${HOME", "prompts: '${HOME' is not a reference, allowed: ${NAME} or ${NAME:-default}; write $${ for a plain ${"),
        ("servers: {a: {}}", "servers.a.url: 'url' is missing; a server of kind ollama needs one, like http://a:11434"),
        ("servers: {a b: {url: 'http://a'}}", "servers.a b: 'a b' cannot be a name here, allowed: a name of letters, digits, '.', '_' and '-'; write addresses under 'servers'"),
        ("servers: {a: {url: 'ftp://a'}}", 'servers.a.url: found "ftp://a" (a string), allowed: an address like "http://ollama01:11434" or "https://…"'),
        ("servers: {a: {url: 'http://[a'}}", 'servers.a.url: found "http://[a" (a string), allowed: an address like "http://ollama01:11434" or "https://…"'),
        ("servers: {a: {url: 'http://a:70000'}}", 'servers.a.url: found "http://a:70000" (a string), allowed: an address like "http://ollama01:11434" or "https://…"'),
        ("servers: {a: {url: 'http://a', kind: olama}}", 'servers.a.kind: found "olama" (a string), allowed: ollama, openai, embedded or rehearsal; did you mean \'ollama\'?'),
        ("servers: {a: {url: 'http://a', vram_gb: 11264}}", "servers.a.vram_gb: found 11264 (a whole number), allowed: gigabytes, more than 0 and at most 4096"),
        ("servers: {a: {url: 'http://a', parallel: 0}}", "servers.a.parallel: found 0 (a whole number), allowed: a whole number from 1 to 256"),
        ("servers: {a: {url: 'http://a', gpus: [0, -1]}}", "servers.a.gpus[1]: found -1 (a whole number), allowed: the number of a GPU, from 0"),
        ("servers: {a: {url: 'http://a', models: {x: builtin}}}", "servers.a.models: 'models' belongs to kind: embedded; MMOS asks a server of kind ollama for its models"),
        ("servers: {a: {kind: embedded, url: 'http://a'}}", "servers.a.url: an embedded server runs in a process of MMOS and has no address; remove 'url'"),
        ("servers: {a: {url: 'http://a', headers: {'a b': c}}}", "servers.a.headers.a b: 'a b' cannot be a name here, allowed: the name of an HTTP header"),
        ("routing: {rules: [{condition: task.requires_speed}]}", "routing.rules[0]: the rule does nothing; give it one of: specialist, prefer, model, strategy, pattern"),
        ("routing: {rules: [{condition: task.requires_speed, prefer: []}]}", "routing.rules[0]: the rule does nothing; give it one of: specialist, prefer, model, strategy, pattern"),
        ("routing: {rules: [{condition: task.requires_speed, prefer: [coding, codin]}]}", "routing.rules[0].prefer[1]: found \"codin\" (a string), allowed: the name of a specialist: coding; did you mean 'coding'?"),
        ("routing: {rules: [{condition: task.requires_speed, specialist: coding, prefer: [coding]}]}", "routing.rules[0].prefer: 'specialist' and 'prefer' do not go together: both say who is consulted; remove one of them"),
        ("routing: {rules: [{condition: task.requires_speed, specialist: coding, strategy: single}]}", "routing.rules[0].strategy: 'specialist' and 'strategy' do not go together: with a strategy, the arbiter consults nobody first; remove one of them"),
        ("routing: {rules: [{condition: task.requires_speed, model: m, strategy: intelligent}]}", "routing.rules[0].strategy: 'model' and 'strategy: intelligent' do not go together: both choose who answers; remove one of them"),
        ("routing: {rules: [{condition: run.failures > task.complexity, strategy: intelligent}]}", "routing.rules[0].strategy: found 'intelligent', which this rule cannot do: the strategy chooses who answers before the run begins, and run.failures is known only during it; name a specialist or a model"),
        ("routing: {rules: [{condition: \"'a' in task.tags\", specialist: coding}]}", "routing.rules[0].condition: column 8: 'task.tags' is not known; did you mean 'task.languages'? Known: task.type, task.complexity, task.requires_speed, task.context_tokens, task.languages, task.needs_tools, task.needs_vision, task.text, task.needs, task.text_length, task.confidence"),
        ("routing: {rules: [{condition: task.requires_speed, strategy: ensemble}]}", 'routing.rules[0].strategy: found "ensemble" (a string), allowed: single or intelligent'),
        ("selection: {strategy: scores}", "selection.strategy: found \"scores\" (a string), allowed: rules, score or learning; did you mean 'score'?"),
        ("selection: {weights: {quality: 0, speed: 0, fit: 0, cost: 0}}", "selection.weights: all weights are 0, so nothing would tell candidates apart; give one of them a larger value"),
        ("selection: {weights: {cost: -1}}", "selection.weights.cost: found -1 (a whole number), allowed: a number from 0 to 100"),
        ("defaults: {strategy: voting}", 'defaults.strategy: found "voting" (a string), allowed: one of single, intelligent'),
        ("routing: {rules: [{condition: task.requires_speed, specialist: codin}]}", "routing.rules[0].specialist: found \"codin\" (a string), allowed: the name of a specialist: coding; did you mean 'coding'?"),
        ("routing: {rules: [{condition: task.complexty > 7, specialist: coding}]}", f"routing.rules[0].condition: column 1: 'task.complexty' is not known; did you mean 'task.complexity'? Known: {FACTS}"),
        ("routing: {rules: [{condition: 7, specialist: coding}]}", "routing.rules[0].condition: found 7 (a whole number), allowed: a condition, like task.complexity > 7"),
    ],
)  # fmt: skip
def test_wrong_sections(section, expected):
    assert under(section) == [expected]


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("{modle: m, model: m}", f"modle: 'modle' is not a key here; did you mean 'model'? Allowed: {ROLE_KEYS}"),
        ("{model: 5}", "model: found 5 (a whole number), allowed: the name of a model, like qwen2.5:14b"),
        ("{model: a b}", 'model: found "a b" (a string), allowed: the name of a model, like qwen2.5:14b'),
        (r'{model: "a\u202eb"}', r'model: found "a\u202eb" (a string), allowed: the name of a model, like qwen2.5:14b'),
        (r'{model: "a\u200bb"}', r'model: found "a\u200bb" (a string), allowed: the name of a model, like qwen2.5:14b'),
        ("{model: --config=evil}", 'model: found "--config=evil" (a string), allowed: the name of a model, like qwen2.5:14b'),
        ("{model: ''}", "model: found an empty string, allowed: the name of a model, like qwen2.5:14b"),
        ("{}", "model: 'model' is missing; it is required here"),
        ("{model: '${NO_MODEL}'}", "model: 'model' is missing; ${NO_MODEL} is not set in the environment"),
        ("qwen2.5:14b", ': found "qwen2.5:14b" (a string), allowed: a mapping of keys'),
        ("{model: m, context_window: lots}", 'context_window: found "lots" (a string), allowed: a whole number >= 256'),
        ("{model: m, context_window: 128}", "context_window: found 128 (a whole number), allowed: a whole number >= 256"),
        ("{model: m, server: 'http://me:pw@h:1'}", f'server: found "http://***@h:1" (a string), allowed: {SERVER_NAME}'),
        ("{model: m, server: []}", "server: found a list, allowed: at least one entry"),
        ("{model: m, server: [a, b c]}", f'server[1]: found "b c" (a string), allowed: {SERVER_NAME}'),
        ("{model: m, channel: tool}", "channel: found \"tool\" (a string), allowed: tools or schema; did you mean 'tools'?"),
        (
            "{model: m, think: hihg}",
            "think: found \"hihg\" (a string), allowed: low, medium, high or max, true, or false; did you mean 'high'?",
        ),
        (
            "{model: m, keep_alive: '300'}",
            'keep_alive: found "300" (a string), allowed: seconds as a number, or a duration like "10m" or "1h30m"; negative means forever',
        ),
        (
            "{model: m, keep_alive: 1e300}",
            'keep_alive: found 1e+300 (a number), allowed: seconds as a number, or a duration like "10m" or "1h30m"; negative means forever',
        ),
        (
            "{model: m, keep_alive: true}",
            'keep_alive: found true (a boolean), allowed: seconds as a number, or a duration like "10m" or "1h30m"; negative means forever',
        ),
        (
            "{model: m, options: {num_ctx: 4096}}",
            "options.num_ctx: 'num_ctx' is not allowed here; write 'context_window' beside 'model' instead",
        ),
        ("{model: m, options: {seed: {a: 1}}}", "options.seed: found a mapping, allowed: a number, a text, true or false"),
        ("{model: m, options: {temperature: .inf}, timeout: 0}", f"timeout: found 0 (a whole number), allowed: {DURATION}"),
        ("{model: m, tools: {alow: [a]}}", "tools.alow: 'alow' is not a key here; did you mean 'allow'? Allowed: allow, deny, ask"),
        ("{model: m, tools: [1]}", "tools.allow[0]: found 1 (a whole number), allowed: text; put it in quotes"),
        ("{model: m, consult: one}", f"consult: 'consult' is not a key here. Allowed: {ROLE_KEYS}"),
    ],
)
def test_wrong_roles(role, expected):
    text = f"orchestration:\n  arbiter: {{model: m}}\n  specialists:\n    coding: {role}\n"
    start = "o.yaml:4: orchestration.specialists.coding"
    assert problems(text) == [start + expected if expected.startswith(":") else f"{start}.{expected}"]


def test_names_of_specialists():
    text = "orchestration:\n  arbiter: {model: m, consult: eech}\n  specialists:\n    Code-Review: {model: m}\n    arbiter: {model: m}\n"
    assert problems(text) == [
        "o.yaml:2: orchestration.arbiter.consult: found \"eech\" (a string), allowed: each, one or both; did you mean 'each'?",
        f"o.yaml:4: orchestration.specialists.Code-Review: 'Code-Review' cannot be a name here, allowed: {ROLE_NAME}",
        "o.yaml:5: orchestration.specialists.arbiter: a specialist cannot be named 'arbiter'; write the arbiter beside 'specialists'",
    ]


def test_a_model_that_an_embedded_server_does_not_have():
    text = "orchestration:\n  servers: {here: {kind: embedded, models: {a: builtin, b: ./b.gguf}}}\n  arbiter: {model: c, server: here}\n"
    assert problems(text) == ["o.yaml:3: orchestration.arbiter.model: found \"c\" (a string), allowed on 'here': a, b"]


def test_a_section_at_the_top():
    assert problems("arbiter: {model: m}\norchestrations: {}") == [
        "o.yaml:1: orchestration: 'orchestration' is missing; it is required here",
        "o.yaml:1: arbiter: 'arbiter' stands at the top; put it under 'orchestration:'",
        "o.yaml:2: orchestrations: 'orchestrations' is not a key here; did you mean 'orchestration'? Allowed: orchestration",
    ]


def test_all_problems_are_told_at_once_in_the_order_of_the_file():
    text = """\
orchestration:
  servers:
    a: {url: "gopher://a"}
    a: {url: "http://a"}
  arbiter:
    modle: m
  specialists:
    coding:
      model: m
      context_window: 1
      options:
        num_ctx: 4096
  routing:
    rules:
      - condition: task.complexity >
        specialist: cooking
  limits: {depth: deep}
  promts: x
"""
    with pytest.raises(ConfigError) as caught:
        from_text(text, "o.yaml", {})
    assert [(problem.where, problem.key) for problem in caught.value.problems] == [
        ("o.yaml:3", "orchestration.servers.a.url"),
        ("o.yaml:4", "orchestration.servers.a"),
        ("o.yaml:5", "orchestration.arbiter.model"),
        ("o.yaml:6", "orchestration.arbiter.modle"),
        ("o.yaml:10", "orchestration.specialists.coding.context_window"),
        ("o.yaml:12", "orchestration.specialists.coding.options.num_ctx"),
        ("o.yaml:15", "orchestration.routing.rules[0].condition"),
        ("o.yaml:16", "orchestration.routing.rules[0].specialist"),
        ("o.yaml:17", "orchestration.limits.depth"),
        ("o.yaml:18", "orchestration.promts"),
    ]
    assert str(caught.value).count("\n") == 9


FULL = """\
orchestration:
  servers:
    a: {url: "http://a:1", kind: ollama, vram_gb: 1, gpus: [0], parallel: 1, api_key_env: KEY, headers: {X-Key: k}, time_scale: 1}
    e: {kind: embedded, models: {m: builtin}}
  arbiter: {model: m, server: a, role: r, consult: one}
  specialists:
    coding:
      {model: m, server: [a], description: d, context_window: 256, channel: tools, options: {seed: 1}, think: low, keep_alive: 1m, system: s, tools: [t], gpu_id: 0, vram_required_gb: 1, timeout: 1}
  routing: {rules: [{condition: task.requires_speed, specialist: coding}]}
  conversation: {max_models_per_conversation: 1, include_full_history: false}
  limits: {turns: 1, tokens: 1, seconds: 1}
  timeouts: {connect: 1}
  gpu: {strategy: pack, vram_threshold_percent: 90, allow_shared_gpu: false, auto_unload: false}
  tools: ["os:getcwd"]
  prompts: p
"""


def leaves(data: Any) -> Iterator[tuple[Any, Any]]:
    """Each container with each key of it that holds a single value."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        if isinstance(value, dict | list):
            yield from leaves(value)
        else:
            yield data, key


def all_that_is_told(text: str, environ: dict[str, str]) -> str:
    try:
        config = from_text(text, "o.yaml", environ)
    except ConfigError as error:
        return str(error)
    return "\n".join([describe(config), str(as_dict(config)), *map(str, config.warnings)])


@pytest.mark.parametrize("secret", ["hunter2 & <s3cr3t>", "hunter2", "hunter:2x", "http://hunter2"])
def test_what_comes_from_the_environment_is_never_told(secret):
    data = yaml.safe_load(FULL)
    places = list(leaves(data))
    assert len(places) > 30
    for container, key in places:
        value, container[key] = container[key], "${SECRET}"
        told = all_that_is_told(yaml.safe_dump(data), {"SECRET": secret})
        container[key] = value
        assert secret not in told, key
        assert "SECRET" in told or "not shown" in told or "***" in told


def test_literal_secrets_are_never_told():
    text = """\
orchestration:
  servers:
    a: {url: "ftp://me:hunter2@a", api_key_env: "sk-hunter2", headers: {Authorization: "hunter2\\n"}, api_key: hunter2}
  arbiter: {model: m, server: "http://me:hunter2@a"}
"""
    told = problems(text)
    assert len(told) == 5
    assert "hunter2" not in "".join(told)


def test_a_text_from_the_file_cannot_write_on_the_terminal():
    text = 'orchestration: {arbiter: {model: m, channel: "\\e[31mred\\x9b", "k\\e[0m": 1}}'
    assert all(problem.isprintable() for problem in problems(text))


def test_problems_stay_short_and_quick_for_large_files():
    long = "x" * 5000
    told = problems(f"orchestration: {{arbiter: {{model: m, channel: {long}, {long}: 1}}}}")
    assert all(len(problem) < 600 for problem in told)
