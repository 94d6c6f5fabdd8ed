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
from mmos.prompting.templates import Templates

MOST_BYTES = MOST_TEXT
"""The largest file that is read or written."""
_MOST_TOLD = f"{MOST_BYTES >> 10:,}"
"""The same in KiB, as models read it."""
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

    templates: Templates = field(repr=False, compare=False)
    path: Path
    kept: frozenset[Path] = frozenset()
    """Files that are not changed, such as the configuration."""
    changing: Lock = field(default_factory=Lock, repr=False, compare=False)
    """One change at a time: two of one file that run side by side would lose the first."""

    def parts(self, path: str) -> Parts:
        """The place of a path, links followed. Raises `ToolError` for one that leads out of the folder."""
        if "\0" in path or "\\" in path or _DRIVE.match(path):
            raise ToolDenied(self.templates.fill("path_wrong", path=shown(path)))
        try:
            root = Path(os.path.realpath(self.path))
            real = Path(os.path.realpath(root / path))
            os.fsencode(real)
        except (OSError, ValueError) as error:
            raise self._fault(path, error) from None
        if not real.is_relative_to(root):
            raise ToolDenied(self.templates.fill("path_outside", path=shown(path)))
        parts = real.relative_to(root).parts
        if any(part.casefold() in LEFT_ALONE for part in parts):
            raise ToolDenied(self.templates.fill("path_left_alone", path=shown(path)))
        return parts

    def read(self, path: str, parts: Parts | None = None) -> bytes:
        """The content of a regular file."""
        parts = self.parts(path) if parts is None else parts
        if not parts:
            raise ToolError(self.templates.fill("path_folder", path=shown(path)))
        with self._within(parts[:-1], path) as folder, self._faults(path):
            number = os.open(parts[-1], os.O_RDONLY | NO_WAIT | NO_FOLLOW, dir_fd=folder)
            try:
                return self._content(number, path)
            finally:
                os.close(number)

    def entries(self, path: str, parts: Parts | None = None) -> list[Entry]:
        """What a folder holds, by name. Links are not followed."""
        parts = self.parts(path) if parts is None else parts
        with self._within(parts, path) as number, self._faults(path), os.scandir(number) as found:
            return sorted((_entry(one) for one in found if one.name.casefold() not in LEFT_ALONE), key=lambda entry: entry.name)

    def is_folder(self, path: str) -> bool:
        with self._faults(path):
            return self._real(self.parts(path)).is_dir()

    def exists(self, path: str) -> bool:
        with self._faults(path):
            return self._real(self.parts(path)).exists()

    def _real(self, parts: Parts) -> Path:
        return Path(os.path.realpath(self.path), *parts)

    def check_writable(self, path: str) -> Parts:
        """The place of a file that may be written. Raises `ToolError` if it may not."""
        parts = self.parts(path)
        real = self._real(parts)
        with self._faults(path):
            is_there = real.exists()
        if not parts or real.is_dir():
            raise ToolError(self.templates.fill("path_folder", path=shown(path)))
        if real in self.kept:
            raise ToolDenied(self.templates.fill("path_kept", path=shown(path)))
        if is_there and not real.is_file():
            raise ToolDenied(self.templates.fill("path_irregular", path=shown(path)))
        if is_there and not os.access(real, os.W_OK):
            raise ToolDenied(self.templates.fill("path_read_only", path=shown(path)))
        return parts

    def write(self, path: str, data: bytes) -> None:
        """Write a whole file at once: a crash leaves either the old file or the new one. Folders that are not there are made."""
        parts = self.check_writable(path)
        if len(data) > MOST_BYTES:
            raise ToolError(self.templates.fill("file_large", path=shown(path), most=_MOST_TOLD))
        with self._within(parts[:-1], path, make=True) as folder, self._faults(path):
            _replace(folder, parts[-1], data, self._mode(folder, parts[-1]))

    @contextmanager
    def _within(self, parts: Sequence[str], path: str, *, make: bool = False) -> Iterator[int]:
        """An open folder below this one. Each step is opened in the one before, and a link in its place is an error."""
        with self._faults(path):
            number = os.open(os.path.realpath(self.path), _FOLDER)
        try:
            for part in parts:
                with self._faults(path):
                    inner = _inner(number, part, make=make)
                os.close(number)
                number = inner
            yield number
        finally:
            os.close(number)

    def _content(self, number: int, path: str) -> bytes:
        found = os.fstat(number)
        if stat.S_ISDIR(found.st_mode):
            raise ToolError(self.templates.fill("path_folder", path=shown(path)))
        if not stat.S_ISREG(found.st_mode):
            raise ToolDenied(self.templates.fill("path_irregular", path=shown(path)))
        with os.fdopen(number, "rb", closefd=False) as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ToolError(self.templates.fill("file_large", path=shown(path), most=_MOST_TOLD))
        return data

    def _mode(self, folder: int, name: str) -> int | None:
        """The mode of a file that is there. One that became a link or a device is an error."""
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise ToolDenied(self.templates.fill("path_irregular", path=shown(name)))
        return stat.S_IMODE(found.st_mode) & 0o777

    @contextmanager
    def _faults(self, path: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            raise self._fault(path, error) from None

    def _fault(self, path: str, error: OSError | ValueError) -> ToolError:
        if isinstance(error, FileNotFoundError):
            return ToolError(self.templates.fill("file_none", path=shown(path)))
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        return ToolError(self.templates.fill("path_unusable", path=shown(path), reason=reason))


def _inner(folder: int, name: str, *, make: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        if not make:
            raise
    os.mkdir(name, dir_fd=folder)
    return os.open(name, _FOLDER, dir_fd=folder)


def _replace(folder: int, name: str, data: bytes, mode: int | None) -> None:
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


def _entry(one: os.DirEntry[str]) -> Entry:
    if one.is_symlink():
        return Entry(one.name, "link")
    if one.is_dir(follow_symlinks=False):
        return Entry(one.name, "folder")
    if not one.is_file(follow_symlinks=False):
        return Entry(one.name, "other")
    return Entry(one.name, "file", one.stat(follow_symlinks=False).st_size)
