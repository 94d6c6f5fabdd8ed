"""Defines what a participant remembers: its ended exchanges, and what stands in a prompt for the oldest of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from mmos.events import ModelAsked
from mmos.messages import Message
from mmos.window_events import HistorySummarised


class Counted(NamedTuple):
    """A prompt, and how many tokens its host counted."""

    asked: ModelAsked
    past: int
    """The number of ended exchanges when its exchange began."""
    messages: list[Message]
    """The messages of its exchange."""
    tokens: int


@dataclass(eq=False)
class History:
    """The ended exchanges that a participant remembers as one list of messages, with the start of each exchange."""

    messages: list[Message] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    """The run of each exchange."""
    skipped: int = 0
    """How many of the oldest exchanges no longer fit into the window."""
    counted: Counted | None = None
    """The newest prompt that a host has counted."""
    summary: Message | None = None
    """What stands in the prompt for the oldest exchanges."""
    summarised: int = 0
    """How many exchanges the summary stands for."""
    artifacts: list[str] = field(default_factory=list)
    """The references to these exchanges, whole."""
    refers: bool = False
    """Whether its prompts have references to texts that became shorter."""

    def extend(self, exchange: Iterable[Message], run: str) -> None:
        self.starts.append(len(self.messages))
        self.runs.append(run)
        self.messages.extend(exchange)

    def take_back(self) -> None:
        """Remove the newest exchange."""
        del self.messages[self.starts.pop() :]
        self.counted = None
        self.runs.pop()
        self.skipped = min(self.skipped, len(self.starts))
        if len(self.starts) < self.summarised:
            self.summary, self.summarised, self.skipped, self.artifacts = None, 0, 0, []

    def summarise(self, event: HistorySummarised) -> None:
        self.artifacts = [*self.artifacts, *filter(None, [event.artifact])]
        self.summary, self.summarised = Message("user", event.text), min(event.exchanges, len(self.starts))
        self.skipped, self.counted, self.refers = max(self.skipped, self.summarised), None, True

    def place(self, exchange: int) -> int:
        """Where an exchange begins in `messages`; the end of the list for a future exchange."""
        return self.starts[exchange] if exchange < len(self.starts) else len(self.messages)


def with_texts(messages: list[Message], texts: Mapping[str, Any]) -> list[Message]:
    """The messages, some of them with other texts. It is another list only if one of them is."""
    changed = ((message, texts.get(str(place))) for place, message in enumerate(messages)) if texts else ()
    return [replace(message, content=text) if isinstance(text, str) else message for message, text in changed] or messages
