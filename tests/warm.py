"""Starts `python -m mmos` and scripts in a moment: a process that has imported MMOS forks itself for each of them.

Importing takes nine tenths of most commands. `python()` is a file to execute in place of the interpreter: a small program that hands its arguments,
folder, environment and open files to that process, passes signals on, and ends as its command ends. It starts a new interpreter where the
environment has something that only a new one reads, and for other arguments than `-m mmos` or a script. `MMOS_TESTS_COLD=1`: always.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pkgutil
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
COLD = "MMOS_TESTS_COLD"
INSIDE = "MMOS_TESTS_INSIDE"
"""A variable with the id of a process: the command sees the disks that this process sees."""
READ_AT_START = ("PYTHON", "LC_", "LANG")
"""What begins so is read by a new interpreter alone, except for this:"""
MODULES = "PYTHONPATH"
"""The command looks in these folders first for modules that nothing of MMOS has imported, such as a driver."""

LAUNCHER = """\
#!{python} -IS
import os, sys, signal, _socket, array
READ_AT_START, KNOWN, PYTHON = {read_at_start!r}, {known!r}, {python!r}
arguments = sys.argv[1:]
warm = arguments[:2] == ["-m", "mmos"] or (len(arguments) == 1 and arguments[0].endswith(".py"))
if not warm or {{k: v for k, v in os.environ.items() if k.startswith(READ_AT_START) and k != {modules!r}}} != KNOWN:
    os.execv(PYTHON, [PYTHON, *arguments])
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
server.connect({socket!r})
command, early = 0, []

def forward(number, frame):
    if not command:
        early.append(number)
        return
    try:
        os.kill(command, number)
    except ProcessLookupError:
        pass  # it has just ended, and how comes next

ignored = []
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGWINCH, signal.SIGUSR1, signal.SIGUSR2):
    if signal.getsignal(number) == signal.SIG_IGN:
        ignored.append(int(number))
    else:
        signal.signal(number, forward)
mask = os.umask(0)
os.umask(mask)
request = repr([arguments, os.getcwd(), dict(os.environ), mask, ignored]).encode()
files = array.array("i", [0, 1, 2])
server.sendmsg([len(request).to_bytes(8, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
server.sendall(request)
command = int.from_bytes(server.recv(8), "big")
for number in early:
    forward(number, None)
for number in (0, 1, 2):
    os.close(number)
ended = int.from_bytes(server.recv(8), "big")
if os.WIFSIGNALED(ended):
    signal.signal(os.WTERMSIG(ended), signal.SIG_DFL)
    os.kill(os.getpid(), os.WTERMSIG(ended))
os._exit(os.waitstatus_to_exitcode(ended))
"""


# ---------------------------------------------------------------- in a test


@cache
def python() -> str:
    """A file to execute in place of `sys.executable`. Its process ends with this one."""
    if os.environ.get(COLD):
        return sys.executable
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    known = {name: value for name, value in os.environ.items() if name.startswith(READ_AT_START) and name != MODULES}
    place = str(folder / "socket")
    launcher = folder / "python"
    launcher.write_text(LAUNCHER.format(python=sys.executable, read_at_start=READ_AT_START, modules=MODULES, known=known, socket=place))
    launcher.chmod(0o700)
    _servers.append(
        subprocess.Popen(
            [sys.executable, "-m", "tests.warm", place], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
    )
    assert _servers[-1].stdout is not None
    assert _servers[-1].stdout.readline() == b"warm\n"
    return str(launcher)


_servers: list[subprocess.Popen[bytes]] = []


def end() -> None:
    """End the process that was started, if any was."""
    for server in _servers:
        server.communicate()  # it ends when its stdin does
        shutil.rmtree(Path(server.args[-1]).parent)  # type: ignore[index, arg-type]
    _servers.clear()
    python.cache_clear()


# ---------------------------------------------------------------- in the warm process


@dataclass
class Request:
    arguments: list[str]
    folder: str
    environment: dict[str, str]
    mask: int
    ignored: list[int]
    files: list[int] = field(default_factory=list)

    @classmethod
    def read(cls, connection: socket.socket) -> Request | None:
        """None where the other side was killed meanwhile."""
        head, files, _, _ = socket.recv_fds(connection, 8, 3)
        left, body = int.from_bytes(head, "big"), b""
        while left > len(body):
            data = connection.recv(left - len(body))
            if not data:
                break
            body += data
        if not body or len(body) < left:
            for number in files:
                os.close(number)
            return None
        return cls(*_literal(body.decode()), files)

    def run(self) -> None:
        """In the child: become the command. It ends as an interpreter ends, with all that runs at its exit."""
        if inside := self.environment.pop(INSIDE, ""):
            _enter(inside)
        os.chdir(self.folder)
        os.umask(self.mask)
        os.environ.clear()
        os.environ.update(self.environment)
        time.tzset()
        sys.path[:0] = filter(None, self.environment.get(MODULES, "").split(os.pathsep))
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # this process may have been started under nohup
        for number in self.ignored:
            signal.signal(number, signal.SIG_IGN)
        for target, number in enumerate(self.files):
            os.dup2(number, target)
            os.close(number)
        _reopen()
        if self.arguments[0] == "-m":
            sys.argv = [str(ROOT / "mmos" / "__main__.py"), *self.arguments[2:]]
            from mmos.cli.main import main

            main()
        else:
            sys.argv = self.arguments
            sys.path.insert(0, str(Path(self.arguments[0]).resolve().parent))
            runpy.run_path(self.arguments[0], run_name="__main__")


def _enter(process: str) -> None:
    """Go into the namespaces of a process: first that of its users, which may mount, then that of its disks."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    files = [os.open(f"/proc/{process}/ns/{kind}", os.O_RDONLY) for kind in ("user", "mnt")]
    for file in files:
        if libc.setns(file, 0):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(file)


def _literal(text: str) -> Any:
    import ast

    return ast.literal_eval(text)


def _reopen() -> None:
    """The streams as a new interpreter makes them: a terminal gets whole lines, a pipe whole blocks."""
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        before = getattr(sys, name)
        lines = name == "stderr" or (mode == "w" and os.isatty(number))
        buffering = 1 if lines else -1
        opened = open(number, mode, buffering, encoding=before.encoding, errors=before.errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, opened)
        setattr(sys, f"__{name}__", opened)


def _import_all() -> None:
    import mmos

    for found in pkgutil.walk_packages(mmos.__path__, "mmos."):
        if not found.name.endswith(".__main__"):
            import_module(found.name)
    sys.path[:] = [place for place in sys.path if place not in ("", str(ROOT))]
    gc.collect()
    gc.freeze()


class Server:
    """Takes requests, and says how each command ended. The command of a connection that was closed is killed."""

    def __init__(self, place: str) -> None:
        self.commands: dict[int, socket.socket] = {}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(place)
        self.listener.listen(64)
        self.ended, self._end = os.pipe()
        os.set_blocking(self._end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._end, warn_on_full_buffer=False)
        self.selector = selectors.DefaultSelector()
        for source in (0, self.ended, self.listener):
            self.selector.register(source, selectors.EVENT_READ)

    def serve(self) -> Request | None:
        """Returns in a child with what to run, and in the server when its stdin has ended."""
        while True:
            for key, _ in self.selector.select():
                if key.fileobj == 0:
                    return None
                if key.fileobj == self.ended:
                    os.read(self.ended, 4096)
                    self.reap()
                elif key.fileobj is self.listener:
                    connection, _ = self.listener.accept()
                    request = Request.read(connection)
                    if request is not None and self.fork(connection, request):
                        return request
                elif key.data in self.commands:
                    os.kill(key.data, signal.SIGKILL)
                    self.selector.unregister(key.fileobj)

    def fork(self, connection: socket.socket, request: Request) -> bool:
        """Whether this is the child."""
        command = os.fork()
        if not command:
            self.leave()
            connection.close()
            return True
        for number in request.files:
            os.close(number)
        self.commands[command] = connection
        self.selector.register(connection, selectors.EVENT_READ, command)
        with contextlib.suppress(OSError):
            connection.sendall(command.to_bytes(8, "big"))
        return False

    def reap(self) -> None:
        while self.commands:
            command, status = os.waitpid(-1, os.WNOHANG)
            if not command:
                return
            connection = self.commands.pop(command)
            with contextlib.suppress(KeyError):
                self.selector.unregister(connection)
            with contextlib.suppress(OSError):
                connection.sendall(status.to_bytes(8, "big"))
            connection.close()

    def leave(self) -> None:
        """In the child: nothing of the server is left, and signals are as in a new interpreter."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.selector.close()
        self.listener.close()
        os.close(self.ended)
        os.close(self._end)
        for connection in self.commands.values():
            connection.close()


def main() -> None:
    _import_all()
    server = Server(sys.argv[1])
    print("warm", flush=True)
    request = server.serve()
    if request is not None:
        del server
        request.run()


if __name__ == "__main__":
    main()
