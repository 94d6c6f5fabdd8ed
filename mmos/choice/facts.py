"""Turns a classification into the `task.*` facts of routing rules, and finds the first rule that holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmos.choice.classifier import Classification
from mmos.config.rules import Facts, Rule, compile_rule


def facts_of(text: str, found: Classification) -> Facts:
    """The facts about a task that are known before it runs. A class that is only a guess is none."""
    needs = {"tools": found.needs_tools, "vision": found.needs_vision, "long_context": found.needs_long_context}
    return {
        "task": {
            "type": found.type if found.sure else None,
            "complexity": found.complexity,
            "requires_speed": found.requires_speed,
            "context_tokens": found.context_tokens,
            "languages": list(found.languages),
            "needs_tools": found.needs_tools,
            "needs_vision": found.needs_vision,
            "needs": [name for name, needed in needs.items() if needed],
            "text": text,
            "text_length": len(text),
            "confidence": found.confidence,
        }
    }


@dataclass(frozen=True)
class Tried:
    """A rule that was tried on a task."""

    number: int
    """Its place in the configuration, from 1."""
    condition: str
    specialist: str
    holds: bool
    facts: Mapping[str, Any]
    """What it compares, with the values. None: not known."""


@dataclass(frozen=True)
class Rules:
    """The routing rules of a configuration, compiled once."""

    rules: Sequence[tuple[Rule, str]]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Rules:
        """From conditions and their specialists."""
        return cls([(compile_rule(condition), specialist) for condition, specialist in pairs])

    def tried(self, facts: Facts) -> list[Tried]:
        """All rules up to the first that holds: the ones after it do not count."""
        found: list[Tried] = []
        for number, (rule, specialist) in enumerate(self.rules, 1):
            values = {name: _value(facts, name) for name in sorted(rule.names)}
            found.append(Tried(number, rule.text, specialist, rule.evaluate(facts), values))
            if found[-1].holds:
                break
        return found


def _value(facts: Facts, name: str) -> Any:
    subject, _, attribute = name.partition(".")
    return facts.get(subject, {}).get(attribute)
