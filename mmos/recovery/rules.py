"""Says what rules can do about an exchange that fails, after all that the fleet, the ladder and the loop have tried by themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mmos.participant.cast import Member
from mmos.recovery.suggestions import Suggestion
from mmos.views.conversation import Lane
from mmos.views.recoveries import OTHER_MODEL

SHORTEN, RESTATE = "shorten_results", "restate_answer"
LONG = 2_000
"""A tool result with more characters becomes a digest when the prompt does not fit."""

Rule = Callable[[Member, Lane], Sequence[Suggestion]]


def long_results(lane: Lane) -> list[str]:
    """The calls whose results are long."""
    return [message.call_id for message in lane.messages if message.role == "tool" and len(message.content) > LONG]


def _shorten(_member: Member, lane: Lane) -> list[Suggestion]:
    calls = long_results(lane)
    return [Suggestion(SHORTEN, {"calls": calls}, "rules")] if calls else []


def _other_model(member: Member, _lane: Lane) -> list[Suggestion]:
    return [Suggestion(OTHER_MODEL, {"model": role.model}, "rules") for role in member.others]


def _larger_window(member: Member, _lane: Lane) -> list[Suggestion]:
    larger = [role for role in member.others if role.window > member.role.window]
    return [Suggestion(OTHER_MODEL, {"model": role.model}, "rules") for role in larger]


def _restate(_member: Member, lane: Lane) -> list[Suggestion]:
    return [Suggestion(RESTATE, {}, "rules")] if lane.newest_text() else []


RULES: Mapping[str, tuple[Rule, ...]] = {
    "window": (_shorten, _larger_window),
    "empty": (_other_model,),
    "schema": (_other_model, _restate),
    "loop": (_other_model,),
    "refusal": (_other_model,),
}
"""What is tried for each class, in this order. For the classes that are missing, the fleet has tried other hosts and other models already."""


def by_rules(failure: str, member: Member, lane: Lane) -> list[Suggestion]:
    """The cures of the rules, in the order in which they are tried."""
    return [suggestion for rule in RULES.get(failure, ()) for suggestion in rule(member, lane)]
