"""Stories of `pytest --mmos-diagnose`: failing tests are explained at the end, those of one cause once."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import yaml

from mmos.testing import stage
from mmos.testing.failing import same_cause
from tests.shell import Ended, environment, finish

TESTS = """
import pytest

@pytest.mark.parametrize("number", [1, 22, 333])
def test_service(number):
    print("asking", number)
    raise ConnectionRefusedError(f"[Errno 111] Connection refused: 127.0.0.1:{5000 + number}")

def test_sum():
    assert sum([1, 2]) == 4
"""
CALM = """
import sys

def test_nothing_is_imported():
    assert {name for name in sys.modules if name.startswith("mmos.")} == {"mmos.version", "mmos.pytest_plugin"}
"""


async def pytest_in(folder: Path, text: str, *args: str) -> Ended:
    (folder / "test_all.py").write_text(text)
    root = str(Path(__file__).parent.parent)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest", "-p", "mmos.pytest_plugin", "-p", "no:cacheprovider", "-q", *args,
        cwd=folder, env=environment(folder, PYTHONPATH=root, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    return await finish(process)


async def test_failing_tests_are_explained_those_of_one_cause_once(tmp_path: Path) -> None:
    answers = [
        {"cause": "Nothing listens on port 5001.", "evidence": [10], "suggestions": [], "confidence": 0.7, "more": ""},
        {"cause": "The sum is 3 and the test expects 4.", "evidence": [3], "suggestions": [], "confidence": 0.6, "more": ""},
    ]
    async with stage({"arbiter": [], "reasoning": [json.dumps(answer) for answer in answers]}) as on:
        (tmp_path / "orchestration.yaml").write_text(yaml.safe_dump(dict(on.config)))
        ended = await pytest_in(tmp_path, TESTS, "--mmos-diagnose", "-p", "xdist.plugin", "-n1")
        assert ended.code == 1
        assert f"3 tests: {', '.join(f'test_all.py::test_service[{number}]' for number in (1, 22, 333))}" in ended.out
        assert "Cause: Nothing listens on port 5001." in ended.out
        assert "1 test: test_all.py::test_sum" in ended.out
        assert len(on.sent("reasoning")) == 2
        assert "asking 1" in on.heard("reasoning")[0]


async def test_without_a_host_rules_remain_and_one_line_says_why(tmp_path: Path) -> None:
    (tmp_path / "orchestration.yaml").write_text(
        'orchestration: {servers: {a: {url: "http://127.0.0.1:9"}}, arbiter: {model: m, server: a}}'
    )
    ended = await pytest_in(tmp_path, TESTS, "--mmos-diagnose")
    assert ended.code == 1
    assert ended.out.count("No model explains it:") == 1
    assert "3 tests: " in ended.out
    assert "Connection refused" in ended.out.partition("why (mmos)")[2]


async def test_without_the_flag_nothing_is_imported(tmp_path: Path) -> None:
    ended = await pytest_in(tmp_path, CALM)
    assert ended.code == 0, ended.out


def test_causes_differ_by_more_than_numbers() -> None:
    tests = [
        ("a", "x\nE   KeyError: 'door 7'\nx.py:3: KeyError", ""),
        ("b", "y\nE   KeyError: 'door 12'\ny.py:9: KeyError", ""),
        ("c", "z\nE   ValueError: no", ""),
        ("d", "collection failed", ""),
    ]
    assert [[test[0] for test in group] for group in same_cause(tests).values()] == [["a", "b"], ["c"], ["d"]]
