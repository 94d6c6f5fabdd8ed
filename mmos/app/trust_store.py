"""Remembers which configurations the user trusts, in a file that only the user can write."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

import orjson

MOST = 1_000
"""The most entries. The oldest go first."""


class TrustStore:
    """Pairs of a configuration file and the digest of what it asked for. If others can write the store, or nobody can read it, it has none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def knows(self, file: Path, digest: str) -> bool:
        return _entry(file, digest) in self._entries()

    def add(self, file: Path, digest: str) -> None:
        """Write a new file and put it in the place of the old one, so that nobody reads half of it."""
        fresh = _entry(file, digest)
        entries = [entry for entry in self._entries() if entry != fresh][-MOST + 1 :]
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self._path.with_name(f"{self._path.name}.{os.urandom(8).hex()}")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file_:
                file_.write(orjson.dumps({"version": 1, "trusted": [*entries, fresh]}, option=orjson.OPT_INDENT_2))
            beside.replace(self._path)
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)

    def _entries(self) -> list[dict[str, str]]:
        try:
            with self._path.open("rb") as file:
                if not _is_ours(os.fstat(file.fileno())):
                    return []
                document = orjson.loads(file.read())
        except (OSError, ValueError):
            return []
        entries = document.get("trusted") if isinstance(document, dict) else None
        return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _entry(file: Path, digest: str) -> dict[str, str]:
    place = file.parent.resolve() / file.name
    return {"file": os.fsencode(place).decode("utf-8", "replace"), "digest": digest}


def _is_ours(about: os.stat_result) -> bool:
    mine = not hasattr(os, "getuid") or about.st_uid == os.getuid()
    return mine and stat.S_ISREG(about.st_mode) and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
