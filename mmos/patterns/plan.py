"""Defines the plan of a pattern: who takes part, in which form, and within which limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mmos.config.patterns_schema import USUAL_AGGREGATION
from mmos.context import Context, Participant
from mmos.patterns.insight import Insight, NoInsight
from mmos.prompting.templates import Templates

if TYPE_CHECKING:  # most patterns choose nobody
    from mmos.choice.classifier import Classification


@dataclass(frozen=True)
class Contributor:
    """A member of a pattern."""

    name: str
    """Its name in the plan: that of its model or role, with -2, -3 and so on where that one is taken."""
    who: str | Participant
    """A role of the cast, or a participant made for this pattern. Its model may be `pattern:NAME`."""
    model: str = ""
    """The model that answers for it, as far as the plan knows."""
    task: str = ""
    """A named task, or an instruction."""
    prompt: str = ""
    """What it reads in place of the usual text."""
    weight: float = 1.0
    window: int = 0
    """The tokens that its model sees at once. 0: not known."""


class Guide(Protocol):
    """What a configuration knows of tasks and models, for a pattern that chooses its members."""

    def classify(self, text: str) -> Classification: ...
    def named(self, text: str, found: Classification) -> tuple[tuple[str, ...], str]:
        """The roles or models that a rule names for this task, and the rule."""
        ...

    def capabilities(self, model: str) -> frozenset[str]: ...


class LookUp(Protocol):
    """Looks a task up in the library, and records what was found for the members of a pattern."""

    async def __call__(self, context: Context, pattern: str, task: str) -> object: ...


@dataclass(frozen=True)
class Plan:
    """A pattern as it is carried out, whatever it was made from."""

    name: str
    shape: str
    members: tuple[Contributor, ...]
    aggregate: str = "synthesize"
    aggregation_prompt: str = USUAL_AGGREGATION
    aggregator: Contributor | None = None
    """Who writes or chooses the answer. None: the first member."""
    voting: str = "auto"
    samples: int = 1
    min_members: int = 1
    deadline: float | None = None
    """Seconds after which the answers that there are must be enough."""
    max_steps: int | None = None
    validate: bool = False
    threshold: float = 0.8
    advise: bool = False
    ad_hoc: bool = False
    description: str = ""
    form: Callable[[], Any] | None = field(default=None, repr=False, compare=False)
    """Makes a form that is not one of MMOS."""
    guide: Guide | None = field(default=None, repr=False, compare=False)
    """Who knows what tasks are for whom. Only the specialized form asks."""
    templates: Templates = field(default_factory=Templates, repr=False, compare=False)
    insight: Insight = field(default_factory=NoInsight, repr=False, compare=False)
    """What is known of models, for votes."""
    look_up: LookUp | None = field(default=None, repr=False, compare=False)
    """Gives the members passages of the library. None: they get none."""

    @property
    def deciding(self) -> Contributor:
        """Who writes or chooses the answer."""
        return self.aggregator or self.members[0]

    @property
    def joins(self) -> bool:
        """Whether a model puts the answers of members together that work side by side."""
        return self.shape == "parallel" or (self.shape == "ensemble" and not self.counts_votes)

    @property
    def counts_votes(self) -> bool:
        return self.shape == "voting" or (self.shape == "ensemble" and self.aggregate in ("vote", "consensus"))
