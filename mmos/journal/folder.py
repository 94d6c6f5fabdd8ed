"""Creates the state folder: readable for its owner only, and kept out of repositories."""

from __future__ import annotations

from pathlib import Path


def make(folder: Path) -> None:
    """Create the folder. An existing folder is not changed, because it may be the user's own."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n")  # it is beside a configuration and contains conversations
