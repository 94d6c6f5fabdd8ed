"""Roles with their servers and their one window."""

from __future__ import annotations

import pytest

from mmos.config.load import from_text


def windows(roles: str) -> dict[str, int]:
    config = from_text(f"orchestration: {{arbiter: {{model: big, server: far}}, specialists: {{{roles}}}}}", "f", {})
    return {name: role.window for name, role in config.roles().items() if name != "arbiter"}


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ("a: {model: m, server: s}", {"a": 8192}),
        ("a: {model: m, server: s, context_window: 4096}, b: {model: m, server: s}", {"a": 4096, "b": 4096}),
        ("a: {model: m, server: s, context_window: 4096}, b: {model: m, server: s, context_window: 16384}", {"a": 16384, "b": 16384}),
        ("a: {model: m, server: s, context_window: 4096}, b: {model: m, server: t, context_window: 16384}", {"a": 4096, "b": 16384}),
        ("a: {model: m, server: s, context_window: 4096}, b: {model: n, server: s, context_window: 16384}", {"a": 4096, "b": 16384}),
        ("a: {model: m, server: s, context_window: 4096}, b: {model: m, context_window: 16384}", {"a": 16384, "b": 16384}),
        ("a: {model: m, server: s, context_window: 4096}, b: {model: 'm:latest', server: s, context_window: 512}", {"a": 4096, "b": 4096}),
        (
            "a: {model: m, server: s, context_window: 512}, b: {model: m, server: [s, t]}, c: {model: m, server: t, context_window: 1024}",
            {"a": 1024, "b": 1024, "c": 1024},
        ),
    ],
)
def test_one_model_on_one_server_has_one_window(roles, expected):
    assert windows(roles) == expected


def test_a_role_has_all_that_the_file_says():
    text = """\
orchestration:
  arbiter: {model: m, consult: both}
  specialists:
    coding:
      model: c
      server: [a, b, a]
      description: code
      channel: schema
      options: {temperature: 0.5, stop: ["\\n"], seed: 3, flag: true}
      think: on
      keep_alive: -1
      system: be brief
      tools: {allow: [x], deny: [y]}
      timeout: 1m30s
    interpreter: {model: i, keep_alive: 1h30m, think: max}
    synthesizer: {model: s, tools: []}
"""
    roles = from_text(text, "f", {}).roles()
    coding = roles["coding"]
    assert (coding.name, coding.model, coding.servers, coding.description) == ("coding", "c", ("a", "b"), "code")
    assert (coding.channel, coding.think, coding.keep_alive, coding.system, coding.timeout) == ("schema", True, -1, "be brief", 90.0)
    assert coding.options == {"temperature": 0.5, "stop": ["\n"], "seed": 3, "flag": True}
    assert (coding.tools.allow, coding.tools.deny) == (["x"], ["y"])
    assert (roles["arbiter"].consult, roles["arbiter"].servers, roles["arbiter"].tools.allow) == ("both", (), None)
    assert roles["synthesizer"].tools.allow == []
    assert (roles["interpreter"].keep_alive, roles["interpreter"].think) == ("1h30m", "max")
    assert [name for name, role in roles.items() if role.consultable] == ["coding"]
