"""Decides which model of a role answers when the first one would keep its caller waiting: the key `fleet.degrade`."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite

from mmos.config.schema import Step
from mmos.errors import NoHost
from mmos.fleet.delay import Delay
from mmos.participant.cast import Role

AT_ONCE = 1.0
"""A shorter wait counts as none."""
DOUBT = 1.5
"""A call counts as too late only if it would wait for so many times the time that is left: estimates are rough."""


def may_degrade(steps: Sequence[Step], left: float) -> bool:
    """Whether a wait matters at all: a call with all the time in the world may always wait."""
    return bool(steps) and not (steps[0] == "wait" and left == inf)


def choose(steps: Sequence[Step], delays: Sequence[Delay], left: float) -> int | None:
    """The model that answers, by its place in the list. None: refuse the call. `left`: seconds that its caller waits."""
    if delays[0].seconds is None or delays[0].seconds <= AT_ONCE:
        return 0
    for step in steps:
        if step == "refuse":
            return None
        found = [place for place, delay in enumerate(delays) if _serves(step, place, delay) and _seconds(delay) <= DOUBT * left]
        if found:
            return found[0]
    return 0


def free(role: Role, delay: Delay) -> str:
    return f"{role.model} would be free in about {_seconds(delay):.0f} s"


def too_late(role: Role, delay: Delay, left: float) -> NoHost:
    """The error of a call that is refused."""
    due = f", and the answer is due in {left:.0f} s" if isfinite(left) else ""
    next_step = "Try again later, allow more time, or change fleet.degrade."
    return NoHost(f"{role.name}: {free(role, delay)}{due}.", model=role.model, next_step=next_step)


def _serves(step: Step, place: int, delay: Delay) -> bool:
    if step == "wait":
        return place == 0
    return place > 0 and delay.loaded and delay.remote == (step == "remote") and _seconds(delay) <= AT_ONCE


def _seconds(delay: Delay) -> float:
    return inf if delay.seconds is None else delay.seconds
