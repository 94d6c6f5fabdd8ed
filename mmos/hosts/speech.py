"""Describes how one kind of server reports errors, and our messages for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mmos.diagnosis.knowledge import steps
from mmos.errors import HostError

SAME_REQUEST = steps("BAD_REQUEST")
REPEATED = (
    "{model} on {host} wrote the same text over and over, and was stopped.",
    steps("REPEATED_TEXT"),
)
"""The message and the next step for a model that repeats itself, whether MMOS or the host stopped it."""

Words = tuple[type[HostError], str, str]
"""The class of the error, its message, and the next step."""


@dataclass(frozen=True)
class Rule:
    """A pattern in an error text, the error that it means, and our message."""

    pattern: str
    kind: type[HostError]
    message: str
    next_step: str = ""
    statuses: range = range(200, 600)


@dataclass(frozen=True)
class Speech:
    """The errors of one kind of server. MMOS fills in the names in braces."""

    kind: str
    """Completes the sentence "it does not speak as … does"."""
    rules: tuple[Rule, ...]
    """The first rule that fits counts."""
    statuses: Mapping[int, Words]
    """The meaning of a status when no rule fits."""
    window_numbers: tuple[str, ...]
    """Patterns that find the tokens of the prompt (`prompt`) and of the window (`window`)."""
    silent_here: str
    """Next step when nothing listens on this machine."""
    silent_there: str
    """Next step when nothing listens on another machine."""
    away: str
    """Next step when the machine cannot be reached."""
    credentials: str = "Check the headers or the key that the configuration gives for it."
    """Next step when the server needs credentials."""
    forms: tuple[str, ...] = ("json",)
    """Parts of the content types of its responses."""
    greets: bool = False
    """Whether it sends headers before it has a response. Then they do not count as the first byte."""

    keep_seconds: float = 60.0
    """Seconds that MMOS keeps an idle connection. The server keeps it longer."""

    def is_spoken(self, content_type: str | None) -> bool:
        return content_type is None or any(form in content_type for form in self.forms)
