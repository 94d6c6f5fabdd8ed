"""The lock is complete: whatever a locked package asks for, extras included, is locked as well, on every machine."""

from __future__ import annotations

import itertools
import tomllib
import zipfile
from collections.abc import Iterator
from importlib import metadata

import pytest
from installed import canonical, read_lock, unmet
from packaging.markers import default_environment

from tests.checkout import ROOT, make_bare, pip


def text_of(lock: str) -> str:
    return (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")


def asked_of(lock: str) -> list[str]:
    """What pyproject.toml asks for, as the recipe `just lock` compiles it."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, groups = asked["project"], asked["dependency-groups"]
    extras = project["optional-dependencies"]
    if lock == "build":
        return groups["build"]
    return project["dependencies"] + (
        extras["embedded"] + extras["quality"] if lock == "base" else groups["build"] + strings(groups["dev"])
    )


def strings(group: list[object]) -> list[str]:
    return [entry for entry in group if isinstance(entry, str)]


def machines() -> Iterator[dict[str, str]]:
    """What a lock for all machines has to serve."""
    pythons = ("3.11", "3.12", "3.13", "3.14")
    systems = (
        ("linux", "Linux", "x86_64"),
        ("linux", "Linux", "aarch64"),
        ("darwin", "Darwin", "arm64"),
        ("darwin", "Darwin", "x86_64"),
        ("win32", "Windows", "AMD64"),
        ("emscripten", "Emscripten", "wasm32"),
    )
    for python, (platform, system, machine), kind in itertools.product(pythons, systems, ("CPython", "PyPy")):
        yield {
            **{name: str(value) for name, value in default_environment().items()},
            "python_version": python,
            "python_full_version": f"{python}.0",
            "implementation_version": f"{python}.0",
            "implementation_name": kind.lower(),
            "platform_python_implementation": kind,
            "sys_platform": platform,
            "platform_system": system,
            "platform_machine": machine,
            "os_name": "nt" if platform == "win32" else "posix",
        }


@pytest.fixture(scope="module")
def requires(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What each package of the lock asks for: told by the installed ones, and by the index for packages of other machines."""
    known, elsewhere = {}, []
    for name, entry in read_lock(text_of("dev")).items():
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            elsewhere.append(f"{entry.name}{entry.specifier}")
        else:
            assert entry.specifier.contains(found.version, prereleases=True), (
                f"{name} {found.version} is installed, and the lock has {entry}"
            )
            known[name] = found.requires or []
    folder = tmp_path_factory.mktemp("elsewhere")
    if elsewhere:
        pip(
            make_bare(tmp_path_factory.mktemp("bare")),
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--python-version",
            "3.14",
            "-d",
            str(folder),
            *elsewhere,
        )
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            (about,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            lines = archive.read(about).decode().partition("\n\n")[0].splitlines()
        known[canonical(wheel.name.split("-")[0])] = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist:")]
    return known


@pytest.mark.parametrize("lock", ["base", "build", "dev"])
def test_whatever_a_locked_package_asks_for_is_locked_on_every_machine(lock: str, requires: dict[str, list[str]]) -> None:
    entries = read_lock(text_of(lock))
    asked = {**requires, "mmos": asked_of(lock)}
    assert entries.keys() <= asked.keys()
    assert not {fault for machine in machines() for fault in unmet(entries, asked.__getitem__, machine)}


def test_an_extra_that_the_lock_does_not_serve_is_named() -> None:
    lock = read_lock("a==1\nb==2 ; sys_platform == 'win32'\nc==3")
    asks = {"mmos": ["a[fast]"], "a": ["b ; extra == 'fast'", "c>=4 ; extra == 'fast'", "d ; extra == 'slow'"], "b": [], "c": []}
    linux = {**{name: str(value) for name, value in default_environment().items()}, "sys_platform": "linux"}
    assert sorted(unmet(lock, asks.__getitem__, linux)) == [
        'a depends on b; extra == "fast"; the lock has b==2; sys_platform == "win32" for it',
        'a depends on c>=4; extra == "fast"; the lock has c==3 for it',
    ]
