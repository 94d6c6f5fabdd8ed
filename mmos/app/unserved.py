"""Warns a run of roles that no host can serve, and of roles that spell one model in two ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from mmos.app.system_texts import ARBITER
from mmos.config.roles import respelled
from mmos.errors import HostError
from mmos.fleet.fleet import Fleet
from mmos.participant.cast import Cast, Member
from mmos.scope import Scope

GRACE = 0.25
"""Seconds that an ended run waits for hosts that have not listed their models yet."""

PATIENCE = 1.5
"""Seconds that a caller waits. A healthy host needs milliseconds."""


Faults: TypeAlias = Sequence[tuple[str, HostError]]
"""Hosts with their errors. A host may have one for each model of a role."""


@dataclass(frozen=True)
class UnservedRoles:
    """Roles that no host can serve, all for the same reason."""

    roles: tuple[str, ...]
    """Each as ROLE=MODEL."""
    hosts: tuple[str, ...]
    """The hosts that should serve them."""
    text: str

    @property
    def stops_all(self) -> bool:
        """Whether the arbiter is one of them. Then no run can get an answer, and the run's reason says why."""
        return any(role.startswith(f"{ARBITER}=") for role in self.roles)


class RollCall:
    """Asks each host once for its models. Later runs of the app use this result, and ask again only while something is missing."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._asking: asyncio.Task[object] | None = None
        self._warnings: set[str] = set()
        self._read: Cast | None = None
        """The newest cast with checked spellings. An app keeps its casts, so the same cast is the same object."""

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def call(self, cast: Cast) -> list[UnservedRoles]:
        """Ask now, and wait a moment for the hosts' answers."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._fleet.census(fresh=True))
        await asyncio.wait([self._asking], timeout=PATIENCE)
        return self.known(cast)

    async def lists(self) -> None:
        """Have the hosts list their models, where the last lists are old, and wait a moment for them."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._fleet.census())
        await asyncio.wait([self._asking], timeout=PATIENCE)

    @asynccontextmanager
    async def beside(self, scope: Scope, cast: Cast) -> AsyncIterator[None]:
        """Warn a run of what is missing, as soon as that is known. The run waits for this only at its end, and only a moment."""
        self._warn_of_spellings(scope, cast)
        asking = self._ask(cast)
        if asking is None:
            yield
            return
        warning = asyncio.create_task(self._warn_when_known(asking, scope, cast))
        try:
            yield
            await asyncio.wait([warning], timeout=GRACE)
        finally:
            warning.cancel()
            await asyncio.gather(warning, return_exceptions=True)
        self._warn(scope, cast)  # as far as hosts have answered

    def known(self, cast: Cast) -> list[UnservedRoles]:
        """What is missing, as far as the hosts have answered."""
        groups: dict[tuple[tuple[str, str], ...], tuple[list[Member], Faults]] = {}
        for member in cast.values():
            found = [self._fleet.faults(choice.role.model, choice.role.servers) for choice in member.choices]
            if all(found):
                faults = [fault for of_model in found for fault in of_model.items()]
                cause = tuple((host, fault.message) for host, fault in faults)
                groups.setdefault(cause, ([], faults))[0].append(member)
        return [_unserved(members, faults) for members, faults in groups.values()]

    def _ask(self, cast: Cast) -> asyncio.Task[object] | None:
        """The current census. A new one if the hosts were never asked, or if something was missing. None if nothing is missing.

        If one model on the same hosts plays every role, its first call shows as much as a census.
        """
        if len({(choice.role.model, choice.role.servers) for member in cast.values() for choice in member.choices}) == 1:
            return None
        if self._asking is not None and not self._asking.done():
            return self._asking
        if self._asking is not None and not self.known(cast):
            return None
        self._asking = asyncio.create_task(self._fleet.census())
        return self._asking

    def _warn_of_spellings(self, scope: Scope, cast: Cast) -> None:
        """Warn the first run of an app only: MMOS copes, and a chat need not read it after each turn."""
        if cast is self._read:
            return
        self._read = cast
        roles = {(name, choice.role.model): choice.role for name, member in cast.items() for choice in member.choices}
        for (name, model), other in respelled({key: (role.model, role.servers) for key, role in roles.items()}):
            text = f"{model} ({name}) and {other} are one model. MMOS treats them as one. Write {other} for {name}, too."
            if text not in self._warnings:
                self._warnings.add(text)
                scope.warn(text)

    async def _warn_when_known(self, asking: asyncio.Task[object], scope: Scope, cast: Cast) -> None:
        await asyncio.wait([asking])  # all runs of the app share it, so it is not cancelled with this run
        self._warn(scope, cast)

    def _warn(self, scope: Scope, cast: Cast) -> None:
        for unserved in self.known(cast):
            if not unserved.stops_all:
                scope.warn(unserved.text, unserved=unserved.roles)


def _unserved(members: list[Member], faults: Faults) -> UnservedRoles:
    names = [f"{member.role.name} ({' or '.join(choice.role.model for choice in member.choices)})" for member in members]
    text = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    causes = " ".join(dict.fromkeys(fault.message for _, fault in faults))
    helps = " ".join(dict.fromkeys(fault.next_step for _, fault in faults if fault.next_step))
    roles = tuple(f"{member.role.name}={choice.role.model}" for member in members for choice in member.choices)
    return UnservedRoles(roles, tuple(dict.fromkeys(host for host, _ in faults)), f"{text} cannot be asked: {causes} {helps}".strip())
