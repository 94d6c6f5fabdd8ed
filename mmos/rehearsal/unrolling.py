"""Splits the pieces of a turn into tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, repeat

import orjson

from mmos.rehearsal.parsing import Bit, Reading, read
from mmos.rehearsal.pieces import BadByte, Call, Cut, Fail, Finish, Loop, Piece, Raw, Say, Stall, Think
from mmos.rehearsal.profiles import Profile
from mmos.rehearsal.tokens import count, split

NO_NATIVE_TEXT = "llama-server chat error: map[code:500 message:The model produced output that does not match the expected peg-native format type:server_error]"


def unroll(pieces: Sequence[Piece], stops: Sequence[str], reading: Reading, rules: Profile) -> Iterator[Bit]:
    late = next((piece for piece in pieces if isinstance(piece, Stall) and piece.after), None)
    if late is None:
        return _unrolled(pieces, stops, reading, rules)
    return _stalled(_unrolled([piece for piece in pieces if piece is not late], stops, reading, rules), late)


def _stalled(bits: Iterator[Bit], stall: Stall) -> Iterator[Bit]:
    tokens = 0
    for bit in bits:
        if tokens >= stall.after:
            break
        tokens += bit.cost
        yield bit
    else:
        yield Bit("stall", stall.seconds, 0)
        return
    yield Bit("stall", stall.seconds, 0)
    yield bit
    yield from bits


def _unrolled(pieces: Sequence[Piece], stops: Sequence[str], reading: Reading, rules: Profile) -> Iterator[Bit]:
    lost = False
    for place, piece in enumerate(pieces):
        if isinstance(piece, Say | Loop | Raw):
            for text in repeat(piece.text) if isinstance(piece, Loop) and piece.text else (piece.text,):
                before = _before(text, stops)
                bits = read(before, reading) if isinstance(piece, Raw) else (Bit("text", token) for token in split(before))
                yield from islice(bits, int(lost), None)
                lost = False
                if before != text:
                    return
        elif isinstance(piece, Think) and reading.thinks:
            yield from (Bit("think", token) for token in split(piece.text))
        elif isinstance(piece, BadByte):
            more = any(isinstance(other, Say | Loop | Raw) for other in pieces[place + 1 :])
            lost = more and rules.bad_byte == "dropped"  # and the token after it with it
            yield _bad_byte(reading, rules) if more else Bit("silence", "")
        else:
            yield from _other(piece)


def _other(piece: Piece) -> Iterator[Bit]:
    if isinstance(piece, Call):
        yield Bit("call", piece, 8 + count(orjson.dumps(piece.arguments).decode()))
    elif isinstance(piece, Finish):
        yield Bit("finish", piece.reason, 0)
    elif isinstance(piece, Fail):
        yield Bit("fail", piece.text, 0)
    elif isinstance(piece, Cut):
        yield Bit("cut", "", 0)
    elif isinstance(piece, Stall):
        yield Bit("stall", piece.seconds, 0)


def _bad_byte(reading: Reading, rules: Profile) -> Bit:
    if rules.bad_byte == "replaced":
        return Bit("text", "\ufffd")
    if rules.bad_byte == "dropped":
        return Bit("silence", "")
    return Bit("fail", NO_NATIVE_TEXT, 0) if reading.model.path == "native" else Bit("end", "", 0)


def _before(text: str, stops: Sequence[str]) -> str:
    """The text before its first stop sequence."""
    for stop in stops:
        if stop:
            text = text.partition(stop)[0]
    return text


class Repeats:
    """Counts equal tokens in a row. A limit of 0 never stops the answer."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._last = ""
        self._times = 0

    def too_many(self, token: str) -> bool:
        token = token.strip()
        self._times = self._times + 1 if token == self._last else 0
        self._last = token
        return 0 < self._most < self._times
