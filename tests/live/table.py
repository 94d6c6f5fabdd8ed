"""What is expected to differ between the lines of Ollama, and the table of what was compared, written by the tests themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

PLACE = os.environ.get("MMOS_LIVE_TABLE")
"""Where the table is written, if it is."""
SIGNS = {"passed": "✓", "failed": "✗ FAILED", "skipped": "–"}

KNOWN_DIFFERENCES: Mapping[tuple[str, str], str] = {}
"""Where the rehearsal host is known to differ from the real server: the test and the server, and how they differ."""

Row = tuple[str, str]
_seen: dict[Row, dict[str, str]] = {}
_servers: dict[str, None] = {}


def line_of(version: str) -> str:
    """The line whose behaviour a version has."""
    if version == "installed":
        return "0.34"
    major, minor = (int(part) for part in version.split(".")[:2])
    return "0.13" if (major, minor) < (0, 30) else "0.34"


def known_difference(name: str, test: str) -> str:
    """How this comparison is known to come out wrong; a row may name all cases of a test or a single one."""
    inside = name.removeprefix(test)[1:-1]
    for (row, server), reason in KNOWN_DIFFERENCES.items():
        if inside.startswith(server) and row in (test, f"{test}[{inside.removeprefix(server).removeprefix('-')}]"):
            return reason
    return ""


def note(item: pytest.Item, report: pytest.TestReport) -> None:
    """Remember how a comparison ended."""
    callspec = getattr(item, "callspec", None)
    server = callspec.params.get("server_name") if callspec else None
    if not PLACE or server is None or (report.when != "call" and report.outcome == "passed"):
        return
    words = str(item.originalname).removeprefix("test_").replace("_", " ")  # type: ignore[attr-defined]
    area = item.path.stem.removeprefix("test_live_")
    known = getattr(report, "wasxfail", "") if report.outcome == "skipped" else ""
    outcome = f"≠ {known.removeprefix('reason: ')}" if known else SIGNS[report.outcome]
    cases = _seen.setdefault((area, words), {})
    _servers[server] = None
    weight = {"–": 0, "✓": 1}  # a row does not apply only where none of its cases does
    before = cases.get(server)
    if before is None or weight.get(outcome, 2) >= weight.get(before, 2):
        cases[server] = outcome


def write() -> None:
    if not PLACE or not _seen:
        return
    path = Path(PLACE)
    head = path.read_text("utf-8").partition("<!-- table -->")[0] if path.exists() else ""
    path.write_text(f"{head}<!-- table -->\n{_table()}", "utf-8")


def _table() -> str:
    servers = sorted(_servers)
    titles = ["| |", *(f" {name.replace('-', ' ')} |" for name in servers)]
    lines = ["".join(titles), "|---" * (len(servers) + 1) + "|"]
    area = ""
    for (found, words), cases in sorted(_seen.items()):
        if found != area:
            area = found
            lines.append(f"| **{area}** |" + " |" * len(servers))
        lines.append(f"| {words} | " + " | ".join(cases.get(name, "") for name in servers) + " |")
    return "\n".join(lines) + "\n"
