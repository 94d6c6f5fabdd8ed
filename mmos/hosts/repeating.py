"""Detects in a stream a text that repeats itself word for word."""

from __future__ import annotations

PROBE = 4096
"""Characters at the end of a text that must repeat before it counts as a repetition."""

LONGEST_PERIOD = PROBE // 2

PARAGRAPH = 200
"""Characters. A longer period with RICH different characters is prose. Nobody wants it a dozen times in a row."""
RICH, PLAIN = 20, 5
"""Different characters of a period. With fewer than PLAIN it may be a table of zeros or a line of dashes."""


class Repeats:
    """Takes a text piece by piece.

    A user may ask for many equal lines, or for a table of zeros. So a text is stopped only when the same period follows itself very
    often, with nothing in between. Each piece makes one check of the end of the text, so a piece should have some hundred characters.
    """

    __slots__ = ("_length", "_period", "_since", "_tail")

    def __init__(self) -> None:
        self._tail = ""
        self._length = 0
        self._period = 0
        self._since = 0

    def feed(self, piece: str) -> int | None:
        """Take the next piece. Returns the length of the text before the repetition when the text repeats itself for too long."""
        self._tail = self._tail[-2 * PROBE :] + piece
        self._length += len(piece)
        if self._period and not self._goes_on(len(piece)):
            self._period = 0
        if not self._period:
            self._period = _period(self._tail[-PROBE:])
            if self._period:
                self._since = self._length - self._stretch()
        if self._period and _is_too_long(self._length - self._since, self._tail[-self._period :]):
            return self._since + self._period
        return None

    def _goes_on(self, count: int) -> bool:
        """Whether the newest characters are those of the period before."""
        tail, period = self._tail, self._period
        return tail[-count:] == tail[-count - period : -period] if count else True

    def _stretch(self) -> int:
        """The number of characters at the end with this period."""
        tail, period = self._tail, self._period
        place = len(tail) - PROBE
        while place and tail[place - 1] == tail[place - 1 + period]:
            place -= 1
        return len(tail) - place


def _period(probe: str) -> int:
    """The shortest distance at which the text equals itself. 0: there is none, or too little text."""
    if len(probe) < PROBE:
        return 0
    period = probe.find(probe[: PROBE - LONGEST_PERIOD], 1)
    return period if period > 0 and probe[period:] == probe[:-period] else 0


def _is_too_long(stretch: int, unit: str) -> bool:
    """Whether it is longer than a dozen paragraphs, some hundred lines, or 24,000 characters of few different ones."""
    times, signs = stretch // len(unit), len(set(unit))
    if signs >= RICH and len(unit) >= PARAGRAPH:
        return times >= 12 and stretch >= 6_000
    return stretch >= 24_000 or (signs >= PLAIN and times >= 256 and stretch >= 8_000)
