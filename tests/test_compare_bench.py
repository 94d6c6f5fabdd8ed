"""The benchmark of comparisons prints the share of intervals that hold the true difference."""

from __future__ import annotations

import re
import sys

import pytest
from bench_compare import POPULATIONS, main


def test_it_counts_for_each_population_and_size(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_compare.py", "--rounds", "2"])
    main()
    _, _, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == len(POPULATIONS)
    assert all(len(re.findall(r"\d+\.\d %", row)) == 6 for row in rows)
