"""Defines the events about prompts that no longer fit a window: what became shorter in them, and what became a summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mmos.event import Event

COMPACT = "compact"
"""The address below which a model summarises because the user asked for it. No run has a lane of this name, and these events have no run that began."""

SUMMARY = "summary"
"""The role name of who summarises, and the id of the call that asks for it. No model makes a call with this id."""

Cut = Literal["reasoning", "results"]


@dataclass(frozen=True)
class MessagesShortened(Event):
    """Older messages became shorter in the prompts of a participant, because its prompt did not fit the window."""

    kind = "messages_shortened"
    lane: str
    role: str = ""
    what: Cut = "results"
    """What was cut: the reasoning of specialists in their answers, or long results of tools. The journal has the whole."""
    past: Mapping[str, Any] = field(default_factory=dict)
    """The new texts of messages of ended exchanges, by their places."""
    current: Mapping[str, Any] = field(default_factory=dict)
    """The new texts of messages of the exchange in progress, by their places."""
    before: int = 0
    """The estimated tokens of the prompt."""
    after: int = 0


@dataclass(frozen=True)
class HistorySummarised(Event):
    """The oldest exchanges that a participant remembers became a text in its prompts: a summary, and what the user said."""

    kind = "history_summarised"
    lane: str
    """Where it happened. Empty: nowhere, the user asked for it."""
    role: str = ""
    memory: str = "thread"
    exchanges: int = 0
    """How many of the oldest exchanges it stands for."""
    text: str = ""
    """What stands in their place in each later prompt."""
    artifact: str = ""
    """The reference to the exchanges, whole."""
    by: str = ""
    """The role or the model that summarised."""
    shortened: int = 0
    """How many messages of the user are not in the text word for word."""
    before: int = 0
    """The estimated tokens of the prompt."""
    after: int = 0
