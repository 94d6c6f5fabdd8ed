"""Says who works on the task of a run, and why: for the result document and in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mmos.choice_events import TaskRouted
from mmos.views.rules import RulesMet


def route(event: TaskRouted | None, rules: RulesMet | None = None) -> dict[str, Any] | None:
    """What the result document says of the choice, and of the rules that became true in the run."""
    if event is None and not (rules and rules.met):
        return None
    event, held = event or TaskRouted(None), rules.documents() if rules else []
    return {
        "type": event.type, "complexity": event.complexity,
        "rules": [*dict.fromkeys([*met(event), *(one["condition"] for one in held)])], "choice": event.choice or None, "why": list(event.why),
        "confidence": event.confidence, "strategy": event.strategy or None, "by": event.by, "acted": event.acted,
        "candidates": [dict(one) for one in mappings(event.candidates)], "propensity": event.propensity,
        "met": held,
    }  # fmt: skip


def mappings(values: Iterable[object]) -> Iterator[Mapping[str, Any]]:
    """Those that have fields. The journal of a stranger may have others."""
    return (value for value in values if isinstance(value, Mapping))


def met(event: TaskRouted) -> list[str]:
    """The condition of the rule that the task meets, if it meets one."""
    return [str(rule.get("condition", "")) for rule in mappings(event.rules) if rule.get("holds")]


def in_words(event: TaskRouted) -> str:
    """One line: the kind of the task, and who works on it."""
    kind = f"{event.type or 'a task of no clear class'}, complexity {event.complexity}"
    return f"{kind}: {_told(event)}" + (f" ({'; '.join(event.why)})" if event.why else "")


def _told(event: TaskRouted) -> str:
    if not event.choice:
        return "the arbiter as usual"
    if not event.acted and event.by not in ("user", "none"):
        return f"the advice to use {event.choice}"
    how = {"rules": "by rule", "score": "by score", "learning": "by outcomes", "user": "as you said", "none": ""}.get(event.by, event.by)
    return f"{event.choice} {how}".strip()


def candidates(event: TaskRouted) -> list[str]:
    """One line for each candidate: its score, its terms, and why it could not be chosen."""
    return [_candidate(one) for one in mappings(event.candidates)]


def _candidate(one: Mapping[str, Any]) -> str:
    terms = one.get("terms")
    parts = [f"score {one.get('score')}"]
    parts += [f"{name} {terms.get(name)}" for name in ("quality", "speed", "fit", "cost")] if isinstance(terms, Mapping) else []
    parts += [f"{one['expected']:.0%} good expected after {one.get('outcomes')} outcomes"] if isinstance(one.get("expected"), float) else []
    out = f"; out: {one['out']}" if one.get("out") else ""
    return f"{one.get('name')} ({one.get('model')}): {', '.join(parts)}{out}"
