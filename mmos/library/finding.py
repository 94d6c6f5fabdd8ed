"""Finds the files to add in folders, and leaves out what `.gitignore` names."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmos.errors import UsageError

LARGEST = 64 << 20
"""Bytes of the largest file that is read."""
NEVER = frozenset(
    {".git", ".hg", ".svn", ".mmos", "__pycache__", "node_modules", ".venv", ".tox", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
)
"""Folders that have nothing to read: what programs keep for themselves."""
DEEPEST = 200
"""Folders in each other. Paths that are longer than this allows cannot be opened anyway."""
_LARGEST_RULES = 1 << 20
"""Bytes of a `.gitignore`. What is larger is none."""
INSTALL = "pip install 'mmos[rag]'"


@dataclass(frozen=True)
class Found:
    """A file to add."""

    path: str
    """Absolute. Links are not followed."""
    root: str = ""
    """The folder that was named. Empty: the file itself was."""
    size: int = 0
    changed: float = 0.0


@dataclass(frozen=True)
class PassedOver:
    """A file that is not in the library, and why."""

    path: str
    why: str


def find(paths: Iterable[str | Path], *, exclude: Sequence[str] = (), ignore: bool = True) -> Iterator[Found | PassedOver]:
    """The files below `paths`, in a fixed order.

    Args:
        exclude: What to leave out in folders, as patterns of `.gitignore`.
        ignore: Leave out what `.gitignore` files name. A file that is named itself is there in any case.
    """
    if bad := [one for one in exclude if not _is_pattern(one)]:
        raise UsageError(f"{bad[0]!r} is no pattern.", next_step="Write it as in .gitignore: *.log or build/")
    for path in map(_absolute, paths):
        try:
            status = os.stat(path)  # noqa: PTH116  # the name may have any characters
        except (OSError, ValueError) as error:  # a null character in a name is a ValueError
            yield PassedOver(path, _why(error))
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from _Folder(path, exclude, ignore).files()
        else:
            yield _file(path, "", status)


def _absolute(path: str | Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100  # `Path.resolve` follows links


def _why(error: OSError | ValueError) -> str:
    return ((error.strerror if isinstance(error, OSError) else None) or str(error)).lower()


def _file(path: str, root: str, status: os.stat_result) -> Found | PassedOver:
    if not _has_letters(path):
        return PassedOver(path, "its name is not in UTF-8")
    if not stat.S_ISREG(status.st_mode):
        return PassedOver(path, "this is no file that can be read to its end")
    if status.st_size > LARGEST:
        return PassedOver(path, f"it is larger than {LARGEST >> 20} MB")
    return Found(path, root, status.st_size, status.st_mtime)


def _has_letters(path: str) -> bool:
    """Names may have any bytes, and a collection keeps names as text."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


Rules = tuple[str, Callable[[str], "bool | None"]]
"""A folder, and what its patterns say of a path below it: True is left out, False is not, None is not named."""


@dataclass(frozen=True)
class _Folder:
    """A folder that was named."""

    root: str
    exclude: Sequence[str]
    ignore: bool

    def files(self) -> Iterator[Found | PassedOver]:
        rules = [*self._above(), *([(self.root, _matching(self.exclude))] if self.exclude else [])]
        yield from self._in(self.root, rules)

    def _above(self) -> list[Rules]:
        """The rules of the repository that the folder is in."""
        if not self.ignore:
            return []
        parents = [Path(self.root), *Path(self.root).parents]
        top = next((number for number, one in enumerate(parents) if (one / ".git").exists()), -1)
        if top < 0:
            return []
        rules = [
            *_rules_in(str(parents[top]), ".git/info/exclude"),
            *(rule for one in reversed(parents[1 : top + 1]) for rule in _rules_in(str(one))),
        ]
        return [] if self._is_left_out(rules) else rules

    def _is_left_out(self, rules: list[Rules]) -> bool:
        """Whether the rules leave out the whole folder. The user has named it, so they do not count."""
        folders = [Path(self.root), *Path(self.root).parents]
        return any(_left_out(str(one), [rule for rule in rules if Path(rule[0]) in one.parents], is_folder=True) for one in folders)

    def _in(self, folder: str, rules: list[Rules], depth: int = 0) -> Iterator[Found | PassedOver]:
        if depth > DEEPEST:
            yield PassedOver(folder, f"it is more than {DEEPEST} folders deep")
            return
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            yield PassedOver(folder, _why(error))
            return
        if self.ignore:
            rules = [*rules, *_rules_in(folder)]
        for entry in entries:
            yield from self._entry(entry, rules, depth)

    def _entry(self, entry: os.DirEntry[str], rules: list[Rules], depth: int) -> Iterator[Found | PassedOver]:
        try:
            is_folder = entry.is_dir(follow_symlinks=False)
            if (is_folder and entry.name in NEVER) or _left_out(entry.path, rules, is_folder=is_folder):
                return
            if is_folder:
                yield from self._in(entry.path, rules, depth + 1)
            elif entry.is_symlink():
                yield from self._link(entry)
            else:
                yield _file(entry.path, self.root, entry.stat())
        except OSError as error:
            yield PassedOver(entry.path, _why(error))

    def _link(self, entry: os.DirEntry[str]) -> Iterator[Found | PassedOver]:
        """A link to a file inside the folder is a second name of it. All others are told."""
        target = os.path.realpath(entry.path)
        inside = Path(target).is_relative_to(os.path.realpath(self.root))
        if not inside:
            yield PassedOver(entry.path, "it is a link that leads out of the folder")
        elif not os.path.exists(target):  # noqa: PTH110
            yield PassedOver(entry.path, "it is a link to nothing")


def _rules_in(folder: str, name: str = ".gitignore") -> list[Rules]:
    path = Path(folder, name)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_RULES:  # reading a pipe would wait for ever
            return []
        lines = path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    except (OSError, ValueError):
        return []
    return [(folder, _matching(lines))]


def _matching(lines: Iterable[str]) -> Callable[[str], bool | None]:
    """Like git, it goes on after a line that is no pattern."""
    spec = _pathspec().GitIgnoreSpec.from_lines([line for line in lines if _is_pattern(line)])
    return lambda path: spec.check_file(path).include


def _is_pattern(line: str) -> bool:
    try:
        _pathspec().GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True


def _pathspec() -> Any:
    try:
        import pathspec
    except ImportError as error:
        raise UsageError("The library needs the package pathspec, which is not installed.", next_step=f"Install it: {INSTALL}") from error
    return pathspec


def _left_out(path: str, rules: list[Rules], *, is_folder: bool) -> bool:
    """The rule that is nearest to a file decides, and in one file the last one."""
    for folder, says in reversed(rules):
        said = says(path[len(folder) :].lstrip("/\\") + ("/" if is_folder else ""))
        if said is not None:
            return said
    return False
