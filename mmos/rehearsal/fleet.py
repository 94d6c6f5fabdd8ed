"""Serves several rehearsal hosts in one process, and makes the default fleet and its configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmos.rehearsal.host import Host
from mmos.rehearsal.reader import read_cast
from mmos.rehearsal.server import serve

TIME_SCALE = 20.0
"""The time scale of the default fleet. A demo answers within a few seconds, and slow models still look slow."""
PERSONAS = Path(__file__).parent / "personas"
ROLES: Mapping[str, Any] = {
    "arbiter": {"model": "qwen2.5:14b", "server": "ollama01", "role": "coordinator"},
    "specialists": {
        "coding": {"model": "qwen2.5-coder:32b", "server": "ollama02", "context_window": 16384},
        "reasoning": {"model": "qwen2.5:32b", "server": "ollama02", "context_window": 16384},
        "analysis": {"model": "qwen2.5:14b", "server": "ollama01", "context_window": 8192},
        "interpreter": {"model": "functiongemma", "server": "ollama01", "context_window": 8192},
        "synthesizer": {"model": "qwen2.5:14b", "server": "ollama01", "context_window": 8192},
    },
}


@dataclass(frozen=True)
class Fleet:
    """Running hosts."""

    served: Mapping[str, Host]
    time_scale: float | None

    @property
    def hosts(self) -> dict[str, str]:
        """The URL of each host."""
        return {name: host.url for name, host in self.served.items()}

    def __getitem__(self, name: str) -> Host:
        return self.served[name]

    def orchestration(self) -> dict[str, Any]:
        """A configuration in the form of `orchestration.yaml` whose roles the default fleet can play."""
        servers = {name: _server(host) for name, host in self.served.items()}
        roles = {role: dict(spec) for role, spec in ROLES["specialists"].items()}
        return {"orchestration": {"servers": servers, "arbiter": dict(ROLES["arbiter"]), "specialists": roles}}


def _server(host: Host) -> dict[str, Any]:
    memory = {} if host.vram_gb is None else {"vram_gb": host.vram_gb}
    return {"url": host.url, "parallel": host.parallel, **memory}


def host_from(path: Path, *, time_scale: float | None = TIME_SCALE, seed: int = 0) -> Host:
    """The host of a persona file. It has the name of the file."""
    cast = read_cast(path)
    return Host(path.stem, cast.models, time_scale=time_scale, seed=seed, **cast.host)


@asynccontextmanager
async def serve_all(hosts: Iterable[Host]) -> AsyncIterator[Fleet]:
    """Serve these hosts, each on a free port."""
    served = {host.name: host for host in hosts}
    async with AsyncExitStack() as stack:
        for host in served.values():
            await stack.enter_async_context(serve(host))
        scales = {host.time_scale for host in served.values()}
        yield Fleet(served, scales.pop() if len(scales) == 1 else None)


@asynccontextmanager
async def default_fleet(*, time_scale: float | None = TIME_SCALE, seed: int = 0) -> AsyncIterator[Fleet]:
    """The fleet of the demo: two machines with seven models."""
    hosts = [host_from(path, time_scale=time_scale, seed=seed) for path in sorted(PERSONAS.glob("*.yaml"))]
    async with serve_all(hosts) as fleet:
        yield fleet
