"""Defines what a configuration says about talks: who may take part, what holds for them, and who reviews."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mmos.context import Participant
from mmos.errors import HostError, NoAnswer, NotFound, SchemaUnmet, ToolError
from mmos.prompting.templates import Templates

FAULTS = (HostError, NoAnswer, SchemaUnmet, ToolError, NotFound)
"""Why a participant or the arbiter may give no answer. The talk goes on without it."""


@dataclass(frozen=True)
class Terms:
    """What holds for the talks of a run."""

    arbiter: Participant
    """Reviews and decides: the model of the arbiter, with a system text for this work."""
    participants: Mapping[str, str] = field(default_factory=dict)
    """The roles that may take part, with the purpose of each."""
    windows: Mapping[str, int] = field(default_factory=dict)
    """How many tokens each role sees."""
    most_models: int = 3
    most_turns: int = 12
    most_rounds: int = 1
    direct: bool = True
    """Whether participants may write to each other."""
    reviews_all: bool = True
    """Whether the arbiter reviews every message."""
    full_history: bool = False
    """Whether participants always read what was said in the user's thread before."""
    answer_chars: int = 4000
    """A longer text is kept as an artifact, and the arbiter reads a digest of it."""
    templates: Templates = field(default_factory=Templates)
    """The texts that the arbiter reads."""
    texts: Mapping[str, Templates] = field(default_factory=dict)
    """The texts that each participant reads."""
    records: bool = True
    """Whether the arbiter also says what was found. For a small model this is too much; then rules alone say it."""

    @property
    def most_participants(self) -> int:
        """How many may take part: each writes one message at least."""
        return min(self.most_models, self.most_turns)

    def texts_for(self, name: str) -> Templates:
        return self.texts.get(name, self.templates)
