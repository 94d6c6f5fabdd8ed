"""Defines what a choice is about: a task, and the roles and models that could work on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from mmos.choice_events import key_of


@dataclass(frozen=True)
class Task:
    """What of a task counts for the choice."""

    type: str | None = None
    """Its class. None: not sure."""
    complexity: int = 5
    """From 1 to 10."""
    tokens: int = 0
    """Of its text and its files."""
    requires_speed: bool = False
    needs_tools: bool = False
    needs_vision: bool = False
    has_images: bool = False

    @property
    def kind(self) -> str:
        """What is learned about classes is kept under this name."""
        return self.type or ""


@dataclass(frozen=True)
class Candidate:
    """A role, or a model without a role, and what is known of its model. None: not known."""

    name: str
    """Of the role, or the key or the name of the model."""
    model: str
    role: str = ""
    """Empty: the model answers without a role."""
    capabilities: frozenset[str] = field(default_factory=frozenset)
    window: int | None = None
    """Tokens that it sees at once."""
    parameters: float | None = None
    """In billions."""
    reads: float | None = None
    """Tokens of a prompt in a second."""
    writes: float | None = None
    """Tokens of an answer in a second."""
    calls: float | None = None
    """The share of right tool calls in its fitness test."""
    wait: float | None = None
    """Seconds until a host would begin with it, with the load of the model."""
    loaded: bool = False
    usual: bool = False
    """Whether it answers when nothing is chosen."""
    fault: str = ""
    """Why no host can serve it. Empty: one can, as far as is known."""

    @property
    def key(self) -> str:
        """What is learned about it is kept under this name. The same role with another model is another candidate."""
        return key_of(self.role, self.model)
