"""New servers in the text of a configuration: found a place in every layout, and nothing else is touched."""

from __future__ import annotations

import difflib

import pytest
import yaml

from mmos.config.init import HostSurvey, SurveyedModel, propose
from mmos.config.inserting import with_servers
from mmos.config.load import from_text
from mmos.errors import UsageError

NEW = {"gpu3": {"url": '"http://gpu3:11434"'}, "studio": {"url": '"http://studio:1234/v1"', "kind": "openai"}}
BLOCK = """\
orchestration:
  servers:
    # the first
    a:
      url: http://a:11434   # in the cellar
      # vram_gb: 24   # when it has one
    # b: {url: "http://b:11434"}   # did not answer

  # The arbiter talks with you.
  arbiter: {model: m, server: a}
"""
FLOW = "orchestration: {servers: {a: {url: 'http://a:11434'}}, arbiter: {model: m}}\n"


def added(text: str) -> list[str]:
    """The new lines; every old one has to be there as it was."""
    after = with_servers(text, NEW, "o.yaml")
    servers = yaml.safe_load(after)["orchestration"]["servers"]
    assert list(servers)[-2:] == ["gpu3", "studio"]
    assert servers["studio"] == {"url": "http://studio:1234/v1", "kind": "openai"}
    assert from_text(after, "o.yaml", {}).roles().keys() == from_text(text, "o.yaml", {}).roles().keys()
    lines = list(difflib.ndiff(text.splitlines(keepends=True), after.splitlines(keepends=True)))
    assert not [line for line in lines if line.startswith("- ")]
    return [line[2:] for line in lines if line.startswith("+ ")]


def test_after_the_last_entry_and_its_notes() -> None:
    after = with_servers(BLOCK, NEW, "o.yaml")
    assert added(BLOCK) == [
        "    gpu3:\n",
        '      url: "http://gpu3:11434"\n',
        "    studio:\n",
        '      url: "http://studio:1234/v1"\n',
        "      kind: openai\n",
    ]
    assert '# did not answer\n    gpu3:\n      url: "http://gpu3:11434"\n' in after
    assert "      kind: openai\n\n  # The arbiter" in after


def test_in_the_style_of_the_entry_before() -> None:
    text = "orchestration:\n    arbiter: {model: m}\n    servers:\n        a: {url: 'http://a:11434'}\n"
    assert added(text) == ['        gpu3: {url: "http://gpu3:11434"}\n', '        studio: {url: "http://studio:1234/v1", kind: openai}\n']


def test_a_section_is_made_where_there_is_none() -> None:
    text = "# mine\norchestration:   # all of it\n\n  # who talks\n  arbiter: {model: m}\n"
    assert added(text)[:3] == ["  servers:\n", "    gpu3:\n", '      url: "http://gpu3:11434"\n']
    assert with_servers(text, NEW, "o.yaml").startswith("# mine\norchestration:   # all of it\n  servers:\n")


@pytest.mark.parametrize(
    "text",
    [
        FLOW,
        FLOW.replace("}}, arbiter", "}, }, arbiter"),
        FLOW.replace("servers: {a: {url: 'http://a:11434'}}, ", ""),
        FLOW.replace("{a: {url: 'http://a:11434'}}", "{}"),
        "orchestration:\n  servers: {\n    a: {url: 'http://a:11434'},   # one, with a comma\n  }\n  arbiter: {model: m}\n",
        "orchestration:\n  arbiter: {model: m}\n  servers: { }\n",
    ],
)
def test_within_braces(text: str) -> None:
    after = with_servers(text, NEW, "o.yaml")
    servers = yaml.safe_load(after)["orchestration"]["servers"]
    assert servers["studio"]["kind"] == "openai"
    kept = iter(after)
    assert all(sign in kept for sign in text)  # all that was there, in its order


def test_line_ends_are_those_of_the_file() -> None:
    assert all(line.endswith("\r\n") for line in added(BLOCK.replace("\n", "\r\n")))
    open_end = "orchestration:\n  arbiter: {model: m}\n  servers:\n    a:\n      url: http://a:11434"
    after = with_servers(open_end, NEW, "o.yaml")
    assert after.startswith(f"{open_end}\n    gpu3:")
    assert after.endswith("kind: openai")
    assert with_servers(f"\ufeff{BLOCK}", NEW, "o.yaml") == f"\ufeff{with_servers(BLOCK, NEW, 'o.yaml')}"


def test_an_alias_in_an_entry_is_no_hindrance() -> None:
    text = "orchestration:\n  arbiter: {model: m, system: &t 'http://a:11434'}\n  servers:\n    a:\n      url: *t\n  specialists: {}\n"
    assert added(text)[0] == "    gpu3:\n"


@pytest.mark.parametrize(
    "text",
    [
        "x: &s {a: {url: u}}\norchestration: {arbiter: {model: m}, servers: *s}\n",
        "orchestration:\n  arbiter: {model: m}\n  servers:\n    gpu3: {url: u}\n",
        "orchestration:\n  arbiter: {model: m}\n  servers:\n    a:\n      url: |+\n        u\n\n\n  specialists: {}\n",
    ],
)
def test_what_has_no_safe_place_is_left_to_its_owner(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        with_servers(text, NEW, "o.yaml")
    assert "Add these lines to the file yourself" in str(caught.value)
    assert '      url: "http://gpu3:11434"' in str(caught.value)


def test_what_init_writes_takes_more_hosts() -> None:
    model = SurveyedModel("qwen2.5:7b", 5_000_000_000, "7.6B", capabilities=frozenset({"completion", "tools"}))
    near = HostSurvey("near", "http://near:11434", True, "0.34.4", (model,))
    text = propose([near, HostSurvey("far", "http://far:11434", False, error="refused")])
    after = with_servers(text, NEW, "o.yaml")
    assert after.index("# parallel: 2") < after.index("# far:") < after.index("gpu3:") < after.index("  # The arbiter talks")
