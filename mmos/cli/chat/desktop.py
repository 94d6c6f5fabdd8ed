"""Works with what is outside the chat: files to attach, the user's editor, and the clipboard."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from mmos.errors import UsageError
from mmos.files import read
from mmos.messages import File


def attachment(path: str) -> File:
    return read(path_of(path))


def size(file: File) -> int:
    """Count the bytes of an attached file."""
    return len(file.text.encode()) or len(file.image) * 3 // 4


def path_of(text: str) -> Path:
    """Find the path that a user means. Terminals write a dropped file in quotes or with escaped spaces: read those, too."""
    try:
        place = Path(text).expanduser()
        words = [] if place.exists() else shlex.split(text)
        return Path(words[0]).expanduser() if len(words) == 1 else place
    except RuntimeError as error:  # `~name` of an unknown user
        raise UsageError(f"{text}: {error}") from None
    except (OSError, ValueError):  # an open quote, a character that file names cannot have, or a name that is too long
        return Path(text)


PROGRAMS = (("pbcopy",), ("wl-copy",), ("xclip", "-selection", "clipboard"), ("xsel", "--clipboard", "--input"), ("clip.exe",))
MOST = 74_994
"""Most bytes that terminals accept for the clipboard (OSC 52)."""

SECONDS = 3.0
FILE = "copied.md"


async def edit_text(text: str, aside: Callable[[Callable[[], None]], Awaitable[None]]) -> str | None:
    """Let the user edit the text in `$VISUAL` or `$EDITOR`. None if neither is set or the editor failed."""
    try:
        command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
    except ValueError:  # an open quote
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


async def copy_text(text: str, clip: Callable[[str], bool], state: Path) -> str:
    """Copy with a program of this machine, or through the terminal (works over ssh), or into a file. Say where the text is."""
    if not os.environ.get("SSH_CONNECTION") and await _by_program(text):
        return "Copied."
    if len(text.encode()) <= MOST and clip(text):
        return "Copied through the terminal. If your terminal has no clipboard access, use /save FILE."
    return _into_file(text, state / FILE)


def _into_file(text: str, path: Path) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        return f"The text could not be copied: there is no clipboard, and {path} cannot be written: {error.strerror}."
    return f"There is no clipboard here. The text is in {path}."


async def _by_program(text: str) -> bool:
    """Try the programs in order until one succeeds. Skip a program whose display is not there."""
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
