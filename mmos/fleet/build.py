"""Makes a fleet from a configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmos.config.keeping import Keep
from mmos.config.load import Config, from_mapping, load
from mmos.config.schema import Gpu, Orchestration, Server
from mmos.config.wording import FromEnvironment
from mmos.fleet.learned import Learned
from mmos.fleet.seats import Seat
from mmos.fleet.waking import Waker
from mmos.hosts.access import Address
from mmos.hosts.embedded import BUILT_IN, EmbeddedHost
from mmos.hosts.face import Host, Timeouts
from mmos.hosts.ollama import OllamaHost
from mmos.hosts.openai import Key, OpenAIHost

GIB = 1 << 30
NOTHING_KEPT: Mapping[str, Keep] = {}


def arguments_of(hosts: Mapping[str, Any] | str | Path | Config, time_scale: float | None, state: str | Path | None) -> dict[str, Any]:
    """The arguments of a fleet, for `{"name": {"url": …}}`, checked like a file, for the path of a file, or for a configuration."""
    config = hosts if isinstance(hosts, Config) else _config_of(hosts)
    orchestration = config.orchestration
    return {
        "seats": seats_of_servers(
            config.servers(), time_scale, allow_cloud=orchestration.fleet.allow_cloud, rules=orchestration.gpu, keeping=config.keeping()
        ),
        "timeouts": timeouts_of(orchestration),
        "policy": orchestration.fleet.policy,
        "strategy": orchestration.gpu.strategy,
        "windows": config.windows(),
        "learned": None if state is None or config.played else Learned(Path(state)),
    }


def _config_of(hosts: Mapping[str, Any] | str | Path) -> Config:
    if isinstance(hosts, Mapping):
        return from_mapping({"orchestration": {"servers": hosts, "arbiter": {"model": "any"}}}, environ=os.environ)
    return load(hosts, environ=os.environ)


def seats_of_servers(
    servers: Mapping[str, Server],
    time_scale: float | None,
    *,
    allow_cloud: bool = False,
    rules: Gpu | None = None,
    keeping: Mapping[str, Keep] = NOTHING_KEPT,
) -> list[Seat]:
    return [
        _seat(name, server, time_scale or server.time_scale, allow_cloud or server.allow_cloud, rules or Gpu(), keeping.get(name) or Keep())
        for name, server in servers.items()
    ]


def _seat(name: str, server: Server, time_scale: float, allow_cloud: bool, rules: Gpu, keep: Keep) -> Seat:
    memory = None if server.vram_gb is None else server.vram_gb * GIB
    waker = Waker(server.wake, server.wake_address, server.wake_seconds) if server.wake else None
    gpu, fullest = min(server.gpus, default=0), rules.vram_threshold_percent / 100
    return Seat(
        _host(name, server), server.parallel, time_scale, memory, allow_cloud, waker, rules.auto_unload, gpu, fullest=fullest, keep=keep
    )


def timeouts_of(orchestration: Orchestration) -> Timeouts:
    timeouts = orchestration.timeouts
    return Timeouts(timeouts.connect, timeouts.load, timeouts.first_byte, timeouts.between_chunks, timeouts.total)


def _host(name: str, server: Server) -> Host:
    key = Key.of(server.api_key_env, os.environ) if server.api_key_env else None
    url = Address(server.url, server.url.values if isinstance(server.url, FromEnvironment) else ())
    if server.kind == "openai":
        return OpenAIHost(name, url, headers=server.headers, key=key)
    if server.kind == "embedded":
        files = {model: None if path == BUILT_IN else Path(path) for model, path in server.models.items()}
        return EmbeddedHost(name, files, slots=server.parallel)
    return OllamaHost(name, url, headers={**server.headers, **(key.header if key else {})})
