"""The configuration in effect, with the source of every value."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from mmos.config.load import Source, from_mapping, from_text, load
from mmos.config.show import as_dict, describe

ROOT = Path(__file__).parent.parent
TEXT = """\
orchestration:
  servers:
    far: {url: "https://${LOGIN:-me}:pw@far/v1/", kind: openai, headers: {X-Key: "${KEY}", X-Team: blue}, parallel: "${SLOTS:-3}"}
  arbiter: {model: m, server: [far, near], tools: [one, "no"], system: "say $${x}\\nthen 😀"}
  specialists:
    coding: {model: m, server: near, context_window: 9000, timeout: 5m}
    spare: {model: n}
  routing:
    rules:
      - {condition: task.requires_speed, specialist: coding}
"""


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


def test_every_value_has_its_source():
    shown = lines(describe(from_text(TEXT, "o.yaml", {"KEY": "hunter2"})))
    for expected in (
        "# In effect: o.yaml",
        'url: "https://***@far/v1/"  # o.yaml:3, from the environment',
        "kind: openai  # o.yaml:3",
        'parallel: "${SLOTS:-3}"  # o.yaml:3, from the environment',
        '"X-Key": "***"  # o.yaml:3',
        '"X-Team": "***"  # o.yaml:3',
        'url: "http://near:11434"  # implied',
        "server: [far, near]  # o.yaml:4",
        'allow: [one, "no"]  # o.yaml:4',
        'system: "say $${x}\\nthen 😀"  # o.yaml:4',
        "context_window: 9000  # shared with coding: one model on one server has one window",
        "context_window: 9000  # o.yaml:6",
        "timeout: 300  # o.yaml:6",
        "context_window: 8192  # default",
        '- condition: "task.requires_speed"  # o.yaml:10',
        "specialist: coding  # o.yaml:10",
        "turns: 24  # default",
        "tokens: 10000000  # default",
    ):
        assert expected in shown


def test_what_is_shown_loads_as_the_same():
    for config in (
        load(ROOT / "orchestration.yaml", environ={}),
        load(Source(None, "built-in"), environ={}),
        from_text(TEXT, "f", {"KEY": "k"}),
    ):
        again = from_text(describe(config), "shown", {})
        assert again.roles() == config.roles()
        assert again.servers().keys() == config.servers().keys()
        for section in ("routing", "conversation", "limits", "timeouts", "tools", "prompts"):
            assert getattr(again.orchestration, section) == getattr(config.orchestration, section)


def test_a_pattern_is_shown_as_it_is_written():
    text = (
        "orchestration:\n  arbiter: {model: m}\n  patterns:\n    p: {pattern: sequential, validate: true, models: [a, {role: arbiter}]}\n"
    )
    config = from_text(text, "o.yaml", {})
    shown = describe(config)
    assert '- model: "a"  # o.yaml:4' in shown.replace("model: a", 'model: "a"')
    assert "validate: true  # o.yaml:4" in shown
    assert "system_prompt" not in shown
    assert from_text(shown, "shown", {}).orchestration.patterns == config.orchestration.patterns


def test_ready_tools_are_shown_with_their_settings():
    head = "orchestration:\n  arbiter: {model: m}\n  tools: "
    for tools in ("[files, 'mine:f', {web: {allow: [docs.python.org]}, shell: }]", "{files: {write: never}}"):
        config = from_text(head + tools, "o.yaml", {})
        shown = describe(config)
        assert from_text(shown, "shown.yaml", {}).orchestration.tools == config.orchestration.tools
    assert "write: never  # o.yaml:3" in lines(shown)
    assert as_dict(config)["orchestration"]["tools"] == {"files": {"root": ".", "write": "never"}}


def test_the_same_for_programs():
    config = from_text(TEXT, "o.yaml", {})
    told = as_dict(config)
    assert told["path"] is None
    assert told["orchestration"] == yaml.safe_load(re.sub(r"\$\$\{", "${", describe(config)))["orchestration"]
    assert told["sources"]["orchestration.routing.rules[0].specialist"] == "o.yaml:10"
    assert told["sources"]["orchestration.limits.turns"] == "default"
    assert told["warnings"] == [
        {
            "where": "o.yaml:3",
            "key": "orchestration.servers.far.headers.X-Key",
            "message": "KEY is not set in the environment, so this value is empty; set it, or write a default: ${KEY:-…}",
        }
    ]
    assert describe(config).splitlines()[-1].startswith("# Warning: o.yaml:3: orchestration.servers.far.headers.X-Key: KEY is not set")


def test_a_mapping_is_shown_without_lines():
    shown = lines(describe(from_mapping({"orchestration": {"arbiter": {"model": "m"}, "limits": {"turns": 5}}}, environ={})))
    assert {"# In effect: a mapping", "turns: 5  # given", "calls: 64  # default"} <= set(shown)
