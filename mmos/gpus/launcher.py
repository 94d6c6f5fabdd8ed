"""Runs a server for its parent. The server and all that it started end with it, also if the parent is killed.

The parent starts it by its path, and it imports nothing of mmos. Its stdin stays open as long as the parent lives.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

_GRACE_SECONDS = 10.0
"""A server with a loaded model needs a moment to end."""
_NOT_FOUND = 127


def main() -> None:
    parent = os.getpid()
    is_linux = sys.platform.startswith("linux")
    try:
        server = subprocess.Popen(
            sys.argv[1:],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=(lambda: _end_with(parent)) if is_linux else None,  # noqa: PLW1509 - this process has no threads yet
        )
    except OSError as error:
        os.write(2, f"{sys.argv[1]}: {error.strerror}\n".encode())
        os._exit(_NOT_FOUND)
    threading.Thread(target=_wait_for_the_end, args=(server,), daemon=True).start()
    code = server.wait()
    _signal(server, "SIGKILL")  # a server that died leaves the processes of its models behind
    os._exit(code if code >= 0 else 128 - code)


def _end_with(parent: int) -> None:
    """In the server, before it begins: Linux asks it to end if this process is killed."""
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it was quicker
        os._exit(0)


def _wait_for_the_end(server: subprocess.Popen[bytes]) -> None:
    """End the server when the pipe to the parent closes: the parent closes it, or dies."""
    while os.read(0, 4096):
        pass
    _signal(server, "SIGTERM")
    try:
        server.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal(server, "SIGKILL")


def _signal(server: subprocess.Popen[bytes], name: str) -> None:
    """Send it to the server and to what it started."""
    if not hasattr(os, "killpg"):
        server.terminate()
        return
    with suppress(ProcessLookupError):  # nobody is left
        os.killpg(server.pid, signal.Signals[name])


if __name__ == "__main__":
    main()
