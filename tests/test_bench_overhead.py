"""The benchmark of the overhead works and counts right; how fast anything is, no test asserts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "bench_overhead.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], check=False, capture_output=True, text=True, timeout=100)


@pytest.fixture(scope="module")
def figures() -> Any:
    done = run("--quick", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_everybody_makes_exactly_the_calls_that_the_work_needs(figures: Any) -> None:
    plan = figures["plan"]
    jobs = (plan["rounds"] + 1) * plan["jobs"] + (plan["session_rounds"] + 1) * plan["sessions"]
    talk = plan["conversations"] * plan["turns"]
    needed = 7 * jobs + talk + plan["tokens"] + 1

    assert figures["calls_of_a_job"] == 7
    counted = {name: row["counted"] for name, row in figures["model_calls"].items()}
    assert counted == {"mmos": needed, "httpx": needed, "aiohttp": needed, "streams": needed, "bytes": talk}
    models = 8
    assert figures["model_calls"]["mmos"]["others"] <= 2 * (5 + models)  # the hosts are asked what they have, and not for every call


@pytest.mark.parametrize("part", ["per_call", "sessions", "first_token"])
def test_everybody_is_measured_at_the_same_work(figures: Any, part: str) -> None:
    assert list(figures[part]) == ["mmos", "httpx", "aiohttp", "streams"]
    assert all(row["ms"]["min"] > 0 for row in figures["first_token"].values())


def test_httpx_is_the_measure(figures: Any) -> None:
    beside = figures["per_call"]["httpx"]

    assert (beside["wall_ratio"], beside["cpu_ratio"], figures["sessions"]["httpx"]["ratio"]) == (1, 1, 1)


def test_every_limit_is_judged(figures: Any) -> None:
    promises = [limit["promise"] for limit in figures["limits"]]

    assert len(set(promises)) == len(promises) == 8
    assert all(limit["kept"] == (limit["found"] is not None and _keeps(limit)) for limit in figures["limits"])


def _keeps(limit: dict[str, Any]) -> bool:
    return bool(limit["found"] >= limit["bound"] if "at least" in limit["promise"] else limit["found"] <= limit["bound"])


def test_the_table_and_the_profile_are_for_people() -> None:
    done = run("--profile", "--rounds", "2")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("21 model calls\n")
    assert "tottime" in done.stdout
