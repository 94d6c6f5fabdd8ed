"""The bench of faults: nothing is lost or answered twice while a host fails, its figures are sound, and it says when they are not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from bench.fault_rows import FAULTS, play

from mmos.rehearsal.faults import Kind

SCRIPT = Path(__file__).parent.parent / "scripts" / "bench_faults.py"


def test_every_fault_of_the_rehearsal_is_in_it() -> None:
    assert {*get_args(Kind)} < {*FAULTS}


@pytest.mark.parametrize("fault", ["hang", "busy", "cut", "no_done", "oom", "deadlock", "power_cut"])
def test_a_fault_costs_no_answer_and_the_host_comes_back(fault: str) -> None:
    row = play(fault, seed=1)
    assert (row.lost, row.twice, row.errors) == (0, 0, ())
    assert row.failed_over > 0
    assert row.recovered < 120
    if fault != "oom":  # a model that did not fit is not loaded again for ten minutes
        assert row.back is not None
        assert row.back < 180


def test_the_script_prints_a_table_or_a_document() -> None:
    command = [sys.executable, str(SCRIPT), "--fault", "none", "--check"]
    table = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert [line.split()[0] for line in table.stdout.splitlines()] == ["FAULT", "none"]
    told = subprocess.run([*command, "--fault", "restart", "--json"], check=True, capture_output=True, text=True, timeout=120)
    none, restart = json.loads(told.stdout)["faults"]
    assert (none["lost"], none["failed_over"], none["back"]) == (0, 0, None)
    assert restart["back"] > 0
