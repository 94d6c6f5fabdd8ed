"""Defines the events about choices: what kind of task a run has, and who works on it. `mmos.events` has them, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mmos.event import Event
from mmos.names import canonical

ChosenBy = Literal["rules", "score", "learning", "user", "none"]
"""What chose. `user`: the options of the run name who answers. `none`: the arbiter answers as usual."""


@dataclass(frozen=True)
class TaskRouted(Event):
    """MMOS has classified the task of a run, and chosen who works on it."""

    kind = "task_routed"
    type: str | None
    """The class of the task. None: not sure."""
    complexity: int = 0
    confidence: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The facts about the task that rules read, without its text."""
    rules: tuple[Mapping[str, Any], ...] = ()
    """The rules that were tried, in order, each with its number, its condition, and whether it held."""
    strategy: str = ""
    """`single` or `intelligent`. Empty: the arbiter consults others as it likes."""
    candidates: tuple[Mapping[str, Any], ...] = ()
    """Who could have been chosen, each with its terms, and with what spoke against those that could not."""
    choice: str = ""
    """The role or the model that was chosen. Empty: none."""
    key: str = ""
    """Who answers, as outcomes are kept: the role and its model."""
    why: tuple[str, ...] = ()
    by: ChosenBy = "none"
    acted: bool = False
    """Whether MMOS acts on the choice. If not, it is advice."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options that the run has because of the choice."""
    advice: Mapping[str, Any] = field(default_factory=dict)
    """What the arbiter reads of the rule: what it suggests, by the key of the rule."""
    propensity: float = 1.0
    """How likely this choice was. Less than 1: chance was in it."""


@dataclass(frozen=True)
class RuleMet(Event):
    """A rule about the run has become true. The role that answers reads of it, or MMOS acts on it."""

    kind = "rule_met"
    number: int
    """Its place in the configuration, from 1."""
    condition: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What it compares, with the values of that moment, without the text of the task."""
    lane: str = ""
    turn: int = 0
    """How many turns the role had taken. The next one is told."""
    advice: Mapping[str, Any] = field(default_factory=dict)
    """What the rule suggests, or what binds the role: `must` (whom it must consult), `specialist`, `prefer`, `model`, `strategy`, `pattern`, or `use` (the pattern that it must use)."""
    acted: bool = False
    """Whether MMOS acts on it. If not, it is advice."""
    model: str = ""
    """The model with which the role goes on. Empty: its own."""
    servers: tuple[str, ...] = ()
    """Where that model is. Empty: where the role's own is."""
    calls: int = 0
    """How many calls the run had made. A consultation before that does not count."""
    fault: str = ""
    """Why MMOS cannot do what the rule says."""
    holding: tuple[int, ...] = ()
    """All rules that are true now."""


@dataclass(frozen=True)
class RulesChanged(Event):
    """Other rules about the run are true than before, and none of them is new."""

    kind = "rules_changed"
    holding: tuple[int, ...]


def key_of(role: str, model: str) -> str:
    """Who answers, as outcomes are kept. The same role with another model is somebody else."""
    return f"{role}={canonical(model)}"
