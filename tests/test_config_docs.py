"""docs/configuration.md: every key is told of, every example loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mmos.app import checks
from mmos.config.facts import FACTS
from mmos.config.json_schema import json_schema
from mmos.config.load import from_mapping, from_text
from mmos.prompting.templates import set_of, texts

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "configuration.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_every_key_and_every_fact_is_told_of():
    keys = {key for section in json_schema()["$defs"].values() for key in section["properties"]}
    assert [key for key in sorted(keys | FACTS.keys()) if f"`{key}`" not in PAGE] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_loads(example):
    assert from_text(example, "docs/configuration.md", {"TEAM_TOKEN": "t"}).roles()["arbiter"].model


def test_there_are_examples():
    assert len(EXAMPLES) >= 6


def test_the_defaults_of_the_tables_are_the_defaults():
    for name in ("Limits", "Timeouts", "Conversation", "Placement", "Gpu"):
        for key, rule in json_schema()["$defs"][name]["properties"].items():
            default = rule.get("default")
            said = "none" if default is None else str(default).lower().removesuffix(".0").replace("'", "")
            assert f"| `{key}` | {said} |" in PAGE.replace(f"`{said}`", said)


def test_the_page_of_prompts_has_every_file_and_every_place():
    page = (DOCS / "prompts.md").read_text(encoding="utf-8")
    small = {path.stem for path in set_of("small").glob("*.md")}
    whole = {name: text for name, text in texts().items() if not text.section}
    files = [f"| `{name}.md` | {text.reader} | {text.use} | {'yes' if name in small else 'no'} |" for name, text in whole.items()]
    places = [f"| `{name}.md` | `{place}` | {what} |" for name, text in whole.items() for place, what in text.places.items()]
    assert re.findall(r"^\| `\w+\.md` .*$", page, re.MULTILINE) == files + places
    sections = [
        f"| `{name}` | {text.reader} | {text.use} | {'; '.join(f'`{place}`: {what}' for place, what in text.places.items())} |"
        for name, text in texts().items()
        if text.section
    ]
    table = page.partition("## Sections")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `\S+` .*$", table, re.MULTILINE) == sections


def test_the_built_in_tools_are_those_of_the_code():
    specialists = {"coding": {"model": "m"}, "reviewer": {"model": "m"}, "interpreter": {"model": "m"}}
    known = {"large": {"model": "l", "capabilities": ["HIGH_QUALITY"]}}
    patterns = {"both": {"pattern": "ensemble", "models": ["m"]}}
    keys = {"arbiter": {"model": "m"}, "specialists": specialists, "models": known, "patterns": patterns}
    config = from_mapping({"orchestration": keys}, environ={})
    box = checks.tools_of(config)
    table = PAGE.partition("### Which tools a role holds")[2].partition("\n#")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted({re.sub("coding|reviewer", "NAME", name) for name in box.names}) == sorted(named)


@pytest.mark.parametrize("example", [example for example in EXAMPLES if 'tools: ["mytools' not in example])
def test_the_tools_that_the_examples_permit_are_there(example):
    assert checks.problems(from_text(example, "docs/configuration.md", {"TEAM_TOKEN": "t"})) == []
