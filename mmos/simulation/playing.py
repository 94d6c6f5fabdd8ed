"""Rehearses a configuration: hosts in this process play its servers, with scripted models under the names of its models."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache

from mmos.config.load import Config
from mmos.config.roles import ResolvedRole
from mmos.config.schema import Server
from mmos.config.survey import SurveyedModel, billions_of
from mmos.names import canonical, same_model
from mmos.rehearsal.fleet import PERSONAS, serve_all
from mmos.rehearsal.host import Host
from mmos.rehearsal.personas import Model
from mmos.rehearsal.reader import read_cast

BYTES_PER_PARAMETER = 0.61
PARTS: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern, re.IGNORECASE), persona)
    for pattern, persona in (
        (r"functiongemma", "functiongemma"),
        (r"embed|\bbge|minilm", "nomic-embed-text"),
        (r"cod(e|er|ing)\b|program|develop|devstral", "qwen2.5-coder:32b"),
        (r"reason|plan|deepseek-r1|qwq|think", "qwen2.5:32b"),
        (r"arbiter|analy|synthesi|summar", "qwen2.5:14b"),
    )
)
"""Which persona plays a model without a persona of its own, by the names of the model and its roles."""
OTHERS = "llama3.1:8b"


@asynccontextmanager
async def played(config: Config, time_scale: float) -> AsyncIterator[Config]:
    """Play the servers of a configuration during the `async with`. Nothing goes to the real servers."""
    servers = config.servers()
    hosts = [_host(name, server, config, time_scale) for name, server in servers.items()]
    async with serve_all(hosts):
        yield config.played_by({host.name: _server(servers[host.name], host, time_scale) for host in hosts})


def _server(server: Server, host: Host, time_scale: float) -> Server:
    is_openai = server.kind == "openai"
    return Server(
        url=f"{host.url}/v1" if is_openai else host.url,
        kind="openai" if is_openai else "rehearsal",
        vram_gb=server.vram_gb,
        gpus=server.gpus,
        parallel=server.parallel,
        time_scale=time_scale,
    )


def _host(name: str, server: Server, config: Config, time_scale: float) -> Host:
    """A host with the models of the roles that may run there, the models that the server lists, and those under `models` and the judge that no role has."""
    every = config.asked()
    here = [role for role in every if not role.servers or name in role.servers]
    used = {canonical(role.model) for role in every}
    others = [entry.model for entry in config.orchestration.models.values() if canonical(entry.model) not in used]
    if (judge := config.orchestration.quality.judge) and judge not in config.roles():
        others.append(config.named(judge))
    names: dict[str, str] = {}
    for model in (*(role.model for role in here), *server.models, *others):
        names.setdefault(canonical(model), model)
    cast = [_model(name, [role for role in here if same_model(role.model, name)]) for name in names.values()]
    return Host(name, cast, time_scale=time_scale, parallel=server.parallel, vram_gb=server.vram_gb)


def _model(name: str, roles: Sequence[ResolvedRole]) -> Model:
    window = max((role.window for role in roles), default=0)
    known = _personas().get(canonical(name))
    model = known or _stand_in(name, [role.name for role in roles])
    model = replace(model, context_length=max(model.context_length, window))
    # A request to a host of the kind openai has no window, so the model gets the role's window from the start.
    return replace(model, parameters={"num_ctx": window}) if window else model


def _stand_in(name: str, roles: Sequence[str]) -> Model:
    """A persona with the same job, under the model's name, with the size that the name gives."""
    trades = [role for role in roles if role != "arbiter"] or roles  # every persona can consult, so the arbiter needs none of its own
    words = " ".join([name, *trades])
    persona = _personas()[canonical(next((persona for pattern, persona in PARTS if pattern.search(words)), OTHERS))]
    billions = billions_of(SurveyedModel(name))
    if not billions:
        return replace(persona, name=name)
    return replace(persona, name=name, parameter_size=f"{billions:g}B", size=int(billions * BYTES_PER_PARAMETER * 1e9))


@cache
def _personas() -> dict[str, Model]:
    return {canonical(model.name): model for path in sorted(PERSONAS.glob("*.yaml")) for model in read_cast(path).models}
