"""Finds out what the sides of a comparison are: models, roles, the whole of MMOS, or functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from mmos.app.lifecycle import RunOptions
from mmos.app.system_texts import ARBITER
from mmos.catalog.known import KnownModel
from mmos.comparing.cases import Case
from mmos.comparing.sides import Given, Side
from mmos.errors import UsageError
from mmos.judging.choosing import able
from mmos.names import pattern_named
from mmos.participant.cast import Cast
from mmos.selection.checker import checker_of, is_named

ROLE, STRATEGY = "role:", "strategy:"
LIBRARY = "+rag"
"""The end of the name of a side that reads passages of the library."""
AUTO = "auto"
"""The judge that MMOS chooses."""
Function = Callable[[Case], Awaitable[Given | str | None]]


class Casting(Protocol):
    """What shows which hosts a side needs: an `App`."""

    def cast(self, options: RunOptions) -> Cast: ...
    def check_library(self, options: RunOptions) -> None: ...


class Choosing(Casting, Protocol):
    """What shows which model may judge: an `App`."""

    async def models(self) -> tuple[KnownModel, ...]: ...


@dataclass(frozen=True)
class Entrant:
    """A side that is ready to answer."""

    name: str
    options: RunOptions = field(default_factory=RunOptions)
    """Of its runs."""
    function: Function | None = None
    """What answers in place of a run."""
    hosts: frozenset[str] = frozenset()
    """The hosts that its models may run on. Empty: any."""


def entrants_of(app: Casting, sides: Sequence[str | Side]) -> list[Entrant]:
    """The sides by their spellings. One that is named twice gets a number."""
    if isinstance(sides, str) or len(sides) < 2:
        raise UsageError("A comparison needs two sides.", next_step="Name them: models, role:NAME, or arbiter for the whole of MMOS.")
    taken: Counter[str] = Counter()
    found = []
    for side in sides:
        entrant = Entrant(side.name, function=side.answer) if isinstance(side, Side) else _of_spelling(app, side)
        taken[entrant.name] += 1
        count = taken[entrant.name]
        found.append(entrant if count == 1 else replace(entrant, name=f"{entrant.name} ({count})"))
    return found


def _of_spelling(app: Casting, spelling: str) -> Entrant:
    options = options_of(spelling)
    members = app.cast(options)  # a model or a role that is not there is an error now
    app.check_library(options)
    servers = [choice.role.servers for member in members.values() for choice in member.choices]
    return Entrant(spelling, options, hosts=frozenset(host for one in servers for host in one) if all(servers) else frozenset())


def with_library(sides: Sequence[str], collection: str) -> list[str]:
    """Each side without and with passages of the library."""
    ending = f"{LIBRARY}:{collection}" if collection else LIBRARY
    return [name for side in sides for name in ([side] if LIBRARY in side else [side, f"{side}{ending}"])]


def options_of(spelling: str) -> RunOptions:
    """The options of a run that answers as a side: `MODEL[@HOST]`, `role:NAME`, `pattern:NAME`, `strategy:NAME`, or `arbiter`.

    With `+rag` or `+rag:COLLECTION` at its end, it reads passages of the library.
    """
    if isinstance(spelling, str) and LIBRARY in spelling:
        side, _, collection = spelling.partition(LIBRARY)
        return replace(options_of(side), rag=True, rag_collection=collection.removeprefix(":"))
    if not isinstance(spelling, str) or not spelling.strip():
        raise UsageError("The name of a side is empty.", next_step="Write MODEL[@HOST], role:NAME or arbiter.")
    whole = RunOptions(
        on_question="fail", cache=False
    )  # nobody is there to answer, and a kept answer says nothing of a model and costs nothing
    if spelling == ARBITER:
        return whole
    if spelling.startswith(STRATEGY):
        return RunOptions.of_facts({**whole.as_facts(), "strategy": spelling.removeprefix(STRATEGY)})
    bare = replace(whole, validate=False)
    if pattern := pattern_named(spelling):
        return replace(bare, pattern=pattern)
    if spelling.startswith(ROLE):
        return replace(bare, role_only=spelling.removeprefix(ROLE))
    return replace(bare, model=spelling)


async def judge_of(app: Choosing, entrants: Sequence[Entrant], judge: str) -> str:
    """The judge by its spelling. `auto` is the best model that is no side, of another family than theirs if there is one."""
    if judge != AUTO:
        if judge:
            app.cast(options_of(judge))  # one that is not there is said before anybody answers
        return judge
    models = await app.models()
    authors = [app.cast(one.options)[one.options.answering].role.model for one in entrants if one.function is None]
    sides = [one for one in models if any(is_named(one, author) for author in authors)]
    others = able([one for one in models if one not in sides])
    families = {one.family for one in sides}
    chosen = checker_of([one for one in others if one.family not in families], "", "") or checker_of(others, "", "")
    if chosen is None:
        message = "No model can be the judge: each one is a side, or in a cloud."
        raise UsageError(message, next_step="Name one with --judge, or add `expect` to the cases.")
    return chosen.name
