"""Runs models in processes of MMOS, without a server. The first call of a model starts its process."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmos.errors import HostError, HostUnreachable, StreamCut
from mmos.hosts.embedded import words
from mmos.hosts.embedded.files import BUILT_IN_NAME, built_in_file, has_engine
from mmos.hosts.embedded.gguf import Header, NotGguf, read_header
from mmos.hosts.embedded.process import Engine, Order
from mmos.hosts.embedded.resident import Resident
from mmos.hosts.face import Abilities, Card, ChatRequest, Installed, Loaded, OnToken, Progress, Timeouts
from mmos.hosts.faults import Site
from mmos.messages import Reply
from mmos.names import same_model

_EMBEDDING_WINDOW = 8192
"""The largest window of an embedding model."""


class EmbeddedHost:
    """Runs llama.cpp by xllamacpp. Use it in one event loop, and close it there.

    `models` are paths by name; None is the built-in model. Engines live as long as the host is open, or until `unload`.
    """

    abilities = Abilities(pulls=False, tells_cached=True)
    url = ""

    def __init__(
        self,
        name: str,
        models: Mapping[str, Path | None] | None = None,
        *,
        slots: int = 1,
        python: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._slots = slots
        self._python = tuple(python) or _own_python()
        self._clock = clock
        paths = models or {BUILT_IN_NAME: None}
        self._residents = {model: Resident(model, path) for model, path in paths.items()}

    def __repr__(self) -> str:
        return f"EmbeddedHost({self.name!r})"

    # ---------------------------------------------------------------- calls

    async def chat(self, request: ChatRequest, *, timeouts: Timeouts, on_token: OnToken | None = None) -> Reply:
        start = self._clock()
        header = await self._header(self._resident(request.model))
        if header.embeds:
            raise words.no_chat(self._site(request.model))
        window = min(request.num_ctx, header.context_length or request.num_ctx)
        async with self._serving(request.model, window, timeouts) as (engine, loading):
            own_request = replace(request, num_ctx=engine.order.window, cold=False, options=_options(request))
            reply = await engine.client.chat(own_request, timeouts=_rest_of(timeouts, self._clock() - start), on_token=on_token)
        usage = replace(reply.usage, load_seconds=loading, total_seconds=self._clock() - start)
        return replace(reply, usage=usage)

    async def embed(self, model: str, texts: Sequence[str], *, num_ctx: int | None = None, timeouts: Timeouts) -> list[list[float]]:
        header = await self._header(self._resident(model))
        if not header.embeds:
            raise words.no_embedding(self._site(model))
        window = min(num_ctx or _EMBEDDING_WINDOW, header.context_length or _EMBEDDING_WINDOW)
        async with self._serving(model, window, timeouts) as (engine, _):
            return await engine.client.embed(model, texts, timeouts=timeouts)

    # ---------------------------------------------------------------- what it has and holds

    async def version(self) -> str:
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("xllamacpp")
        except PackageNotFoundError:
            raise words.no_engine(self._site()) from None

    async def tags(self) -> list[Installed]:
        """The models with a readable file. The first call of another model raises the error."""
        if not has_engine():
            raise words.no_engine(self._site())
        found = []
        for resident in self._residents.values():
            try:
                header = await self._header(resident)
            except HostError:
                continue
            found.append(Installed(resident.name, size=header.size, **header.card()))
        return found

    async def ps(self) -> list[Loaded]:
        engines = [resident.engine for resident in self._residents.values() if resident.engine is not None and resident.engine.alive]
        orders = [engine.order for engine in engines]
        return [Loaded(order.name, size=order.path.stat().st_size, context_length=order.window) for order in orders]

    async def show(self, model: str) -> Card:
        header = await self._header(self._resident(model))
        return Card(model, template=header.template, details=header.values, **header.card())

    # ---------------------------------------------------------------- the life of a model

    async def preload(self, model: str, *, num_ctx: int, timeouts: Timeouts, **_frame: object) -> float:
        header = await self._header(self._resident(model))
        async with self._serving(model, min(num_ctx, header.context_length or num_ctx), timeouts) as (_, seconds):
            return seconds

    async def unload(self, model: str) -> None:
        await self._resident(model).leave()

    async def pull(self, model: str) -> AsyncIterator[Progress]:
        """Report the file of the model. Nothing is fetched: without a file, the error says how to get it."""
        path = self._path(self._resident(model))
        size = path.stat().st_size
        yield Progress("success", size, size)

    async def close(self) -> None:
        await asyncio.gather(*(resident.leave(at_once=True) for resident in self._residents.values()))

    # ---------------------------------------------------------------- parts

    @asynccontextmanager
    async def _serving(self, model: str, window: int, timeouts: Timeouts) -> AsyncIterator[tuple[Engine, float]]:
        """The engine of the model, for `async with`. Errors after its death say that it died."""
        resident = self._resident(model)
        header = await self._header(resident)
        order = Order(resident.name, self._path(resident), window, self._slots, header.embeds)
        site = self._site(model)
        patience = timeouts.load + timeouts.first_byte
        try:
            async with asyncio.timeout(patience) as limit:
                engine, seconds = await resident.enter(order, self._python, site, self._clock)
        except TimeoutError:
            if not limit.expired():
                raise
            raise words.slow(site, patience) from None
        try:
            yield engine, seconds
        except (StreamCut, HostUnreachable) as error:
            if not await engine.died():
                raise
            raise words.died(site, engine.process.returncode, error.partial) from error
        finally:
            resident.done()

    def _site(self, model: str = "") -> Site:
        return Site(self.name, self.url, model)

    def _resident(self, model: str) -> Resident:
        """The model of this name, or of another spelling of it. The user chooses the names, and two may differ only in case."""
        found = self._residents.get(model) or next((one for name, one in self._residents.items() if same_model(name, model)), None)
        if found is None:
            raise words.unknown(self._site(model), list(self._residents))
        return found

    def _path(self, resident: Resident) -> Path:
        path = resident.path or built_in_file()
        if path is None or not path.is_file():
            raise words.no_file(self._site(resident.name), path)
        return path

    async def _header(self, resident: Resident) -> Header:
        if resident.header is None:
            path = self._path(resident)
            try:
                resident.header = await asyncio.to_thread(read_header, path)
            except NotGguf as error:
                raise words.not_loaded(self._site(resident.name), path, str(error)) from None
            except OSError as error:
                raise words.not_loaded(self._site(resident.name), path, error.strerror or str(error)) from None
        return resident.header


def _own_python() -> tuple[str, ...]:
    """This interpreter with its options, so that it has the same packages."""
    return (sys.executable, *(["-S"] if sys.flags.no_site else []), *(["-s"] if sys.flags.no_user_site else []))


def _rest_of(timeouts: Timeouts, spent: float) -> Timeouts:
    return timeouts if timeouts.total is None else replace(timeouts, total=max(0.001, timeouts.total - spent))


def _options(request: ChatRequest) -> dict[str, Any]:
    """The options for llama.cpp, which has the same names as Ollama. Whether a model thinks is an option of its template."""
    options = dict(request.options)
    if isinstance(request.think, bool):
        options["chat_template_kwargs"] = {"enable_thinking": request.think}
    return options
