"""Finds and reads the recordings of requests to real servers and of their responses."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).parents[2] / "shared"
RECORDED = Path(os.environ.get("MMOS_RECORDED_WIRE") or SHARED / "ollama-wire")
"""A folder for each version: a JSON object on each line, with the request, the status, the headers and the lines of the response."""
PROFILES: dict[str, Any] = {"real-0.13.5": "0.13", "real-head": "0.33", "real-0.34.4": "0.34"}
LEFT_OUT = re.compile(r"\.\.\.\s?\d+ (lines|characters) left out\s?\.\.\.")
HERE = pytest.mark.skipif(not RECORDED.is_dir(), reason=f"NO RECORDINGS: {RECORDED} is not there")


@dataclass(frozen=True)
class Recording:
    """One request and its response."""

    step: str
    path: str
    method: str
    asked: Any
    status: int
    kind: str
    lines: tuple[str, ...]

    @property
    def readable(self) -> bool:
        """Lines may be left out between others, but none was cut in itself."""
        return all(not LEFT_OUT.search(line) or LEFT_OUT.fullmatch(line.strip()) for line in self.lines)

    @property
    def whole(self) -> bool:
        return not any(LEFT_OUT.search(line) for line in self.lines)


def recordings(folder: str, name: str) -> Iterator[Recording]:
    for line in (RECORDED / folder / f"{name}.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        if "note" in row or "cut" in row or "client_error" in row:
            continue
        asked = row["request"]
        kind = row["headers"].get("Content-Type", "")
        yield Recording(row["step"], asked["path"], asked["method"], asked["body"], row["status"], kind, tuple(row["lines"]))
