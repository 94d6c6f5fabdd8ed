"""Serves simulated hosts on real ports, and writes the configuration for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import yaml

from mmos.config.init import HostSurvey, SurveyedModel, propose
from mmos.errors import UsageError
from mmos.plurals import counted
from mmos.rehearsal.fleet import ROLES
from mmos.rehearsal.host import Host
from mmos.rehearsal.server import serve
from mmos.simulation.fleetfile import Machines

HIGHEST_PORT = 65535


@asynccontextmanager
async def serve_hosts(hosts: Sequence[Host], ports: Sequence[int]) -> AsyncIterator[None]:
    """Serve these hosts, each on its port. Port 0 takes a free one."""
    async with AsyncExitStack() as stack:
        for host, port in zip(hosts, ports, strict=True):
            try:
                await stack.enter_async_context(serve(host, port=port))
            except (OSError, OverflowError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                raise UsageError(
                    f"{host.name} cannot listen on port {port}: {reason}.",
                    next_step="Choose another port, or leave the port out: MMOS then takes a free one.",
                ) from None
        yield


def ports_of(machines: Machines, first: int | None) -> list[int]:
    """The ports from the file, or one after the other from `first` on."""
    if first is None:
        return [machine.port for machine in machines.machines]
    if first + len(machines.machines) - 1 > HIGHEST_PORT:
        raise UsageError(
            f"There are not enough ports from {first} on for {counted(len(machines.machines), 'host')}.",
            next_step="Choose a lower first port.",
        )
    return list(range(first, first + len(machines.machines)))


def configuration(machines: Machines, hosts: Sequence[Host]) -> dict[str, Any]:
    """An `orchestration.yaml` for the served hosts."""
    return {"orchestration": {"servers": {host.name: server_of(host) for host in hosts}, **roles_of(machines)}}


def server_of(host: Host) -> dict[str, Any]:
    server: dict[str, Any] = {"url": host.url, "kind": "rehearsal", "parallel": host.parallel}
    if host.vram_gb is not None:
        server["vram_gb"] = host.vram_gb
    return server | ({"time_scale": host.time_scale} if host.time_scale not in (None, 1.0) else {})


def roles_of(machines: Machines) -> Mapping[str, Any]:
    """The roles of the file. Default: the roles of the default fleet, or for another fleet the roles that fit its models."""
    if machines.orchestration is not None:
        return machines.orchestration
    if all(_plays(machines, role) for role in (ROLES["arbiter"], *ROLES["specialists"].values())):
        return {"arbiter": dict(ROLES["arbiter"]), "specialists": {name: dict(role) for name, role in ROLES["specialists"].items()}}
    proposal = yaml.safe_load(propose(_surveys(machines)))["orchestration"]
    return {key: part for key, part in proposal.items() if key != "servers"}


def _plays(machines: Machines, role: Mapping[str, Any]) -> bool:
    return any(machine.name == role["server"] for machine in machines.having(role["model"]))


def _surveys(machines: Machines) -> list[HostSurvey]:
    return [
        HostSurvey(
            machine.name,
            "http://127.0.0.1:11434",
            True,
            models=[
                SurveyedModel(
                    model.name, model.size, model.parameter_size, model.family, frozenset(model.capabilities), model.context_length
                )
                for model in machine.models
            ],
        )
        for machine in machines.machines
    ]
