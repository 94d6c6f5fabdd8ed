"""The lock and the wheel: whole, true to pyproject.toml, and fit to be used by a stranger."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
REQUIREMENT = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)", re.MULTILINE)
CHECKSUM = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
NAME = re.compile(r"^[A-Za-z0-9._-]+")


def pinned(lock: str) -> dict[str, str]:
    return dict(REQUIREMENT.findall((ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")))


def named(requirements: list[str]) -> set[str]:
    return {found.group().lower().replace("_", "-") for requirement in requirements if (found := NAME.match(requirement))}


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


# ---------------------------------------------------------------- the lock


def test_the_lock_names_no_address() -> None:
    assert [lock.stem for lock in LOCKS] == ["base", "build", "dev", "model"]
    assert not [lock.name for lock in LOCKS if "://" in lock.read_text(encoding="utf-8") or "@ " in lock.read_text(encoding="utf-8")]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_package_of_the_lock_has_its_checksums(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    starts = [found.start() for found in re.finditer(r"^\S", text, re.MULTILINE) if text[found.start()] != "#"]
    entries = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    assert entries
    assert not [entry.splitlines()[0] for entry in entries if not REQUIREMENT.match(entry) or not CHECKSUM.search(entry)]


def test_the_lock_holds_what_the_project_asks_for(project: dict) -> None:
    groups = project["dependency-groups"]
    assert named(project["project"]["dependencies"]) <= pinned("base").keys()
    assert named(groups["build"]) <= pinned("build").keys()
    assert named([wanted for wanted in groups["dev"] if isinstance(wanted, str)]) <= pinned("dev").keys()


def test_the_development_lock_holds_the_others() -> None:
    assert pinned("base").items() <= pinned("dev").items()
    assert pinned("build").items() <= pinned("dev").items()


# ---------------------------------------------------------------- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


def test_the_wheel_holds_the_package_and_nothing_else(unpacked: Path) -> None:
    package = {name for name in files(ROOT / "mmos") if not name.endswith((".pyc", "~"))}
    texts = {f"prompts/{name}" for name in files(ROOT / "prompts")}
    assert files(unpacked / "mmos") == package | texts
    assert {"py.typed", "config/default.yaml", "prompts/arbiter.md"} < package | texts
    assert {name.partition("/")[0].partition("-")[0] for name in files(unpacked)} == {"mmos"}


def test_the_wheel_says_what_it_is(unpacked: Path, project: dict) -> None:
    (about,) = unpacked.glob("*.dist-info")
    metadata = (about / "METADATA").read_text(encoding="utf-8")
    assert "License-Expression: Apache-2.0" in metadata
    assert (about / "licenses" / "LICENSE").is_file()
    command, plugin = ["[console_scripts]", "mmos", "=", "mmos.cli.main:main"], ["[pytest11]", "mmos", "=", "mmos.pytest_plugin"]
    assert (about / "entry_points.txt").read_text(encoding="utf-8").split() == command + plugin
    required = {line.partition(": ")[2] for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line}
    assert named(sorted(required)) == named(project["project"]["dependencies"])


def test_the_wheel_works_by_itself(unpacked: Path, tmp_path: Path) -> None:
    """The package of the wheel comes first on the path, so that neither the checkout's code nor its prompts are used."""
    home = {name: str(tmp_path / name) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")}
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environment = {**unmeasured, **home, "PYTHONPATH": str(unpacked)}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout

    assert Path(run("-c", "import mmos; print(mmos.__file__)").strip()).is_relative_to(unpacked)
    assert run("-m", "mmos", "--version").startswith("mmos ")
    assert json.loads(run("-m", "mmos", "config", "schema"))["properties"]
    document = json.loads(run("-m", "mmos", "run", "--rehearse", "--json", "Write a binary search function and say why it is correct."))
    assert document["status"] == "answered"
    assert len([tool for tool in document["tools"] if tool["name"].startswith("consult_")]) >= 2
