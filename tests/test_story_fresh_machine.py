"""A fresh machine with pip alone: the README's first lines work when they are typed."""

from __future__ import annotations

import ensurepip
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import ROOT, clean_environment, copy_bare, copy_checkout, make_bare, pip, without_uv

OLDEST = "22.3" if sys.version_info < (3, 12) else ensurepip.version()
"""The oldest pip that a Python like this one ships: Python 3.11.0 had pip 22.3."""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bare(tmp_path_factory.mktemp("bare"))


def first_lines() -> list[str]:
    found = re.search(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found
    return [line.partition(" #")[0].rstrip() for line in found.group(1).splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("wanted", "script"), [((f"pip=={OLDEST}",), "scripts/test"), (("--upgrade", "pip"), "scripts/demo")], ids=["oldest", "newest"]
)
def test_the_first_lines_of_the_readme_can_be_typed(wanted: tuple[str, ...], script: str, bare: Path, tmp_path: Path) -> None:
    """The one script is called with the oldest pip, the other with the newest, each for its shortest task."""
    clone, *lines = first_lines()
    assert clone == "git clone ADDRESS mmos"
    assert {"cd mmos", "scripts/demo", "scripts/test"} < set(lines)
    short = {"scripts/demo": "scripts/demo --rehearse", "scripts/test": "scripts/test -n0 --no-cov -q tests/test_house.py -k patched"}
    copy_checkout(tmp_path / "mmos")
    copy_bare(bare, tmp_path / "mmos" / ".venv")
    pip(tmp_path / "mmos" / ".venv", "install", *wanted)
    typed = [short.get(line, line) for line in lines if line == script or line not in short]
    said = type_in(tmp_path, *typed, "command -v mmos", "mmos --version")
    assert {"scripts/test": "1 passed", "scripts/demo": "What to type next:"}[script] in said
    place, version = said.splitlines()[-2:]
    assert (place, version[:5]) == (str(tmp_path / "mmos/.venv/bin/mmos"), "mmos ")


def type_in(folder: Path, *lines: str) -> str:
    environment = {**clean_environment(), "HOME": str(folder / "home"), "PATH": without_uv(folder / "bin"), "PIP_NO_COMPILE": "1"}
    typed = ["sh", "-eu", "-c", "\n".join(lines)]
    done = subprocess.run(typed, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
