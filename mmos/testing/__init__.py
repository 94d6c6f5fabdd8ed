"""Helps you test tools and configurations without a real model: it serves scripted models on a real HTTP host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson

from mmos.app import App, open_app
from mmos.events import Event
from mmos.rehearsal.faults import Fault
from mmos.rehearsal.host import Host
from mmos.rehearsal.personas import Model, Turn
from mmos.rehearsal.pieces import Call, Cut, Fail, Finish, Loop, Ramble, Say, Think
from mmos.rehearsal.server import serve
from mmos.toolbox import Tool

__all__ = [
    "AFTERWARDS", "Call", "Cut", "Fail", "Fault", "Finish", "Host", "Loop", "Model", "Ramble", "Say", "Stage", "Think", "Turn",
    "configuration", "consult", "facts", "serve", "stage", "until",
]  # fmt: skip

Kind = TypeVar("Kind", bound=Event)


@dataclass
class Stage:
    """An app with one host that has a scripted model for each role. A model has the name of its role, or its own."""

    app: App
    host: Host
    config: Mapping[str, Any] = field(default_factory=dict)

    def sent(self, role: str) -> list[Mapping[str, Any]]:
        """The bodies of all chat requests to the model of a `role`, in order. A request without messages only loads the model, and is left out."""
        bodies = [orjson.loads(entry.body) for entry in self.host.requests.to("/api/chat") if entry.model.partition(":")[0] == role]
        return [body for body in bodies if body["messages"]]

    def heard(self, role: str) -> list[str]:
        """The last message of each chat request to the model of a `role`."""
        return [body["messages"][-1]["content"] for body in self.sent(role)]


AFTERWARDS: list[Callable[[Stage], Awaitable[None]]] = []
"""Checks at the end of each `stage`. Add yours in a `conftest.py`."""


@asynccontextmanager
async def stage(
    roles: Mapping[str, Sequence[Turn] | Model],
    *,
    state: Path | None = None,
    tools: Iterable[Callable[..., Any] | Tool] = (),
    orchestration: Mapping[str, Any] | None = None,
    **host: Any,
) -> AsyncIterator[Stage]:
    """Serve a host with scripted models and open an app with it, for `async with`.

    Args:
        roles: The turns of each role, or a model for it. One role must be `arbiter`.
        state: The folder in which runs and threads are kept. None: nothing is kept.
        tools: Your functions that the models may call.
        orchestration: Additions to the configuration. They are merged in key by key.
        host: Arguments of `mmos.testing.Host`, such as `vram_gb`.
    """
    models = {name: _model(name, turns) for name, turns in roles.items()}
    here = Host("here", list(models.values()), **{"parallel": 8, **host})
    async with serve(here) as url:
        config = configuration(models, {"here": url}, orchestration or {})
        async with open_app(config, state=state, tools=tools) as app:
            made = Stage(app, here, config)
            yield made
            for check in AFTERWARDS:
                await check(made)


def consult(role: str, query: str = "What do you say?", **more: str) -> Call:
    """The call with which a model consults the specialist `role` about a `query`. Put it into a script. `more`: other arguments of the call."""
    return Call(f"consult_{role}_specialist", {"query": query, **more})


async def facts(app: App, run: str, *kinds: type[Kind]) -> list[Kind]:
    """The events of a `run` in the journal of an `app`, in order. `kinds`: only events of these classes."""
    return [entry.event for entry in await app.journal.read(run=run) if isinstance(entry.event, kinds)]


async def until(condition: Callable[[], object], *, seconds: float = 30.0) -> None:
    """Wait until `condition` returns something true. Raises `TimeoutError` after these `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # a condition has no event
            await asyncio.sleep(0.002)


def configuration(models: Mapping[str, Model], servers: Mapping[str, str], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration that gives these roles these models, on all these hosts."""
    hosts = list(servers)
    roles: dict[str, Any] = {role: {"model": model.name, "server": hosts} for role, model in models.items()}
    base = {
        "servers": {name: {"url": url, "parallel": 8} for name, url in servers.items()},
        "arbiter": roles.pop("arbiter"),
        "specialists": roles,
    }
    return {"orchestration": _merged(base, changes)}


def _model(name: str, turns: Sequence[Turn] | Model) -> Model:
    return turns if isinstance(turns, Model) else Model.scripted(name, turns)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in changes.items():
        result[key] = _merged(result.get(key, {}), value) if isinstance(value, Mapping) else value
    return result
