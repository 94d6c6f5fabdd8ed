"""Counting bytecodes: the same job costs nearly the same each time."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_a_job_costs_the_same_each_time() -> None:
    command = [sys.executable, str(ROOT / "scripts/bench_bytecodes.py"), "--jobs", "1", str(ROOT), str(ROOT)]
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    one, other = (int(found.replace(",", "")) for found in re.findall(r"([\d,]+) bytecodes for a job", out))
    assert one > 50_000
    assert 0.9 < one / other < 1.1
