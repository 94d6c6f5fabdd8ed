"""Makes ids that sort by time: 48 bits of milliseconds and 80 random bits, as 26 letters of Crockford's base 32."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SHAPE = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


class IdSource:
    """Makes ids. A later id sorts later, even within the same millisecond."""

    def __init__(self, clock: Callable[[], float] = time.time, random: Callable[[int], int] = secrets.randbits) -> None:
        self._clock = clock
        self._random = random
        self._order = _Order()

    def __call__(self) -> str:
        return self._order.next(self._clock, self._random)


def new_id(clock: Callable[[], float] = time.time, random: Callable[[int], int] = secrets.randbits) -> str:
    """A new id, in the order of this process. `random(n)` returns n random bits. Use an `IdSource` if ids must be reproducible."""
    return _of_this_process.next(clock, random)


def is_id(text: str) -> bool:
    return _SHAPE.fullmatch(text) is not None


def id_of_copy(run: str, thread: str) -> str:
    """The id of the copy of a run in another thread: always the same. It sorts like that of the run."""
    number = int.from_bytes(hashlib.sha256(f"{run} {thread}".encode()).digest()[:10], "big")
    return run[:10] + _letters(number, 16)


_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]


def _letters(number: int, count: int) -> str:
    """An even count of letters, two at a time."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(5 * (count - 2), -1, -10)])


class _Order:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moment = -1
        self._chance = 0

    def next(self, clock: Callable[[], float], random: Callable[[int], int]) -> str:
        moment = int(clock() * 1000)
        with self._lock:
            # The highest bit stays free, so that counting up within a millisecond never overflows.
            self._chance = self._chance + 1 if moment == self._moment else random(79)
            self._moment = moment
            number = moment << 80 | self._chance
        return _letters(number, 26)


_of_this_process = _Order()
