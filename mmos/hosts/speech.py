"""How one kind of server reports errors, and the messages that people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mmos.errors import HostError

SAME_REQUEST = "Another try of the same request will not help: check the options, `format` and `think` of the role."
LOG = "The log of the host has more."
LESS = "Ask about less at a time, or begin a new conversation: `--thread NAME`, in chat `/thread new`."
REPEATED = (
    "{model} on {host} wrote the same text over and over, and was stopped.",
    "Ask in other words, or try a higher `temperature` or `repeat_penalty`, or another model.",
)
"""The message and the next step for a model that repeats itself, whoever stopped it."""

Words = tuple[type[HostError], str, str]
"""What it is, our sentence, and the next step."""


@dataclass(frozen=True)
class Rule:
    """A text that hosts say, what it means, and our words for it."""

    pattern: str
    kind: type[HostError]
    message: str
    next_step: str = ""
    statuses: range = range(200, 600)


@dataclass(frozen=True)
class Speech:
    """One kind of server; in all words, names in braces are filled in."""

    kind: str
    """Completes the sentence: it does not speak as … does."""
    rules: tuple[Rule, ...]
    """The first that fits wins."""
    statuses: Mapping[int, Words]
    """What a status means where no text says more."""
    window_numbers: tuple[str, ...]
    """Where a text tells how many tokens (`prompt`) were to go into how many (`window`)."""
    silent_here: str
    """Next step when nothing listens on this machine."""
    silent_there: str
    """Next step when nothing listens on another."""
    away: str
    """Next step when the machine is not reached."""
    credentials: str = "Check the headers or the key that the configuration gives for it."
    """Next step when the server asks who we are."""
    forms: tuple[str, ...] = ("json",)
    """What is in the content types of its answers."""
    greets: bool = False
    """Its headers come before it has anything to say: they are no first byte of an answer."""

    keep_seconds: float = 60.0
    """How long an idle connection is kept: less long than the server does."""

    def is_spoken(self, content_type: str | None) -> bool:
        return content_type is None or any(form in content_type for form in self.forms)
