"""Counts what a text consists of, and estimates from these counts how many tokens it has."""

from __future__ import annotations

import string
from operator import mul

import orjson

from mmos.messages import Message

Counts = tuple[float, ...]
"""How many of each of `PARTS` a text has."""

PARTS = ("letters", "digits", "signs", "other", "lines", "words", "messages")
"""What texts consist of. A space counts as a letter. Other: the bytes of other scripts."""

_LETTERS = (string.ascii_letters + " ").encode()
_DIGITS = string.digits.encode()
_LINES = b"\n\r\t"
_ASCII = bytes(range(128))

# Tokens for each, measured with the usual vocabularies of 32 to 256 thousand tokens. Letters are cheap. Digits and punctuation take
# nearly one token each. Other scripts take about one token for two to three bytes.
_PER_LETTER, _PER_DIGIT, _PER_SIGN, _PER_OTHER = 0.26, 0.75, 0.7, 0.42
_PER_MESSAGE = 5.0
USUAL: Counts = (_PER_LETTER, _PER_DIGIT, _PER_SIGN, _PER_OTHER, _PER_SIGN, 0.0, _PER_MESSAGE)
"""The tokens for one of each, without knowledge of the model."""

NOTHING: Counts = (0.0,) * len(USUAL)
_OF_MESSAGE: Counts = (*NOTHING[:-1], 1.0)
_OF_FILE: Counts = (*NOTHING[:-1], 2.4)
"""The text around a file. An image is not counted here, because its tokens depend on the model."""

LEAST = 0.1
"""The least tokens that a model can have for each token of the usual estimate."""

MARGIN = 1.1
"""MMOS plans for a prompt this many times as long as estimated."""


def estimate(text: str) -> float:
    """The tokens of a text, without knowledge of the model."""
    raw = text.encode("utf-8", "surrogatepass")
    letters = len(raw) - len(raw.translate(None, _LETTERS))
    digits = len(raw) - len(raw.translate(None, _DIGITS))
    other = len(raw.translate(None, _ASCII))
    return letters * _PER_LETTER + digits * _PER_DIGIT + other * _PER_OTHER + (len(raw) - letters - digits - other) * _PER_SIGN


def count(text: str) -> Counts:
    """What a text consists of."""
    raw = text.encode("utf-8", "surrogatepass")
    size = len(raw)
    letters = size - len(raw.translate(None, _LETTERS))
    digits = size - len(raw.translate(None, _DIGITS))
    other = len(raw.translate(None, _ASCII))
    lines = size - len(raw.translate(None, _LINES))
    return letters, digits, size - letters - digits - other - lines, other, lines, len(raw.split()), 0.0


def total(*parts: Counts) -> Counts:
    return tuple(map(sum, zip(*parts, strict=True)))


def tokens_of(rates: Counts, counts: Counts) -> float:
    """The tokens of a text for a model with these rates. Some rates may be below zero, but the tokens of a text are not."""
    tokens = float(sum(map(mul, rates, counts)))
    return tokens if rates is USUAL or tokens > 0.0 else LEAST * float(sum(map(mul, USUAL, counts)))


def count_message(message: Message) -> Counts:
    """What a message consists of. The message keeps it."""
    return message.form("counts", _count_message)


def _count_message(message: Message) -> Counts:
    parts = [count(message.content), _OF_MESSAGE]
    for call in message.calls:
        parts += [count(call.name), count(orjson.dumps(call.arguments).decode()), _OF_MESSAGE]
    for file in message.files:
        parts += [count(file.name), count(file.text), _OF_FILE]
    return total(*parts)


def weigh(message: Message) -> float:
    """The estimate for one message, without knowledge of the model. The message keeps it: each turn weighs the whole thread."""
    return message.form("weight", _weigh)


def _weigh(message: Message) -> float:
    return tokens_of(USUAL, count_message(message))
