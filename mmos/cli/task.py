"""Collects the task of a run: its words, stdin and files."""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from collections.abc import Callable, Sequence

import click

from mmos.errors import UsageError
from mmos.files import MOST_IMAGE, file_of, read, text_of
from mmos.messages import File

STDIN = "-"
PATIENCE = 2.5
"""After this many seconds of waiting for the end of stdin, MMOS says on stderr that it waits."""
WAITING = "mmos: waiting for the end of stdin. Press Ctrl-D, or add </dev/null if nothing is piped in."
BLOCK = 65536


def gather(task: str | None, paths: Sequence[str]) -> tuple[str, list[File]]:
    """Collect the task and its files. stdin is the task if there are no words, otherwise a file."""
    if paths.count(STDIN) + (task == STDIN) > 1:
        raise UsageError("`-` appears twice, but stdin can be read only once.", next_step="Leave one of them out.")
    if task == STDIN or (task is None and STDIN not in paths and is_piped()):
        return _task_of(read_stdin()), [_file(path) for path in paths]
    if task is None:
        raise UsageError(
            "The task is missing.",
            next_step='Write it: mmos run "Explain this." Or on stdin: cat task.txt | mmos run. '
            'Or both: git diff | mmos run "Review this."',
        )
    piped = read_stdin() if STDIN not in paths and is_piped() else b""
    beside = [file_of("stdin", piped)] if piped.strip() else []
    return task, beside + [_file(path) for path in paths]


def _file(path: str) -> File:
    return file_of("stdin", read_stdin()) if path == STDIN else read(path)


def _task_of(data: bytes) -> str:
    text = text_of("The task on stdin", data)
    if not text.strip():
        raise UsageError("The task on stdin is empty.", next_step="Does the command before the pipe print anything?")
    return text


def is_piped() -> bool:
    """Whether stdin is a pipe, a file or a socket, but not a terminal or /dev/null."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):  # it is closed
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def read_stdin() -> bytes:
    """Read stdin, up to a little more than the largest file allowed."""
    if sys.platform == "win32" or sys.stdin.isatty():
        return sys.stdin.buffer.read(MOST_IMAGE + 1)
    return read_pipe(sys.stdin.fileno(), lambda: click.echo(WAITING, err=True))


def read_pipe(number: int, tell: Callable[[], None], patience: float = PATIENCE) -> bytes:
    """Read all bytes to the end. Call `tell` once if the end does not come soon."""
    read, announced, until = bytearray(), False, time.monotonic() + patience
    while len(read) <= MOST_IMAGE:
        if not announced and not select.select([number], [], [], max(0.0, until - time.monotonic()))[0]:
            tell()
            announced = True
        block = os.read(number, BLOCK)
        if not block:
            break
        read += block
    return bytes(read)
