"""Says which capabilities a task needs, and which the name and the description of a role promise."""

from __future__ import annotations

from collections.abc import Mapping

from mmos.selection.candidate import Task

WANTED: Mapping[str, tuple[str, ...]] = {
    "code_generation": ("CODE_SPECIALIZED", "HIGH_QUALITY"),
    "bug_fixing": ("CODE_SPECIALIZED", "REASONING"),
    "refactoring": ("CODE_SPECIALIZED", "HIGH_QUALITY"),
    "documentation": ("HIGH_QUALITY", "CODE_SPECIALIZED"),
    "code_analysis": ("CODE_SPECIALIZED", "REASONING"),
    "security_review": ("SECURITY_FOCUSED", "CODE_SPECIALIZED", "REASONING"),
    "simple_query": ("FAST_INFERENCE",),
}
"""What a model for each class of tasks should be good at, the most important first."""

HARD = 7
"""From this complexity on, a task also needs a model that reasons."""
LONG = 16_000
"""Tokens. From here on, a task also needs a large window."""

PROMISES: Mapping[str, str] = {
    "code": "CODE_SPECIALIZED", "coding": "CODE_SPECIALIZED", "coder": "CODE_SPECIALIZED", "program": "CODE_SPECIALIZED",
    "develop": "CODE_SPECIALIZED", "reason": "REASONING", "planning": "REASONING", "proving": "REASONING", "math": "REASONING",
    "secur": "SECURITY_FOCUSED", "vulnerab": "SECURITY_FOCUSED", "quick": "FAST_INFERENCE", "fast": "FAST_INFERENCE",
    "writer": "HIGH_QUALITY", "writing texts": "HIGH_QUALITY", "document": "HIGH_QUALITY",
}  # fmt: skip
"""Words in the name or the description of a role, and what they promise."""


def wanted(task: Task) -> tuple[str, ...]:
    """The capabilities that a task needs, the most important first."""
    needs = [
        *(["VISION"] if task.needs_vision else []),
        *(["TOOL_CALLING"] if task.needs_tools else []),
        *(["FAST_INFERENCE"] if task.requires_speed else []),
        *WANTED.get(task.kind, ()),
        *(["REASONING", "HIGH_QUALITY"] if task.complexity >= HARD else []),
        *(["LARGE_CONTEXT"] if task.tokens >= LONG else []),
    ]
    return tuple(dict.fromkeys(needs))


def match(capabilities: frozenset[str], needs: tuple[str, ...]) -> float:
    """The share of the needs that are met. Each need counts half as much as the one before it."""
    weights = [0.5**place for place in range(len(needs))]
    met = sum(weight for weight, need in zip(weights, needs, strict=True) if need in capabilities)
    return met / sum(weights) if weights else 0.0


def promised(name: str, description: str) -> frozenset[str]:
    """What a role is there for, by its name and its description."""
    text = f"{name.replace('_', ' ')} {description}".lower()
    return frozenset(capability for word, capability in PROMISES.items() if word in text)
