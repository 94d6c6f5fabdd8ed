"""Estimates how many tokens a text has from its kinds of characters, and corrects the estimate by what hosts count."""

from __future__ import annotations

import string
from dataclasses import dataclass, field

import orjson

from mmos.messages import Message
from mmos.names import canonical

_LETTERS = (string.ascii_letters + " ").encode()
_DIGITS = string.digits.encode()
_ASCII = bytes(range(128))

# Tokens per byte of each kind, measured with the usual vocabularies of 32 to 256 thousand tokens. Letters are cheap. Digits and
# punctuation take nearly one token each. Other scripts take about one token for two to three bytes.
_PER_LETTER, _PER_DIGIT, _PER_SIGN, _PER_OTHER = 0.26, 0.75, 0.7, 0.42
_PER_MESSAGE = 5.0
_PER_FILE = 12.0
"""Tokens of the text around a file. An image is not counted here, because its tokens depend on the model."""

SMOOTHING = 0.3
MISCOUNT = 16.0
"""The largest factor that MMOS takes over from a host's refusal. A larger one would make the prompts for other hosts seem too long."""
MARGIN = 1.1
"""MMOS plans for a prompt this many times as long as estimated."""


def estimate(text: str) -> float:
    """The tokens of a text, without knowledge of the model."""
    raw = text.encode("utf-8", "surrogatepass")
    letters = len(raw) - len(raw.translate(None, _LETTERS))
    digits = len(raw) - len(raw.translate(None, _DIGITS))
    other = len(raw.translate(None, _ASCII))
    return letters * _PER_LETTER + digits * _PER_DIGIT + other * _PER_OTHER + (len(raw) - letters - digits - other) * _PER_SIGN


def weigh(message: Message) -> float:
    """The estimate for one message. The message keeps it."""
    return message.form("weight", _weigh)


def _weigh(message: Message) -> float:
    calls = sum(estimate(call.name) + estimate(orjson.dumps(call.arguments).decode()) + _PER_MESSAGE for call in message.calls)
    files = sum(estimate(file.name) + estimate(file.text) + _PER_FILE for file in message.files)
    return estimate(message.content) + calls + files + _PER_MESSAGE


CHANGE = 0.05
"""A factor changes by at least this share. Smaller changes are not worth an event, and every change is one."""


@dataclass
class Gauge:
    """The factor for the estimates of each model. It changes only by events, so a restart does not change it."""

    factors: dict[str, float] = field(default_factory=dict)
    """By the canonical name of the model."""
    _means: dict[str, float] = field(default_factory=dict)
    """For each model, the smoothed mean of the factors that its hosts counted."""

    def tokens(self, model: str, weight: float) -> int:
        return int(weight * self.factors.get(canonical(model), 1.0)) + 1

    def learn(self, model: str, weight: float, count: int) -> float | None:
        """The new factor, if a host's count of a prompt changes it. The count of a short prompt shows nothing: most of it is the model's template."""
        if weight < 50 or count <= 0:
            return None
        name, factor = canonical(model), min(4.0, max(0.25, count / weight))
        mean = self._means.get(name, self.factors.get(name))
        self._means[name] = mean = factor if mean is None else mean + SMOOTHING * (factor - mean)
        valid = self.factors.get(name, 1.0)
        return round(mean, 4) if abs(mean - valid) > CHANGE * valid else None

    def corrected(self, model: str, weight: float, count: int) -> float:
        """The factor that follows from the count of a host that refused a prompt as too long, up to `MISCOUNT`."""
        return max(self.factors.get(canonical(model), 1.0), min(MISCOUNT, count / max(weight, 1.0)))
