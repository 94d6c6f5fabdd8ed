"""Opens files within one folder. No path and no link leads out of it, also when somebody exchanges a folder for a link meanwhile."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from threading import Lock

from mmos.config.wording import shown
from mmos.errors import ToolDenied, ToolError
from mmos.files import MOST_TEXT, NO_FOLLOW, NO_WAIT

MOST_BYTES = MOST_TEXT
"""The largest file that is read or written."""
LEFT_ALONE = frozenset({".git", ".hg", ".svn", ".mmos"})
"""Folders whose files decide what programs do. Nobody reads or changes them with these tools."""
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | NO_FOLLOW
_DRIVE = re.compile(r"[A-Za-z]:(?=[\\/]|$)")

Parts = tuple[str, ...]
"""A path below the folder, without links. Empty: the folder itself."""


@dataclass(frozen=True)
class Entry:
    """What a folder holds."""

    name: str
    kind: str
    """"file", "folder", "link" or "other"."""
    size: int = 0


@dataclass(frozen=True)
class Folder:
    """The folder that tools may use."""

    path: Path
    kept: frozenset[Path] = frozenset()
    """Files that are not changed, such as the configuration."""
    changing: Lock = field(default_factory=Lock, repr=False, compare=False)
    """One change at a time: two of one file that run side by side would lose the first."""

    def parts(self, path: str) -> Parts:
        """The place of a path, links followed. Raises `ToolError` for one that leads out of the folder."""
        if "\0" in path:
            raise ToolDenied("The path contains a NUL character.")
        if "\\" in path or _DRIVE.match(path):
            raise ToolDenied(f"{shown(path)} is no path here. Write it relative to the folder, with / between its parts.")
        try:
            root = Path(os.path.realpath(self.path))
            real = Path(os.path.realpath(root / path))
            os.fsencode(real)
        except (OSError, ValueError) as error:
            raise _fault(path, error) from None
        if not real.is_relative_to(root):
            raise ToolDenied(f"{shown(path)} is outside of the folder that this tool may use. Write a path relative to that folder.")
        parts = real.relative_to(root).parts
        if any(part.casefold() in LEFT_ALONE for part in parts):
            raise ToolDenied(f"{shown(path)} belongs to a program such as git. This tool leaves it alone.")
        return parts

    def read(self, path: str, parts: Parts | None = None) -> bytes:
        """The content of a regular file."""
        parts = self.parts(path) if parts is None else parts
        if not parts:
            raise ToolError(f"{shown(path)} is a folder. Use list_files.")
        with self._within(parts[:-1], path) as folder, _faults(path):
            number = os.open(parts[-1], os.O_RDONLY | NO_WAIT | NO_FOLLOW, dir_fd=folder)
            try:
                return _content(number, path)
            finally:
                os.close(number)

    def entries(self, path: str, parts: Parts | None = None) -> list[Entry]:
        """What a folder holds, by name. Links are not followed."""
        parts = self.parts(path) if parts is None else parts
        with self._within(parts, path) as number, _faults(path), os.scandir(number) as found:
            return sorted((_entry(one) for one in found if one.name.casefold() not in LEFT_ALONE), key=lambda entry: entry.name)

    def is_folder(self, path: str) -> bool:
        with _faults(path):
            return self._real(self.parts(path)).is_dir()

    def exists(self, path: str) -> bool:
        with _faults(path):
            return self._real(self.parts(path)).exists()

    def _real(self, parts: Parts) -> Path:
        return Path(os.path.realpath(self.path), *parts)

    def check_writable(self, path: str) -> Parts:
        """The place of a file that may be written. Raises `ToolError` if it may not."""
        parts = self.parts(path)
        real = self._real(parts)
        with _faults(path):
            is_there = real.exists()
        if not parts or real.is_dir():
            raise ToolError(f"{shown(path)} is a folder. Give the path of a file.")
        if real in self.kept:
            raise ToolDenied(f"{shown(path)} is the configuration of MMOS. Only the user changes it.")
        if is_there and not real.is_file():
            raise ToolDenied(f"{shown(path)} is no regular file.")
        if is_there and not os.access(real, os.W_OK):
            raise ToolDenied(f"{shown(path)} is read-only. Ask the user to make it writable.")
        return parts

    def write(self, path: str, data: bytes) -> None:
        """Write a whole file at once: a crash leaves either the old file or the new one. Folders that are not there are made."""
        parts = self.check_writable(path)
        if len(data) > MOST_BYTES:
            raise ToolError(f"The text has more than {MOST_BYTES >> 10:,} KiB. Write a smaller file.")
        with self._within(parts[:-1], path, make=True) as folder, _faults(path):
            _replace(folder, parts[-1], data)

    @contextmanager
    def _within(self, parts: Sequence[str], path: str, *, make: bool = False) -> Iterator[int]:
        """An open folder below this one. Each step is opened in the one before, and a link in its place is an error."""
        with _faults(path):
            number = os.open(os.path.realpath(self.path), _FOLDER)
        try:
            for part in parts:
                with _faults(path):
                    inner = _inner(number, part, make=make)
                os.close(number)
                number = inner
            yield number
        finally:
            os.close(number)


def _inner(folder: int, name: str, *, make: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        if not make:
            raise
    os.mkdir(name, dir_fd=folder)
    return os.open(name, _FOLDER, dir_fd=folder)


def _replace(folder: int, name: str, data: bytes) -> None:
    mode = _mode(folder, name)
    fresh = f".{name[:40]}.{token_hex(6)}"
    number = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW, 0o600 if mode is not None else 0o666, dir_fd=folder)
    with ExitStack() as undo:
        undo.callback(os.unlink, fresh, dir_fd=folder)
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
        undo.pop_all()
    os.fsync(folder)


def _mode(folder: int, name: str) -> int | None:
    """The mode of a file that is there. One that became a link or a device is an error."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise ToolDenied(f"{shown(name)} is no regular file.")
    return stat.S_IMODE(found.st_mode) & 0o777


def _content(number: int, path: str) -> bytes:
    found = os.fstat(number)
    if stat.S_ISDIR(found.st_mode):
        raise ToolError(f"{shown(path)} is a folder. Use list_files.")
    if not stat.S_ISREG(found.st_mode):
        raise ToolDenied(f"{shown(path)} is a pipe or a device. Only regular files are read.")
    with os.fdopen(number, "rb", closefd=False) as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ToolError(f"{shown(path)} has more than {MOST_BYTES >> 10:,} KiB. It is too large for this tool.")
    return data


def _entry(one: os.DirEntry[str]) -> Entry:
    if one.is_symlink():
        return Entry(one.name, "link")
    if one.is_dir(follow_symlinks=False):
        return Entry(one.name, "folder")
    if not one.is_file(follow_symlinks=False):
        return Entry(one.name, "other")
    return Entry(one.name, "file", one.stat(follow_symlinks=False).st_size)


@contextmanager
def _faults(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise _fault(path, error) from None


def _fault(path: str, error: OSError | ValueError) -> ToolError:
    if isinstance(error, FileNotFoundError):
        return ToolError(f"There is no file {shown(path)}. Use list_files to see what there is.")
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    return ToolError(f"{shown(path)} cannot be used: {reason}.")
