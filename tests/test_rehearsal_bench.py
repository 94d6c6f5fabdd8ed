"""The benchmark of the rehearsal host works and counts right: its figures agree with the host's own and with each other, however fast the machine is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "bench_rehearsal.py"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_it_measures() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--quick", "--json"], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    figures = json.loads(done.stdout)
    plan = figures["plan"]
    assert figures["host"]["requests"] == plan["timed"] // 10 + 2 * plan["timed"] + plan["settling"] + plan["lasting"]
    for crowd in (figures["alone"], figures["idle"]):
        assert 0 < crowd["p50_ms"] <= crowd["p99_ms"]
        # A connection has one request under way at a time, and half of the waits are at most twice as long as the mean.
        assert 0 < crowd["requests_per_second"] * crowd["p50_ms"] / 1000 <= 2 * plan["connections"]
    assert figures["idle"]["connections"] == plan["idle"]
    assert figures["memory"]["requests"] == plan["lasting"]
    assert figures["memory"]["before_mib"] <= figures["memory"]["after_mib"] < 1.2 * figures["memory"]["before_mib"]
