"""Gathers who could work on a task, with what the fleet says of each, and lets the selector choose."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from mmos.app.draft import Draft
from mmos.app.source import Source
from mmos.app.system_texts import ARBITER
from mmos.catalog.known import KnownModel
from mmos.choice_events import TaskRouted
from mmos.fleet.fleet import Fleet
from mmos.journal import Journal
from mmos.names import canonical
from mmos.participant.cast import Cast, Member
from mmos.selection.candidate import Candidate, Task
from mmos.selection.evidence import Evidence
from mmos.selection.outcomes import KINDS, Outcomes
from mmos.selection.selector import Choice, Row, Selector
from mmos.selection.table import promised


@dataclass
class Learned:
    """What the outcomes in the journal have shown. It reads each entry once."""

    outcomes: Outcomes
    evidence: Evidence = field(default_factory=Evidence)
    _read: int = 0
    """The number of the newest entry that it has read."""
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def recall(self, journal: Journal) -> Evidence:
        async with self._reading:  # of several runs that begin at once, one reads
            entries = await journal.read(kinds=KINDS, after=self._read)
            for outcome in self.outcomes.of(entries):
                self.evidence.learn(outcome)
            self._read = max([self._read, *(entry.seq for entry in entries)])
        return self.evidence


@dataclass
class Chooser:
    """Chooses for the runs of an app. What outcomes have shown it reads from the journal."""

    source: Source
    _learned: Learned | None = None

    async def choose(self, draft: Draft, cast: Cast, chance: Random) -> Draft:
        """Whoever fits the task answers alone. If nobody can tell, the arbiter answers as usual."""
        event = draft.event
        if event.type is None:
            return draft.with_(by="none", acted=False, why=(*event.why, "the class of the task is not sure, so the arbiter answers"))
        choice = await self._chosen(_task(event), cast, chance)
        draft = draft.with_(*_missed(choice), candidates=_kept(choice), propensity=choice.propensity, by=choice.by)
        if choice.chosen is None:
            return draft.with_(by="none", why=(*event.why, *choice.why, "so the arbiter answers"))
        chosen = choice.chosen.candidate
        changes: dict[str, Any] = {}
        if chosen.role != ARBITER:
            changes = {"role_only": chosen.role} if chosen.role else {"model": chosen.model, "roles": {}}
            changes["stand_ins"] = [row.candidate.role for row in choice.rows[1:] if row.candidate.role and not row.out]
        return draft.acting(chosen.name, **changes).with_(key=chosen.key, why=(*event.why, *choice.why))

    async def _chosen(self, task: Task, cast: Cast, chance: Random) -> Choice:
        """Who works on a task, of the roles and of the models that the configuration describes."""
        keys = self.source.config.orchestration.selection
        known = await self.source.models()
        selector = Selector.of(keys.strategy, keys.weights.model_dump())
        if keys.strategy == "learning":
            self._learned = self._learned or Learned(Outcomes(self.source.rehearsed))
            selector.evidence = await self._learned.recall(self.source.journal)
        return selector.choose(task, [*_candidates(self.source, cast, known)], chance)


def _task(event: TaskRouted) -> Task:
    facts = event.facts
    return Task(
        event.type, event.complexity, facts["context_tokens"], facts["requires_speed"], facts["needs_tools"], facts["needs_vision"],
        "images" in facts,
    )  # fmt: skip


def _candidates(source: Source, cast: Cast, known: Sequence[KnownModel]) -> Iterator[Candidate]:
    models, taken = {canonical(model.name): model for model in known}, set[str]()
    for name in (ARBITER, *cast[ARBITER].consults):
        member = _servable(source.fleet, cast[name])
        taken.add(canonical(member.role.model))
        yield _of_role(source, name, member, models.get(canonical(member.role.model)))
    for model in known:
        if model.keys and canonical(model.name) not in taken and model.is_chat:
            window = source.config.windows().of(model.name)
            yield _candidate(source.fleet, model.keys[0], model.name, (), window, model)


def _servable(fleet: Fleet, member: Member) -> Member:
    """The member with the first of its models that a host can serve."""
    return next((one for one in member.choices if not fleet.faults(one.role.model, one.role.servers)), member)


def _of_role(source: Source, name: str, member: Member, model: KnownModel | None) -> Candidate:
    roles = source.config.orchestration.specialists
    purpose = (roles[name].description or "") if name in roles else ""
    role = member.role
    return _candidate(source.fleet, name, role.model, role.servers, role.window, model, role=name, promises=promised(name, purpose))


def _candidate(
    fleet: Fleet, name: str, model: str, servers: tuple[str, ...], window: int, known: KnownModel | None,
    *, role: str = "", promises: frozenset[str] = frozenset(),
) -> Candidate:  # fmt: skip
    faults, delay = fleet.faults(model, servers), fleet.delay(model, servers)
    known = known or KnownModel(model)
    return Candidate(
        name, model, role, known.capabilities | promises, window, known.parameters, known.reads, known.writes, known.calls,
        delay.seconds, delay.loaded, role == ARBITER, str(next(iter(faults.values()))) if faults else "",
    )  # fmt: skip


def _kept(choice: Choice) -> tuple[dict[str, Any], ...]:
    """The candidates as the journal keeps them."""
    return tuple(_as_dict(row) for row in choice.rows)


def _as_dict(row: Row) -> dict[str, Any]:
    belief = {} if row.belief is None else {"expected": round(row.belief.mean, 3), "outcomes": round(row.belief.outcomes, 1)}
    return {
        "name": row.candidate.name, "model": row.candidate.model, "key": row.candidate.key, "score": round(row.score, 3),
        "terms": row.terms.as_dict(), "chance": round(row.chance, 4), **belief, **({"out": row.out} if row.out else {}),
    }  # fmt: skip


def _missed(choice: Choice) -> tuple[str, ...]:
    """A warning, if another one fits the task best and no host can serve it."""
    if choice.missed is None or choice.chosen is None:
        return ()
    one, chosen = choice.missed.candidate, choice.chosen.candidate
    return (f"{one.name} ({one.model}) fits the task best, but no host can serve it, so {chosen.name} answers. {one.fault}",)
