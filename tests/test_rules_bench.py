"""The benchmark of the rules counts cases that are right, wrong and unknown, and says when its file is not there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from bench_rules import main, part, read, table

CASES = [
    {"id": "a", "log": "model 'm:1' not found, try pulling it first", "category": "MODEL_NOT_FOUND"},
    {"id": "b", "log": "429 Too Many Requests", "category": "SERVER_BUSY"},
    {"id": "c", "log": "it was a nice day", "category": "BAD_REQUEST"},
]


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(map(json.dumps, CASES)), encoding="utf-8")
    return path


def test_it_counts_what_the_rules_say(cases: Path) -> None:
    found = read(cases)
    assert [case.outcome for case in found] == ["right", "wrong", "null"]
    assert table(found).endswith("3 cases: right 33.3%, wrong 33.3%, null 33.3%")


def test_the_parts_are_the_whole(cases: Path) -> None:
    found = read(cases)
    assert sorted(case.name for which in ("1/2", "2/2") for case in part(found, which, seed=1)) == ["a", "b", "c"]


def test_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_rules.py", str(tmp_path / "none.jsonl")])
    assert main() == 2
    assert "is not there" in capsys.readouterr().err
