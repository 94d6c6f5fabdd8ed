"""What the hosts of a configuration lack at this moment, each with its place in the file: hosts that do not answer, models that are not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from shlex import quote

from mmos.app import wiring
from mmos.config.load import Config
from mmos.config.roles import ResolvedRole
from mmos.config.wording import Place
from mmos.doctor.facts import Facts
from mmos.doctor.models import lacking
from mmos.errors import Problem
from mmos.fleet.survey import HostState, survey

PATIENCE = 3.0
"""Seconds that each host has for its answer; all are asked at once."""


async def absent(config: Config, *, patience: float = PATIENCE) -> list[Problem]:
    async with wiring.fleet_of(config) as fleet:
        facts = Facts(config, states=await survey(fleet, config.servers(), patience=patience))
    return [*_hosts(config, facts), *_models(config, facts)]


def _hosts(config: Config, facts: Facts) -> Iterator[Problem]:
    for state in facts.states:
        if state.error is not None and not _lacks_key(config, state):
            yield config.document.problem(_place_of_host(config, state.name), f"{state.error.message} {state.error.next_step}".strip())


def _lacks_key(config: Config, state: HostState) -> bool:
    """That its key is not set is a warning already."""
    variable = config.servers()[state.name].api_key_env
    return variable is not None and not os.environ.get(variable) and state.error is not None and state.error.code == "unauthorized"


def _models(config: Config, facts: Facts) -> Iterator[Problem]:
    for role in facts.roles.values():
        for state in lacking(facts, role):
            cure = (
                f"fetch it: mmos models pull {quote(role.model)} --host {state.name}"
                if state.abilities.pulls
                else "load it there, or name another"
            )
            yield config.document.problem((*_place_of_role(role), "model"), f"{state.name} does not have {role.model}; {cure}")


def _place_of_host(config: Config, host: str) -> Place:
    """Where a host is defined, or else the first role that names it."""
    if host in config.orchestration.servers:
        return ("orchestration", "servers", host)
    naming = (role for role in config.roles().values() if host in role.servers)
    role = next(naming, None)
    return ("orchestration",) if role is None else (*_place_of_role(role), "server")


def _place_of_role(role: ResolvedRole) -> Place:
    return ("orchestration", role.name) if role.name == wiring.ARBITER else ("orchestration", "specialists", role.name)
