"""The state folder: made for its owner alone, and kept out of repositories."""

from __future__ import annotations

from pathlib import Path


def make(folder: Path) -> None:
    """A folder that is there is left as it is: it may be one of the user's own."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n")  # it lies beside a configuration, and holds what people said
