"""Checks that each role has a server with the GPUs and the memory that it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mmos.config.document import Document
from mmos.config.roles import Need, meeting, placed_roles, servers_of
from mmos.config.schema import Orchestration, Role, Server
from mmos.config.wording import Place, listed

Findings = Iterator[tuple[Place, str]]


def unmet(orchestration: Orchestration, document: Document) -> Findings:
    """Roles that no server can serve, with what the servers have."""
    for place, role in placed_roles(orchestration):
        need, servers = Need.of(role), servers_of(role)
        if need.gpus and not meeting(orchestration, servers, replace(need, vram_gb=None)):
            yield (
                (*place, _key(role)),
                f"found {_numbers(need)}, but no server of this role has {_gpus(need)}; {_what_there_is(orchestration, role, document, place)}",
            )
        elif need != Need() and (servers or orchestration.servers) and not meeting(orchestration, servers, need):
            memory = f"found {role.vram_required_gb:g}, but no server of this role{f' with {_gpus(need)}' if need.gpus else ''} has so much vram_gb"
            yield (*place, "vram_required_gb"), f"{memory}; {_what_there_is(orchestration, role, document, place)}"


def shared_gpus(orchestration: Orchestration) -> Findings:
    """Roles whose servers all have more GPUs than the role asks for: there Ollama chooses the GPU."""
    for place, role in placed_roles(orchestration):
        need = Need.of(role)
        servers = [orchestration.servers[name] for name in meeting(orchestration, servers_of(role), need)] if need.gpus else []
        if servers and all(set(server.gpus) > need.gpus for server in servers):
            yield (
                (*place, _key(role)),
                f"its servers have more GPUs than {_numbers(need)}, and there Ollama chooses; `mmos hosts serve` runs a server for each GPU",
            )


def _key(role: Role) -> str:
    return "gpu_ids" if role.gpu_id is None else "gpu_id"


def _numbers(need: Need) -> str:
    return ", ".join(map(str, sorted(need.gpus)))


def _gpus(need: Need) -> str:
    return f"GPU {_numbers(need)}" if len(need.gpus) == 1 else f"the GPUs {_numbers(need)}"


def _what_there_is(orchestration: Orchestration, role: Role, document: Document, place: Place) -> str:
    """The servers that the role may use. A name from the environment stays as the file has it."""
    if role.server is None:
        pairs = list(zip(orchestration.servers, orchestration.servers, strict=True))
    elif isinstance(role.server, str):
        pairs = [(role.server, document.display(("orchestration", *place, "server"), role.server))]
    else:
        places = (("orchestration", *place, "server", index) for index in range(len(role.server)))
        pairs = [(name, document.display(at, name)) for at, name in zip(places, role.server, strict=True)]
    described = [_described(text, orchestration.servers.get(name)) for name, text in pairs]
    return f"servers: {listed(described)}" if described else "there is no server under 'servers'"


def _described(name: str, server: Server | None) -> str:
    gpus = ", ".join(map(str, server.gpus)) if server else ""
    memory = f", vram_gb: {server.vram_gb:g}" if server and server.vram_gb is not None else ""
    return f"{name} (gpus: {gpus or 'none'}{memory})"
