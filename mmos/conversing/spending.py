"""Says whether the limits of a run leave room for more of a talk, and for the answer after it."""

from __future__ import annotations

from mmos.scope import Scope

RESERVE = 3
"""Requests and calls that stay for the end of the talk and for the answer to the user."""
TOKENS = 0.9
"""The share of the tokens of a run that a talk may use up."""


def is_spent(scope: Scope, more: int) -> bool:
    """Whether so many more requests, each with a call, would leave too little for the answer."""
    limits, view = scope.limits, scope.view
    requests = limits.total_turns is not None and view.requests + more + RESERVE > limits.total_turns
    calls = scope.calls_left is not None and scope.calls_left < more + RESERVE
    return requests or calls or (limits.tokens is not None and view.tokens >= TOKENS * limits.tokens)
