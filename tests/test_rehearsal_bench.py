"""The benchmark of the rehearsal host works and counts right; how fast anything is, no test asserts."""

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
    assert figures["alone"]["requests_per_second"] > 0
    assert figures["idle"]["connections"] == figures["plan"]["idle"]
    assert figures["memory"]["requests"] == figures["plan"]["lasting"]
    assert figures["memory"]["after_mib"] > 10
