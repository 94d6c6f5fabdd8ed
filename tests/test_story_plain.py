"""A plain run, without rules about tasks, a strategy, a cache or a judge, pays for none of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = {"catalog", "cache", "choice", "comparing", "conversing", "judging", "quality", "selection", "rewriting"}
RUN = """
import asyncio, json, sys
from mmos.testing import consult, stage

async def main():
    async with stage({"arbiter": [consult("coding"), "Done."], "coding": ["Use d.get."]}, orchestration=json.loads(sys.argv[1])) as on:
        answer = await on.app.run("Fix the bug: def get(d): return d['a']")
        assert answer.status == "answered", answer.reason

asyncio.run(main())
print(json.dumps([name for name in sys.modules if name.startswith("mmos.")]))
"""


def rooms_of(orchestration: dict[str, object]) -> set[str]:
    """The rooms that a new process has imported after a run with this configuration."""
    command = [sys.executable, "-c", RUN, json.dumps(orchestration)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60)
    names = json.loads(done.stdout)
    assert not [name for name in names if name.startswith("mmos.tools.ready.")]
    return {name.split(".")[1] for name in names}


def test_a_plain_run_imports_nothing_of_choice_and_quality() -> None:
    assert not rooms_of({}) & ROOMS
    assert rooms_of({"routing": {"rules": [{"condition": "task.complexity > 7", "specialist": "coding"}]}}) & ROOMS == {"choice"}
