"""Keeps which rules about the run have become true, and what they bind the role that answers to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmos.choice_events import RuleMet, RulesChanged

LONGEST = 80
"""Characters of a value that a reader sees."""


@dataclass
class RulesMet:
    """The rules of one run."""

    met: list[RuleMet] = field(default_factory=list)
    holding: tuple[int, ...] = ()
    """The numbers of the rules that were true when they were last tried."""

    def apply(self, event: RuleMet | RulesChanged) -> None:
        self.holding = event.holding
        if isinstance(event, RuleMet):
            self.met.append(event)

    def told(self, lane: str, turn: int) -> RuleMet | None:
        """The rule that a role reads of in the turn after so many turns."""
        newest = self.met[-1] if self.met else None
        return newest if newest is not None and (newest.lane, newest.turn) == (lane, turn) else None

    def acted(self, name: str) -> RuleMet | None:
        """The newest rule that MMOS acts on in this way."""
        return next((one for one in reversed(self.met) if one.acted and name in one.advice), None)

    @property
    def moved(self) -> RuleMet | None:
        """The newest rule that changed the model."""
        return next((one for one in reversed(self.met) if one.model), None)

    def documents(self) -> list[dict[str, Any]]:
        return [
            {
                "number": one.number, "condition": one.condition, "facts": dict(one.facts), "turn": one.turn + 1, "acted": one.acted,
                "what": what(one), "fault": one.fault or None,
            }
            for one in self.met
        ]  # fmt: skip


def what(event: RuleMet) -> str:
    """What a rule does, in a few words."""
    parts = [_done(str(name), value) for name, value in event.advice.items()]
    return ", ".join([*parts, *([f"goes on with {event.model}"] if event.model else [])])


def _done(name: str, value: object) -> str:
    match name:
        case "must":
            return f"must consult {value}"
        case "specialist" | "prefer":
            return f"should consult {' or '.join(map(str, value)) if isinstance(value, list | tuple) else value}"
        case "use":
            return f"must use the pattern {value}"
        case "pattern":
            return f"should use the pattern {value}"
        case "strategy":
            return "answers now"
    return f"{name} {value}"


def in_words(event: RuleMet) -> str:
    """One line: which rule is true, why, and what follows."""
    follows = f"MMOS cannot do what it says: {event.fault}" if event.fault else f"{'' if event.acted else 'advice: '}{what(event)}"
    return f"rule {event.number} is true: {event.condition} ({facts_in_words(event.facts)}): {follows}"


def facts_in_words(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} is {_value(value)}" for name, value in facts.items())


def _value(value: object) -> str:
    match value:
        case None:
            text = "not known"
        case bool():
            text = str(value).lower()
        case list() | tuple():
            text = ", ".join(map(str, value)) or "empty"
        case _:
            text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
