"""Finds the places at which a run or a thread can be forked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mmos.errors import UsageError
from mmos.events import Entry, Forked, RunFinished, RunResumed, RunStarted, RunWithdrawn
from mmos.plurals import counted

TURN_KINDS = ("model_asked", "model_replied")

Glance = tuple[int, str, Any]
"""The number, the kind and one field of an entry."""


def turns(lanes: Iterable[Glance], lane: str) -> list[int]:
    """The number of the first request of each turn of a lane, from the lanes of requests and replies.

    In the lane of the role that answers the user, every call of the turn before has its result when a turn begins, and no other lane is open.
    """
    found: list[int] = []
    begun = False
    for seq, kind, place in lanes:
        if place == lane:
            if kind == "model_asked" and not begun:
                found.append(seq)
            begun = kind == "model_asked"
    return found


def turn_at(found: Sequence[int], run: str, at: int | None) -> int:
    """The turn with this number. None: the last one."""
    if not found:
        raise UsageError(
            f"Run {run} has no turn of its own: no model was asked, or only the members of a pattern.",
            next_step="Give the task again: mmos run",
        )
    if at is None:
        return len(found)
    if 1 <= at <= len(found):
        return at
    raise no_turn(found, run, at)


def no_turn(found: Sequence[int], run: str, at: int | str) -> UsageError:
    return UsageError(f"Run {run} has no turn {at}. It has {counted(len(found), 'turn')}.", next_step=f"See mmos runs show {run}.")


def whole_until(entries: Iterable[Entry], after: int | None) -> int:
    """The number of the last entry of a thread's first tasks. None: of all. No run may be at work there."""
    begun: list[str] = []
    ended: set[str] = set()
    place = last = 0
    for entry in entries:
        last = entry.seq
        match entry.event:
            case RunStarted():
                begun.append(entry.run)
                if after is not None and len(begun) > after:
                    break
            case RunResumed():
                ended.discard(entry.run)
            case RunFinished() | RunWithdrawn():
                ended.add(entry.run)
        place = last
    if after is not None and not 1 <= after <= len(begun):
        raise UsageError(
            f"The conversation has {counted(len(begun), 'task')}, so there is no task {after}.", next_step="See mmos threads show."
        )
    if unfinished := [run for run in begun[:after] if run not in ended]:
        raise UsageError(
            f"Run {unfinished[0]} had not ended there.", next_step="Wait for its end, continue it, or fork after an earlier task."
        )
    return place


def owner(entries: Sequence[Entry], run: str, thread: str, until: int) -> tuple[str, str]:
    """The run and the thread in which the entry `until` was recorded: a fork may have it from another one. Without a run, only the thread counts."""
    for entry in reversed(entries):
        if isinstance(event := entry.event, Forked) and entry.seq > until:
            run, thread = event.origin if run else "", event.origin_thread
    return run, thread
