"""Writes new texts into several files, all or none, also after a crash: the old and the new bytes are kept first, then each file is replaced at once."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mmos.errors import StateBusy, UsageError
from mmos.files import NO_FOLLOW
from mmos.journal.folder import flush, make
from mmos.journal.process import FileLock
from mmos.rewriting.keeping import DONE, Kept, forget, keep, keepings, sweep
from mmos.rewriting.sources import Source

MOST_KEPT = 20
"""Rewrites that can be taken back. Older ones are deleted."""

Step = Callable[[str], None]
"""Called before each step on the disk. For tests, which stop there as a crash does."""


def _no_step(_name: str) -> None:
    return


@dataclass(frozen=True)
class Change:
    """A file, and the bytes that it gets."""

    source: Source
    data: bytes


@dataclass
class Writing:
    """Files that were replaced and can still be put back. It ends with `finish` or with `undo`."""

    kept: Kept
    lock: FileLock
    step: Step = field(default=_no_step, repr=False)

    def finish(self) -> None:
        """Let the new files stay."""
        try:
            self.step("finish")
            _create(self.kept.folder / DONE, b"", self.step)
            flush(self.kept.folder)
            _prune(self.kept)
        finally:
            self.lock.release()

    def undo(self) -> list[str]:
        """Put the old files back. Return the names of those that somebody else has changed meanwhile: these stay as they are."""
        try:
            return put_back(self.kept, self.step)
        finally:
            self.lock.release()


def write(changes: Sequence[Change], state: Path, tree: Path, name: str, step: Step = _no_step) -> Writing:
    """Replace the files. If that fails, all of them are as they were.

    Raises `UsageError` if a file has changed since it was read, or if another process writes now.
    """
    with ExitStack() as held:
        lock = _locked(state)
        held.callback(lock.release)
        for left in unfinished(state, tree):
            raise UsageError(f"An earlier rewrite was interrupted: {', '.join(left.names)}.", next_step="Put it back: mmos modify --undo")
        _check_unchanged(changes)
        sweep(_folder(state))
        kept = keep(_folder(state), tree, name, [(change.source, change.data) for change in changes], step)
        try:
            _replace_all(changes, kept, step)
        except (OSError, UsageError, KeyboardInterrupt):
            put_back(kept)
            raise
        held.pop_all()
    return Writing(kept, lock, step)


def unfinished(state: Path, tree: Path) -> list[Kept]:
    """Rewrites of a working tree that a crash has interrupted, or that another process makes now."""
    return [kept for kept in keepings(_folder(state), tree) if not kept.is_done]


def settle(state: Path, tree: Path) -> list[tuple[Kept, list[str]]]:
    """Put back what a crash has left half-way. Return each rewrite with the names of the files that somebody else has changed since."""
    if not unfinished(state, tree):
        return []
    lock = _locked(state)
    try:
        return [(kept, put_back(kept)) for kept in unfinished(state, tree)]
    finally:
        lock.release()


def take_back(state: Path, tree: Path) -> list[str]:
    """Put the files of the newest rewrite of a working tree back, and return their names. Raises `UsageError` if one has changed since."""
    lock = _locked(state)
    try:
        ours = keepings(_folder(state), tree)
        if not ours:
            raise UsageError(
                "There is no rewrite of this working tree to take back.", next_step="Only what --apply or a review wrote can be."
            )
        newest = ours[-1]
        changed = [piece.name for piece in newest.pieces if _digest(Path(piece.path)) not in (piece.new, piece.old)]
        if changed:
            raise UsageError(
                f"{', '.join(changed)}: changed since the rewrite, so nothing was put back.", next_step=f"The old files: {newest.folder}"
            )
        (newest.folder / DONE).unlink()  # from here on a crash leaves work for the next command
        put_back(newest)
        return list(newest.names)
    finally:
        lock.release()


def put_back(kept: Kept, step: Step = _no_step) -> list[str]:
    """Put the old bytes back wherever the new ones stand, and forget the rewrite. Return the names of files with other bytes."""
    others = []
    for number, piece in enumerate(kept.pieces):
        path = Path(piece.path)
        _temporary(path, kept, number).unlink(missing_ok=True)
        now = _digest(path)
        if now == piece.new:
            _write_beside(path, _temporary(path, kept, number), kept.old(number), step)
            _swap(_temporary(path, kept, number), path, step)
        elif now != piece.old:
            others.append(piece.name)
    step("forget")
    if not others:
        forget(kept.folder)
    else:
        _create(kept.folder / DONE, b"", step)  # the old bytes stay at hand
    return others


# ---------------------------------------------------------------- steps


def _replace_all(changes: Sequence[Change], kept: Kept, step: Step) -> None:
    """Write every new file beside the old one first: a full disk shows before any file is replaced."""
    places = [(change, _temporary(change.source.path, kept, number)) for number, change in enumerate(changes)]
    for change, temporary in places:
        _write_beside(change.source.path, temporary, change.data, step)
    for change, temporary in places:
        _check_unchanged([change])
        _swap(temporary, change.source.path, step)


def _check_unchanged(changes: Sequence[Change]) -> None:
    for change in changes:
        if not change.source.is_unchanged:
            raise UsageError(f"{change.source.name} has changed on the disk since MMOS read it.", next_step="Run the same command again.")


def _write_beside(path: Path, temporary: Path, data: bytes, step: Step) -> None:
    """Write a file that has the mode and the owner of the other one."""
    _create(temporary, data, step)
    step("mode")
    shutil.copystat(path, temporary, follow_symlinks=False)
    facts = path.stat()
    with suppress(PermissionError):  # only root may give a file away
        if hasattr(os, "chown"):
            os.chown(temporary, facts.st_uid, facts.st_gid)
            temporary.chmod(facts.st_mode & 0o7777)  # a change of the owner may take bits away
    os.utime(temporary)
    step("flush")
    flush(temporary)


def _create(path: Path, data: bytes, step: Step) -> None:
    step("create")
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_FOLLOW | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(number, "wb") as file:
        half = len(data) // 2
        file.write(data[:half])
        file.flush()
        step("half")
        file.write(data[half:])


def _swap(temporary: Path, path: Path, step: Step) -> None:
    step("replace")
    temporary.replace(path)
    step("flush folder")
    flush(path.parent)


def _temporary(path: Path, kept: Kept, number: int) -> Path:
    return path.parent / f".mmos-{kept.folder.name}-{number}"


def _digest(path: Path) -> str:
    """The digest of a file. Empty: it is gone, or no file of its own."""
    try:
        return "" if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _prune(newest: Kept) -> None:
    done = [kept for kept in keepings(newest.folder.parent, newest.tree) if kept.is_done]
    for kept in done[:-MOST_KEPT]:
        forget(kept.folder)


def _folder(state: Path) -> Path:
    return state / "rewrites"


def _locked(state: Path) -> FileLock:
    make(state)
    folder = _folder(state)
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.take()
    except StateBusy:
        raise UsageError("Another `mmos modify` writes files now.", next_step="Wait until it has ended.") from None
    return lock
