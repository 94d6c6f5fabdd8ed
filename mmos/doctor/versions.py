"""A table of Ollama versions with known faults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mmos.doctor.facts import Facts
from mmos.doctor.findings import Finding, Level

Number = tuple[int, int, int]


@dataclass(frozen=True)
class Known:
    """Versions from one up to another, that one excluded, and what is wrong with them."""

    since: Number
    before: Number
    level: Level
    code: Literal["version_insecure", "version_too_old", "version_known_bad"]
    what: str
    cure: str = ""


UPDATE = "Update Ollama on {host}: https://ollama.com/download (on Linux: curl -fsSL https://ollama.com/install.sh | sh)"
KNOWN = (
    Known((0, 0, 0), (0, 5, 0), "error", "version_too_old", "answers by a JSON schema, which roles without tool calls need, came with 0.5.0"),
    Known((0, 0, 0), (0, 17, 1), "warning", "version_insecure", "anyone who can reach it can read its memory with a forged model file (CVE-2026-7482)"),
    Known((0, 17, 1), (0, 20, 3), "warning", "version_insecure", "anyone who can reach it can read files outside the folder of images (CVE-2026-7020)"),
    Known((0, 5, 0), (0, 12, 10), "info", "version_known_bad", "its tool calls have no ids, so only their order tells results apart"),
    Known((0, 5, 0), (0, 30, 0), "info", "version_known_bad", "it may continue to compute a call that was cancelled before its first token"),
    Known((0, 30, 6), (0, 30, 7), "warning", "version_known_bad", "on machines whose GPU shares the memory it throws out and reloads models that fit (#16610)"),
    Known((0, 13, 0), (0, 34, 1), "info", "version_known_bad", "when a model repeats itself, Ollama ends the answer without an error (#18374)"),
)  # fmt: skip
"""From Ollama's issues and from our own measurements."""


def versions(facts: Facts) -> Iterator[Finding]:
    for state in facts.states:
        number = read(state.version) if state.kind in ("ollama", "rehearsal") else None
        if number is None:
            continue
        by_code: dict[str, list[Known]] = {}
        for known in KNOWN:
            if known.since <= number < known.before:
                by_code.setdefault(known.code, []).append(known)
        for code, faults in by_code.items():
            level = min((fault.level for fault in faults), key=("error", "warning", "info").index)
            what = "; ".join(fault.what for fault in faults)
            yield Finding(level, code, state.name, f"Ollama {state.version}: {what}.", UPDATE.format(host=state.name))


def read(version: str) -> Number | None:
    """`0.33.0-rc2` is 0.33.0; what was built from source calls itself 0.0.0, and may be anything."""
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version)
    number = (int(match[1]), int(match[2]), int(match[3] or 0)) if match else (0, 0, 0)
    return None if number == (0, 0, 0) else number
