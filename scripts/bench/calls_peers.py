"""Runs the test cases of other parsers through MMOS's reader, family by family, and shows the differences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.calls_rows import Outcome, Reader, lines

KINDS = ("end_to_end", "stream_events", "count_names", "malformed")


@dataclass
class Family:
    """The results of one family of cases."""

    calls: int = 0
    content: int = 0
    cases: int = 0
    apart: list[tuple[str, str, str, str]] = field(default_factory=list)
    """For each difference: the case, the expected result, MMOS's result, and the kind of difference."""


def families(data: Path, reader: Reader, *, core: bool = True) -> dict[str, Family]:
    found: dict[str, Family] = {}
    for case in lines(data / "peer_parser" / "cases.jsonl"):
        if case["core"] is not core or case["kind"] not in KINDS:
            continue
        family = found.setdefault(f"{case['peer']}/{case['family']}", Family())
        _add(family, case, reader)
    return found


def _add(family: Family, case: Mapping[str, Any], reader: Reader) -> None:
    made = reader(case["text"], case.get("tools") or invented(case))
    calls, content = calls_agree(made, case["expected"]), content_agrees(made, case["expected"])
    family.cases += 1
    family.calls += calls
    family.content += calls and content
    if not (calls and content):
        shown = f"{list(made.calls)} {made.content!r} {made.unclear!r}"
        family.apart.append((case["id"], repr(case["text"]) + "\n     " + str(case["expected"]), shown, "content" if calls else "calls"))


def invented(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tools for a case that offers none: the tools that it expects to be called, with any arguments."""
    expected = case["expected"]
    names = dict.fromkeys(
        [call["name"] for call in [*(expected.get("calls") or ()), *(expected.get("call_checks") or ())] if call.get("name")]
    )
    names |= dict.fromkeys([*(expected.get("expected_names") or ()), *(expected.get("names") or ())])
    if not names and (expected.get("n_calls") or expected.get("n_calls_min")):
        names = dict.fromkeys(re.findall(r'"name": ?"(\w+)"', case["text"]))
    return [{"name": name, "description": "", "parameters": {"type": "object"}} for name in names]


def calls_agree(made: Outcome, expected: Mapping[str, Any]) -> bool:
    if "calls" in expected:
        return [(name, dict(arguments)) for name, arguments in made.calls] == [
            (str(call["name"]), dict(call.get("arguments") or {})) for call in expected["calls"]
        ]
    if "expected_names" in expected:
        return [name for name, _ in made.calls] == list(expected["expected_names"])
    if "n_calls" in expected:
        return len(made.calls) == int(expected["n_calls"])
    return True


def content_agrees(made: Outcome, expected: Mapping[str, Any]) -> bool:
    """The content without blank space at the edges. Raw bodies of tags do not count as calls."""
    if expected.get("content") is None or expected.get("raw_tool_bodies"):
        return True
    return made.content.strip() == str(expected["content"]).strip()
