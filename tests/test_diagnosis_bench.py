"""The bench of the reader of logs: its figures are sound, and it says when it has no logs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bench_diagnosis
import pytest
from bench.selecting import cost, named, rows, shares
from failing_output import worked

CASE = {
    "log": "\n".join([*worked(100, "a"), "Error: no disk", *worked(100, "b")]),
    "evidence": [
        {"type": "exception", "importance": "critical", "lines": [[101, 101]]},
        {"type": "command", "importance": "important", "lines": [[1, 1]]},
    ],
}


def test_shares_are_of_the_critical_evidence(tmp_path: Path) -> None:
    path = tmp_path / "logs.jsonl"
    path.write_text(json.dumps(CASE) + "\n", encoding="utf-8")
    found = {share.name: share.shares[100] for share in shares(rows(path), [100])}
    assert found == {"head": 0.0, "tail": 0.0, "grep": 0.0, "mmos": 1.0}
    assert named(rows(path)) == 1


def test_the_cost_of_a_long_log_grows_with_its_size_and_its_cause_is_found() -> None:
    found = cost(4)
    assert found.mib == 4
    assert found.found
    assert found.seconds > found.counting > 0


def test_it_says_when_there_are_no_logs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_diagnosis.py", "/nowhere/logs.jsonl", "--mib", "1"])
    assert bench_diagnosis.main() == 0
    assert "/nowhere/logs.jsonl is not there" in capsys.readouterr().out
