"""Binds a turn to what rules say: with which model the role goes on, whom it must consult now, or that it must answer now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mmos.calls.tool_choice import ANSWER_ONLY, ToolChoice
from mmos.participant.cast import Member
from mmos.scope import Scope

FOR_ALL = "consult_specialist"
"""The tool of an arbiter that has one tool for all specialists. The tail names the specialist."""
RUN_PATTERN = "run_pattern"
Move = Callable[[Member, str, tuple[str, ...]], Member]
"""Gives a member another model."""


def member_now(scope: Scope, member: Member, move: Move) -> Member:
    """The member with the model of the newest rule. Its own models stand in when no host can serve that one."""
    rule = scope.view.rules.moved if scope.lane == scope.view.lane else None
    if rule is None:
        return member
    return replace(move(member, rule.model, rule.servers or member.role.servers), others=(member.role, *member.others))


def must_now(scope: Scope, member: Member) -> ToolChoice | None:
    """What the reply must be, as the rules say. None: they leave it open."""
    if scope.lane != scope.view.lane:
        return None
    if scope.view.rules.acted("strategy"):
        return ANSWER_ONLY
    rule = scope.view.rules.acted("must") or scope.view.rules.acted("use")
    if rule is None:
        return None
    own = f"consult_{rule.advice['must']}_specialist" if "must" in rule.advice else RUN_PATTERN
    tool = own if own in member.box else FOR_ALL
    if any(call.tool == tool for call in [*scope.view.started_calls.values()][rule.calls :]):
        return None
    return ToolChoice(frozenset({tool}), least=1, most=1)
