"""The page on the architecture names every part, in the order that import-linter holds, and files that there are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ABOVE = {"__main__", "version"}
"""Parts that the page need not explain."""


def test_every_file_and_folder_is_there() -> None:
    named = set(re.findall(r"`((?:mmos|docs|prompts)/[\w/.]*)`", PAGE))
    assert len(named) > 30
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_part_stands_on_its_floor() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    floors = [[part.strip() for part in layer.split("|")] for layer in contracts[0]["layers"]]
    table = PAGE.partition("## The floors")[2].partition("## ")[0]
    places = {part: match.start() for floor in floors for part in floor if (match := re.search(rf"`mmos/{part}(?:/|\.py)`", table))}
    assert {part for floor in floors for part in floor} - ABOVE == set(places)
    order = [[places[part] for part in floor if part in places] for floor in floors]
    tops = [min(floor) for floor in order if floor]
    assert tops == sorted(tops)


def test_every_name_on_the_way_is_there() -> None:
    way = PAGE.partition("## The way of a task")[2].partition("## Words")[0]
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "mmos").rglob("*.py"))
    names = {name.rpartition(".")[2] for name in re.findall(r"`([A-Z]\w+(?:\.\w+)?)`", way)}
    assert {"RunStarted", "respond", "serve", "ask"} <= names
    missing = [
        name for name in sorted(names) if not re.search(rf"^\s*(?:(?:class|(?:async )?def) {name}\b|{name}\b.* = )", code, re.MULTILINE)
    ]
    assert missing == []
