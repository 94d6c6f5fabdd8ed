"""Keeps the old and the new bytes of files that are rewritten, in the state folder. What is kept there says what to put back after a crash."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mmos.files import NO_FOLLOW
from mmos.journal.folder import flush
from mmos.rewriting.sources import Source, is_foreign

DONE = "done"
"""The file that says that the new files stay."""
_PLAN = "plan.json"
_UNREADY = ".part"
"""What a folder is named while it is filled. Nothing was replaced then."""


@dataclass(frozen=True)
class Piece:
    """One file of a rewrite."""

    name: str
    path: str
    old: str
    """The digest of the old bytes."""
    new: str


@dataclass(frozen=True)
class Kept:
    """A rewrite as the state folder has it."""

    folder: Path
    tree: Path
    pieces: tuple[Piece, ...]

    @property
    def is_done(self) -> bool:
        return (self.folder / DONE).exists()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(piece.name for piece in self.pieces)

    def old(self, number: int) -> bytes:
        return (self.folder / f"{number}.old").read_bytes()


def keep(folder: Path, tree: Path, name: str, changes: Sequence[tuple[Source, bytes]], step: Callable[[str], None]) -> Kept:
    """Keep the bytes of some changes on the disk, before anything is replaced."""
    unready, ready = folder / f"{name}{_UNREADY}", folder / name
    step("keep")
    unready.mkdir(mode=0o700)
    pieces = []
    for number, (source, data) in enumerate(changes):
        for ending, content in (("old", source.data), ("new", data)):
            _write(unready / f"{number}.{ending}", content, step)
        pieces.append(Piece(source.name, str(source.path), _digest(source.data), _digest(data)))
    plan = {"version": 1, "tree": str(tree), "files": [asdict(piece) for piece in pieces]}
    _write(unready / _PLAN, json.dumps(plan).encode(), step)
    flush(unready)
    step("ready")
    unready.rename(ready)
    flush(folder)
    return Kept(ready, tree, tuple(pieces))


def keepings(folder: Path, tree: Path) -> list[Kept]:
    """The rewrites of a working tree that a state folder has, the oldest first."""
    places = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [_plan(place) for place in places if place.is_dir() and not place.is_symlink() and not place.name.endswith(_UNREADY)]
    return [kept for kept in found if kept is not None and kept.tree == tree and all(_is_inside(piece, tree) for piece in kept.pieces)]


def sweep(folder: Path) -> None:
    """Delete what was not ready when a crash came. Only for who holds the lock."""
    for place in folder.glob(f"*{_UNREADY}"):
        shutil.rmtree(place, ignore_errors=True)


def forget(folder: Path) -> None:
    """Delete a kept rewrite. Its plan goes first, so half of it is never taken for one."""
    (folder / _PLAN).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _plan(place: Path) -> Kept | None:
    """What a folder keeps. None: it is half deleted."""
    try:
        plan = json.loads((place / _PLAN).read_bytes())
        return Kept(place, Path(plan["tree"]), tuple(Piece(**piece) for piece in plan["files"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_inside(piece: Piece, tree: Path) -> bool:
    """Whether a file is where it must be. A state folder may come with the files of a stranger, and must not lead elsewhere."""
    path = Path(piece.path)
    return os.path.realpath(path) == piece.path and path.is_relative_to(tree) and not is_foreign(path.relative_to(tree))


def _write(path: Path, data: bytes, step: Callable[[str], None]) -> None:
    step("keep bytes")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW, 0o600), "wb") as file:
        file.write(data)
    flush(path)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
