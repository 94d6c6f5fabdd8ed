"""Roles with their servers and their one window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.config.load import from_text
from mmos.config.windows import DEFAULT_WINDOW, Use, Windows
from mmos.names import same_model


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
        ("a: {model: M, server: s}, b: {model: library/m, server: s, context_window: 16384}", {"a": 16384, "b": 16384}),
        ("a: {model: m, server: s}, b: {model: team/m, server: s, context_window: 16384}", {"a": 8192, "b": 16384}),
        (
            "a: {model: m, server: s, context_window: 512}, b: {model: m, server: [s, t]}, c: {model: m, server: t, context_window: 1024}",
            {"a": 1024, "b": 1024, "c": 1024},
        ),
    ],
)
def test_one_model_on_one_server_has_one_window(roles, expected):
    assert windows(roles) == expected


def test_a_change_of_a_run_widens_windows_and_narrows_none() -> None:
    roles = "a: {model: m, server: s, context_window: 4096}, b: {model: n, server: s, context_window: 16384}, c: {model: n, server: s}"
    config = from_text(f"orchestration: {{arbiter: {{model: big, server: far}}, specialists: {{{roles}}}}}", "f", {})
    changed = config.roles({"b": ("Library/M", ("s",)), "a": ("M:latest", ("s", "t"))})
    assert {name: (role.model, role.window) for name, role in changed.items() if role.name != "arbiter"} == {
        "a": ("M:latest", 16384),
        "b": ("Library/M", 16384),
        "c": ("n", 16384),
    }


def test_the_table_says_which_window_a_model_has_on_a_host() -> None:
    roles = "a: {model: m, server: s, context_window: 4096}, b: {model: m, server: t, context_window: 16384}"
    windows = from_text(f"orchestration: {{arbiter: {{model: big, server: far}}, specialists: {{{roles}}}}}", "f", {}).windows()
    assert [windows.of("Library/M", [host]) for host in ("s", "t", "far")] == [4096, 16384, 8192]
    assert (windows.of("m"), windows.of("m", ("s", "t")), windows.of("big")) == (16384, 16384, 8192)
    assert [windows.known("m", ["far"]), windows.known("big", ["far"])] == [None, 8192]


PLACES = st.lists(st.sampled_from("stu"), max_size=2, unique=True)
USES = st.builds(Use, st.sampled_from(["m", "M:latest", "n"]), PLACES, st.none() | st.integers(256, 1024))


@given(st.lists(USES, max_size=6))
def test_a_use_has_one_window_on_all_of_its_hosts_and_no_less_than_it_asks_for(uses: list[Use]) -> None:
    table = Windows(uses)
    for use in uses:
        (window,) = {table.known(use.model, [host]) for host in use.servers or "stu"}
        asked = [other.window for other in uses if same_model(other.model, use.model) and other.window]
        assert window in (asked or [DEFAULT_WINDOW]) or window == DEFAULT_WINDOW
        assert window is not None
        assert window >= (use.window or 0)
    assert Windows(uses[::-1])._table == table._table


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
