"""Passes what a command prints on to where it belongs, byte for byte, and keeps a copy."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from mmos.cli.diagnose.background import in_background

BLOCK = 1 << 20
SMALL = BLOCK // 8
ENDED, STOPPED = b"e", b"s"
"""What the pump is told of the command."""
PAUSE = 0.001
"""Seconds in which more may come after a small block: a command that writes much then costs a tenth of the wake-ups."""
MOST_LEFT = 1 << 20
"""The most bytes that are read of a stream after the command has ended, because a process that it left behind may print for ever."""
GRACE = 100
"""Milliseconds that a terminal may take to hand over what is in it. A pipe needs none."""


@dataclass
class Channel:
    """A stream of the command: where MMOS reads it, and where it goes."""

    ours: int
    given: int
    """The end that the command writes to."""
    target: int
    numbers: tuple[int, ...]
    """What the command knows the stream as: 1, 2 or both."""
    terminal: bool
    ended: bool = field(default=False, init=False)
    unread: bool = field(default=False, init=False)
    """Whether nobody takes what the command prints."""

    def close(self) -> None:
        if not self.ended:
            os.close(self.ours)
            self.ended = True

    def resize(self) -> None:
        """Give the command's terminal the size of the real one."""
        if self.terminal and not self.ended:
            import fcntl
            import termios

            with suppress(OSError):
                fcntl.ioctl(self.ours, termios.TIOCSWINSZ, fcntl.ioctl(self.target, termios.TIOCGWINSZ, b"\0" * 8))


def channels(out: int, err: int) -> list[Channel]:
    """The channels to these files. When both are one and the same, they share a channel, so that the order stays."""
    if _same(out, err):
        return [_channel(out, (1, 2))]
    return [_channel(out, (1,)), _channel(err, (2,))]


def _channel(target: int, numbers: tuple[int, ...]) -> Channel:
    if os.isatty(target):
        return _terminal(target, numbers)
    ours, given = os.pipe()
    with suppress(ImportError, OSError, AttributeError):  # a larger pipe is faster, and not all systems have it
        import fcntl

        fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, MOST_LEFT)
    return Channel(ours, given, target, numbers, terminal=False)


def _terminal(target: int, numbers: tuple[int, ...]) -> Channel:
    """A terminal for the command that changes no byte: the real one makes a carriage return of each line feed, as it always does."""
    import pty
    import termios

    ours, given = pty.openpty()
    modes = termios.tcgetattr(given)
    modes[1] &= ~termios.OPOST
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(given, termios.TCSANOW, modes)
    channel = Channel(ours, given, target, numbers, terminal=True)
    channel.resize()
    return channel


def _same(one: int, other: int) -> bool:
    """Whether both numbers lead to the same place. Two files with the same name but places of their own do not."""
    first, second = os.fstat(one), os.fstat(other)
    if (first.st_dev, first.st_ino) != (second.st_dev, second.st_ino):
        return False
    try:
        place, there = (os.lseek(number, 0, os.SEEK_CUR) for number in (one, other))
    except OSError:  # a terminal, a pipe or a socket has no places
        return True
    os.lseek(one, place + 1, os.SEEK_SET)
    moved = os.lseek(other, 0, os.SEEK_CUR)
    os.lseek(one, place, os.SEEK_SET)
    return moved == there + 1


class Pump:
    """Moves bytes from the channels to their targets until the command has ended."""

    def __init__(self, all_channels: Sequence[Channel], keep: Callable[[int, memoryview], None]) -> None:
        self._channels = {channel.ours: channel for channel in all_channels}
        self._keep = keep
        self._buffer = memoryview(bytearray(BLOCK))
        self._hurried = any(channel.terminal for channel in all_channels)
        """A terminal holds so little that a command would wait for us."""

    def until(self, news: int, stopped: Callable[[], None]) -> None:
        """Work until `news` says that the command has ended, and then until nothing is left in the channels.

        When it says that the command has stopped, first all is passed on that it printed before, and then `stopped` is called.
        """
        poll = select.poll()
        for number in (news, *self._channels):
            poll.register(number, select.POLLIN)
        while True:
            numbers, moved = [number for number, _ in poll.poll()], 0
            for channel in [self._channels[number] for number in numbers if number != news]:
                size = 0 if channel.ended else self._move(channel)
                moved += size
                if not size:
                    poll.unregister(channel.ours)
            told = os.read(news, 1) if news in numbers else b""
            if told:
                self._empty()
            if told == ENDED:
                return
            if told == STOPPED:
                stopped()
            elif moved < SMALL and not self._hurried:
                time.sleep(PAUSE)

    def _empty(self) -> None:
        for channel in self._channels.values():
            self._rest(channel)

    def _rest(self, channel: Channel) -> None:
        poll, left = select.poll(), MOST_LEFT
        if not channel.ended:
            poll.register(channel.ours, select.POLLIN)
        while not channel.ended and left > 0 and poll.poll(GRACE if channel.terminal else 0):
            left -= self._move(channel) or 0

    def _move(self, channel: Channel) -> int:
        """Pass on one block, and return its size. 0: the stream has ended, or nobody takes it."""
        block = self._buffer[: read(channel.ours, self._buffer)]
        if block and not write(channel.target, block):
            channel.unread, block = True, block[:0]
        if not block:
            channel.close()  # a command that still prints is told so by the system, as it would be without MMOS
            return 0
        self._keep(channel.numbers[0], block)
        return len(block)


def read(number: int, buffer: memoryview) -> int:
    """Read what there is, and return its size. 0: the stream has ended."""
    try:
        return os.readv(number, [buffer])
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return 0  # so ends a terminal that nobody has open any more


def write(target: int, block: memoryview) -> bool:
    """Write all of a block, also to a target that takes it slowly. False: nobody takes it."""
    while block:
        try:
            block = block[os.write(target, block) :]
        except BlockingIOError:
            waiting = select.poll()
            waiting.register(target, select.POLLOUT)
            waiting.poll()
        except OSError:
            return False
    return True


def leave(channel: Channel) -> None:
    """Go on with a channel that a process left behind has open: in a process of its own, so that nobody waits for it.

    Without a reader, that process would be ended at its next word. A file and a terminal get what it prints. A pipe does not, because the
    program at its end would wait for the end of it.
    """
    mode = os.fstat(channel.target).st_mode
    target = channel.target if stat.S_ISREG(mode) or stat.S_ISCHR(mode) else -1

    def work() -> None:
        buffer = memoryview(bytearray(SMALL))
        while size := read(channel.ours, buffer):
            if target >= 0 and not write(target, buffer[:size]):
                break

    in_background(work, {channel.ours, target} - {-1})
    channel.close()
