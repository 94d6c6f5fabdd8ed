"""Opens the files that may be rewritten: regular files of text inside the working tree that their owner may write."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmos.errors import UsageError
from mmos.files import MOST_TEXT, content
from mmos.rewriting.text import Text, text_of

_GIT = ".git"
_STATE = ".mmos"
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True)
class Source:
    """A file as it was read."""

    name: str
    """Its path inside the working tree, for people and models."""
    path: Path
    """Where it really is, without symbolic links."""
    data: bytes
    text: Text

    @property
    def is_unchanged(self) -> bool:
        """Whether the file still has these bytes."""
        try:
            return content(self.path, MOST_TEXT + 1, follow=False) == self.data
        except (OSError, UsageError):
            return False


def tree_of(folder: Path) -> Path:
    """The working tree that a folder belongs to: that of git, or the folder itself."""
    here = Path(os.path.realpath(folder))
    return next((place for place in (here, *here.parents) if (place / _GIT).exists()), here)


def sources_of(paths: Iterable[str | Path], tree: Path) -> list[Source]:
    """The files with these paths, each once. Raises `UsageError` for a file that MMOS does not rewrite."""
    found: dict[Path, Source] = {}
    for path in paths:
        source = source_of(path, tree)
        found.setdefault(source.path, source)
    return list(found.values())


def source_of(path: str | Path, tree: Path) -> Source:
    real = place_of(path, tree)
    name = real.relative_to(tree).as_posix()
    if real.is_dir():
        raise UsageError(f"{path} is a directory.", next_step="Name files, or let a model find them in the working tree: --agentic")
    try:
        data = content(real, MOST_TEXT + 1, follow=False)
        facts = real.stat()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if not (facts.st_mode & _WRITABLE and os.access(real, os.W_OK)):
        raise UsageError(f"{path} is read-only.", next_step=f"If MMOS may change it: chmod u+w {path}")
    if facts.st_nlink > 1:
        raise UsageError(
            f"{path} has {facts.st_nlink} names (hard links), and a rewrite would part them.", next_step="Make it a file of its own first."
        )
    return Source(name, real, data, text_of(str(path), data))


def place_of(path: str | Path, tree: Path) -> Path:
    """Where a path leads, if that is inside the working tree."""
    try:
        real = Path(os.path.realpath(path, strict=True))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if not real.is_relative_to(tree):
        leads = " It is a link to a file there." if Path(path).is_symlink() else ""
        raise UsageError(f"{path} is outside of the working tree {tree}.{leads}", next_step="Go to the folder of its project first.")
    if is_foreign(real.relative_to(tree)):
        raise UsageError(f"{path} belongs to git or to MMOS itself.", next_step="Name a file of the project.")
    return real


def is_foreign(path: Path) -> bool:
    """Whether a path inside a working tree is no file of the project."""
    return _GIT in path.parts or _STATE in path.parts


def _unreadable(path: str | Path, error: OSError | ValueError) -> UsageError:
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    return UsageError(f"{path}: {reason}.", next_step="Check the path.")
