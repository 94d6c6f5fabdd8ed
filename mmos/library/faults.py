"""Turns errors of LanceDB and the file system into errors with the place and the next step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from mmos.errors import StateDamaged, StateError, StateFull, StateReadOnly, StateTooNew, UsageError

_FULL = re.compile(r"No space left|not enough space|quota exceeded|os error (28|122|112)\b", re.IGNORECASE)
_READ_ONLY = re.compile(
    r"Permission denied|Operation not permitted|Read-only file system|Access is denied|os error (1|5|13|30)\b", re.IGNORECASE
)
_NO_FOLDER = re.compile(r"Not a directory|File exists|os error (17|20)\b", re.IGNORECASE)
_GONE = re.compile(r"Not found", re.IGNORECASE)
_DAMAGED = re.compile(
    r"Invalid range|file size is too small|[Cc]orrupt|magic|[Dd]ecod|[Ii]nvalid|unexpected|out of bounds|panicked|sufficient data",
    re.IGNORECASE,
)
_RUST = re.compile(r",? ?(location: .*|/\S+\.rs:\d+.*)$", re.DOTALL)
_MOST = 200


def no_lancedb(fault: ImportError) -> UsageError:
    import platform
    import sys

    if sys.platform == "darwin" and platform.machine() != "arm64":
        return UsageError(
            "The library needs the package lancedb, and there is none for Macs with an Intel processor.", next_step="Use another computer."
        )
    return UsageError(
        f"The library needs the package lancedb, which cannot be loaded ({fault}).", next_step="Install it: pip install 'mmos[rag]'."
    )


def too_new(place: str, collection: str) -> StateTooNew:
    return StateTooNew(
        f"{place}: a newer mmos wrote the collection {collection!r}. MMOS did not change it.",
        next_step="Update mmos, or name another collection.",
    )


def damaged(place: str, what: str) -> StateDamaged:
    return StateDamaged(
        f"{place}: the library is damaged ({what}). MMOS did not change it.",
        next_step="Delete the collection (mmos rag delete --all -C NAME), then add its documents again.",
    )


def of(place: str, fault: Exception) -> StateError:
    """The state error for an error of LanceDB or of the system."""
    what = _RUST.sub("", str(fault).split("\n", 1)[0])[:_MOST].strip()
    if _FULL.search(str(fault)):
        return StateFull(
            f"{place}: the disk has no room left. What was in the library is intact.",
            next_step="Free some space, or name a folder on another disk with rag.store, then run it again.",
        )
    if _READ_ONLY.search(str(fault)):
        return StateReadOnly(
            f"{place}: the library may not be read or written ({what}).",
            next_step="Check the mount, the owner and the permissions, or name another folder with rag.store.",
        )
    if _NO_FOLDER.search(str(fault)):
        return StateError(f"{place}: this is a file, but the library needs a folder.", next_step="Name a folder with rag.store.")
    if _GONE.search(str(fault)) or _DAMAGED.search(str(fault)):
        return damaged(place, what)
    return StateError(f"{place}: {what}.", next_step="Check the place of the library, or name another one with rag.store.")


@contextmanager
def told(place: str) -> Iterator[None]:
    """Turn errors inside the block into StateError. LanceDB has no classes of its own for its errors."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as fault:
        raise of(place, fault) from fault


def is_gone(fault: Exception) -> bool:
    return bool(_GONE.search(str(fault)))
