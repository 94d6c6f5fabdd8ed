"""The user's own editor, on a file that goes away when it is done."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path


async def edited(text: str, aside: Callable[[Callable[[], None]], Awaitable[None]]) -> str | None:
    """The text as it was left in `$VISUAL` or `$EDITOR`; None where neither is set or the editor failed."""
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
    if not command:
        return None
    with tempfile.TemporaryDirectory(prefix="mmos-") as folder:
        path = Path(folder) / "task.md"
        path.write_text(text, encoding="utf-8")
        ended: list[int] = []

        def work() -> None:
            try:
                ended.append(subprocess.run([*command, str(path)], check=False).returncode)
            except OSError:
                ended.append(127)

        await aside(work)
        return path.read_text(encoding="utf-8", errors="replace") if ended == [0] else None
