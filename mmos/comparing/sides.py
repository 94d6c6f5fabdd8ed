"""Defines a side of a comparison: any way of answering a case."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mmos.comparing.cases import Case
from mmos.comparing.scores import Cost


@dataclass(frozen=True)
class Given:
    """What a side gave for a case."""

    text: str | None
    """Its answer. None: there is none, and the case counts as wrong."""
    cost: Cost = field(default_factory=Cost)
    why: str = ""
    """Why there is no answer."""
    run: str = ""
    """The run in which it was given."""


@dataclass(frozen=True)
class Side:
    """A way of answering that is neither a model nor a role: a function of yours.

    Example::

        async def twice(case: mmos.Case) -> str | None:
            draft = await app.run(case.task)
            return (await app.run(f"Improve this answer: {draft.text}")).text

        comparison = await app.compare(["arbiter", mmos.Side("twice", twice)], cases)
    """

    name: str
    answer: Callable[[Case], Awaitable[Given | str | None]]
    """Gives the answer to a case. An `MmosError` is the reason why there is none."""
