"""Runs a command as if MMOS were not there: its streams, its signals and its exit code pass unchanged."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from mmos.cli.diagnose.channels import ENDED, STOPPED, Channel, Pump, channels, leave

ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
"""With one of these, somebody ends the command: that is no failure."""
PASSED_ON = ENDING | {signal.SIGTSTP, signal.SIGCONT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH}
OF_TERMINALS = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH})
SHELL = "/bin/sh"
LOST = 0.5
"""Seconds after which MMOS looks for the end of the command by itself: another thread of the process may have got the signal."""


class NotStarted(Exception):
    """The command cannot be started. `code` is the exit code that a shell gives."""

    def __init__(self, code: int, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.code = code


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    """As a shell gives it: 128 and the number of the signal, if one ended it."""
    interrupted: bool
    """Whether somebody ended it, or nobody read what it printed."""


def run(command: Sequence[str], out: int, err: int, keep: Callable[[int, memoryview], None]) -> Ended:
    """Run a command whose output goes to these files. `keep` gets each block, with 1 for stdout and 2 for stderr."""
    streams = channels(out, err)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON | {signal.SIGCHLD})
    try:
        try:
            process = _start(command, streams, before)
        finally:
            for stream in streams:
                os.close(stream.given)
        watch = _Watch(process, streams)
        Pump(streams, keep).until(watch.news, watch.stop)
        watch.close()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    for stream in streams:
        if not stream.ended:
            leave(stream)
    code = os.waitstatus_to_exitcode(watch.status)
    unread = any(stream.unread for stream in streams)
    return Ended(128 - code if code < 0 else code, watch.interrupted or unread)


def _start(command: Sequence[str], streams: Sequence[Channel], mask: set[int | signal.Signals]) -> int:
    moves = [(os.POSIX_SPAWN_DUP2, stream.given, number) for stream in streams for number in stream.numbers]
    with suppress(OSError, ValueError):  # stdin may be closed
        if sys.stdin.fileno() != 0:
            moves.append((os.POSIX_SPAWN_DUP2, sys.stdin.fileno(), 0))

    def spawn(words: list[str]) -> int:
        return os.posix_spawnp(
            words[0],
            words,
            os.environ,
            file_actions=moves,
            setsigmask=[number for number in signal.valid_signals() if number in mask],
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores them
        )

    try:
        return spawn([*command])
    except ValueError:  # an empty word is no name of a program
        raise NotStarted(127, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))) from None
    except FileNotFoundError as error:
        raise NotStarted(127, error) from None
    except OSError as error:
        if error.errno != errno.ENOEXEC:  # a script without a first line that names its program: a shell runs it
            raise NotStarted(126, error) from None
        return spawn([SHELL, *command])


class _Watch:
    """Waits for signals and for the end of a command, on a thread of its own."""

    def __init__(self, process: int, streams: Sequence[Channel]) -> None:
        self.news, self._tell = os.pipe()
        self.status = 0
        self.interrupted = False
        self._process = process
        self._streams = streams
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._thread.join()
        os.close(self.news)
        os.close(self._tell)

    def stop(self) -> None:
        """Stop, as the command did: the shell then sees the whole job stopped, and continues it."""
        os.kill(os.getpid(), signal.SIGSTOP)
        with suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGCONT)

    def _watch(self) -> None:
        while True:
            number, sent = _next_signal()
            if number == signal.SIGCHLD:
                if self._has_ended():
                    os.write(self._tell, ENDED)
                    return
            elif number == signal.SIGWINCH:
                for stream in self._streams:
                    stream.resize()
            self.interrupted = self.interrupted or number in ENDING
            if sent and number != signal.SIGCHLD:
                os.kill(self._process, number)

    def _has_ended(self) -> bool:
        while True:
            process, status = os.waitpid(self._process, os.WNOHANG | os.WUNTRACED)
            if not process:
                return False
            if not os.WIFSTOPPED(status):
                self.status = status
                return True
            os.write(self._tell, STOPPED)


def _next_signal() -> tuple[int, bool]:
    """The next signal, and whether a process sent it to MMOS alone. What a terminal sends reaches the command, too."""
    wanted = PASSED_ON | {signal.SIGCHLD}
    if hasattr(signal, "sigtimedwait"):
        found = signal.sigtimedwait(wanted, LOST)
        return (found.si_signo, found.si_code <= 0) if found else (signal.SIGCHLD, False)
    number = signal.sigwait(wanted)
    return number, not (number in OF_TERMINALS and sys.stdin.isatty())
