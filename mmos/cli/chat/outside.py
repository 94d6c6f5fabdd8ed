"""What the user has beside us: an editor, and a clipboard."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

PROGRAMS = (("pbcopy",), ("wl-copy",), ("xclip", "-selection", "clipboard"), ("xsel", "--clipboard", "--input"), ("clip.exe",))
MOST = 74_994
"""Bytes that terminals take by OSC 52."""

SECONDS = 3.0
FILE = "copied.md"


async def edited(text: str, aside: Callable[[Callable[[], None]], Awaitable[None]]) -> str | None:
    """The text as it was left in `$VISUAL` or `$EDITOR`; None where neither is set or the editor failed."""
    try:
        command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
    except ValueError:  # a quote that nobody closed
        return None
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


async def put(text: str, clip: Callable[[str], bool], state: Path) -> str:
    """Copy by a program of this machine, else by the terminal itself, which works over ssh, else into a file; says where the text is."""
    if not os.environ.get("SSH_CONNECTION") and await _by_program(text):
        return "Copied."
    if len(text.encode()) <= MOST and clip(text):
        return "Copied through the terminal; if it does not take it, /save FILE keeps it."
    return _into_file(text, state / FILE)


def _into_file(text: str, path: Path) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        return f"It could not be copied: there is no clipboard, and {path} cannot be written: {error.strerror}."
    return f"There is no clipboard here; the text is in {path}."


async def _by_program(text: str) -> bool:
    """The first that is there and succeeds. One for a screen is of use only where a screen is."""
    for name, *options in PROGRAMS:
        screen = {"wl-copy": "WAYLAND_DISPLAY", "xclip": "DISPLAY", "xsel": "DISPLAY"}.get(name)
        found = shutil.which(name)
        if found is None or (screen and not os.environ.get(screen)):
            continue
        nothing = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(found, *options, stdin=asyncio.subprocess.PIPE, stdout=nothing, stderr=nothing)
        try:
            async with asyncio.timeout(SECONDS):
                await process.communicate(text.encode())
        except TimeoutError:
            process.kill()
            continue
        if process.returncode == 0:
            return True
    return False
