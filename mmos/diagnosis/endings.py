"""Says what the exit code of a command tells, when a signal or a limit of time ended the command."""

from __future__ import annotations

import signal

_OF_SIGNALS = {
    "SIGKILL": "If nobody sent it, the machine or the container had no memory left, or a limit was reached: "
    "`dmesg | grep -i 'killed process'` shows what the kernel ended.",
    "SIGSEGV": "A program used memory that is not its own. A debugger or a core dump shows where: `coredumpctl info`.",
    "SIGBUS": "A program used memory that is not there, such as that of a file which became shorter, or of a full /dev/shm.",
    "SIGABRT": "A program stopped itself, most often because a check in it failed.",
    "SIGFPE": "A program divided by zero, or calculated something else that is not possible.",
    "SIGILL": "A program has an instruction that this processor does not know. Was it built for another one?",
    "SIGTERM": "Another program ended it, such as a service manager, or a CI job that took too long.",
    "SIGXCPU": "It used all the processor time that it may use: `ulimit -t` shows the limit.",
    "SIGXFSZ": "It wrote a file larger than it may write: `ulimit -f` shows the limit.",
}
_TIME_UP = 124
_SIGNALED = 128


def signal_of(code: int | None) -> str | None:
    """The name of the signal that ended a command, by the code that a shell gives."""
    if code is None or code <= _SIGNALED:
        return None
    try:
        name = signal.Signals(code - _SIGNALED).name
    except ValueError:
        return None
    return name if name in _OF_SIGNALS else None


def explained(code: int | None, command: str) -> str:
    """What the exit code of the command tells. Empty: nothing more than that it failed."""
    name = signal_of(code)
    if name:
        return f"{name} ended it. {_OF_SIGNALS[name]}"
    if code == _TIME_UP and command.split(maxsplit=1)[:1] == ["timeout"]:
        return "Its time was up: this is the exit code of `timeout`. Give it more time, or look for the step that waits."
    return ""
