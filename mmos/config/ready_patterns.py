"""Makes the patterns that every configuration has: classic sequences, of the roles that there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmos.config.patterns_schema import Pattern
    from mmos.config.schema import Orchestration

READY: Mapping[str, tuple[str, str]] = {
    "analysis_generation": ("analyze", "generate"),
    "generation_validation": ("generate", "validate"),
    "planning_implementation": ("plan", "implement"),
    "review_refinement": ("review", "refine"),
}
"""The sequences, with the tasks of their steps."""
BEST_FOR: Mapping[str, tuple[str, ...]] = {
    "analyze": ("analysis", "reasoning"), "plan": ("reasoning", "analysis"), "generate": ("coding", "reasoning"), "implement": ("coding",),
    "validate": ("reasoning", "analysis"), "review": ("reasoning", "analysis"), "refine": ("coding", "reasoning"),
}  # fmt: skip
"""The roles that do a task best, where there are such."""
NOT_CONSULTED = frozenset({"interpreter", "synthesizer"})
"""Roles that MMOS asks by itself, so the arbiter has no tool for them."""


def pattern_of(orchestration: Orchestration, name: str) -> Pattern | None:
    """The pattern of the configuration with this name, or the ready one. None: there is none."""
    found = orchestration.patterns.get(name)
    if found is not None or name not in READY:
        return found
    return ready(name, [role for role in orchestration.specialists if role not in NOT_CONSULTED])


def ready(name: str, roles: Sequence[str]) -> Pattern:
    """A ready sequence. `roles`: those that may be consulted."""
    from mmos.config.patterns_schema import Pattern  # checks and completion need only the names

    members = [{"role": role, "task": task} for role, task in zip(members_of(name, roles), READY[name], strict=True)]
    return Pattern.model_validate({"pattern": "sequential", "models": members})


def members_of(name: str, roles: Sequence[str]) -> list[str]:
    """The roles that take part in a ready sequence."""
    used: list[str] = []
    for task in READY[name]:
        used.append(_role_for(task, list(roles) or ["arbiter"], used))
    return used


def _role_for(task: str, able: Sequence[str], used: Collection[str]) -> str:
    """The best role for a task, which is another than those before it where that is possible."""
    best = [name for name in BEST_FOR[task] if name in able]
    return next((name for name in (*best, *able) if name not in used), (best or able)[0])
