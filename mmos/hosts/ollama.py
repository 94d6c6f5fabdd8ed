"""An Ollama host: its native API over one connection pool; chat is the hot path."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import orjson

from mmos.errors import HostError, LacksChat
from mmos.hosts import catalogue, faults, reading
from mmos.hosts.face import NO_OPTIONS, Abilities, Card, ChatRequest, Installed, Loaded, OnToken, Options, Progress, Timeouts
from mmos.hosts.growing import call_ids
from mmos.hosts.ollama_stream import OllamaStream
from mmos.hosts.wire import Wire
from mmos.messages import Reply
from mmos.names import same_model

_BATCH = 32  # some versions answer larger ones with 400 or 500
_UNLOAD_SECONDS = 30.0
_LOOK_SECONDS = 0.05
_MOST_MODELS = 10_000
_MOST_LOADED = 500
"""The sum of their sizes must stay a number that JSON can contain."""


def _running_time() -> float:
    return asyncio.get_running_loop().time()


class OllamaHost:
    """One server; use it from one event loop, and close it there."""

    abilities = Abilities()

    def __init__(
        self,
        name: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        clock: Callable[[], float] = _running_time,
        chance: random.Random | None = None,
    ) -> None:
        self._wire = Wire(name, url, headers or {})
        self._clock = clock
        self._ids = call_ids(chance or random.Random())
        self.name = name
        self.url = self._wire.url

    def __repr__(self) -> str:
        return f"OllamaHost({self.name!r}, {self.url!r})"

    async def chat(self, request: ChatRequest, *, timeouts: Timeouts, on_token: OnToken | None = None) -> Reply:
        site = self._wire.site(request.model)
        stream = OllamaStream(site, self._ids, on_token)
        stream.on_progress = request.on_progress
        if request.guarded:
            stream.guard()
        try:
            await self._wire.request("/api/chat", chat_body(request), stream.read, site=site, timeouts=timeouts, cold=request.cold)
        except HostError as fault:
            fault.partial = stream.text
            raise
        return stream.reply()

    async def render(self, request: ChatRequest, *, timeouts: Timeouts) -> str | None:
        """The prompt that the host makes from a request. It loads the model and makes no reply. None: the host is too old for this."""
        question = {**orjson.loads(chat_body(request)), "stream": False, "_debug_render_only": True}
        answer = await self._wire.ask("/api/chat", question, model=request.model, timeouts=timeouts, cold=request.cold)
        prompt = reading.part(answer.get("_debug_info")).get("rendered_template")
        return prompt if isinstance(prompt, str) else None

    async def embed(self, model: str, texts: Sequence[str], *, num_ctx: int | None = None, timeouts: Timeouts) -> list[list[float]]:
        vectors: list[list[float]] = []
        for start in range(0, len(texts), _BATCH):
            batch = list(texts[start : start + _BATCH])
            # By default a host cuts a long text and does not report it.
            question: dict[str, Any] = {"model": model, "input": batch, "truncate": False}
            if num_ctx is not None:
                question["options"] = {"num_ctx": num_ctx}
            answer = await self._wire.ask("/api/embed", question, model=model, timeouts=timeouts, cold=True)
            vectors += catalogue.embedded(self._wire.site(model), answer.get("embeddings"), len(batch))
        return vectors

    async def version(self) -> str:
        number = reading.word((await self._wire.ask("/api/version")).get("version"))
        if not number:
            raise faults.garbled(self._wire.site(), "it tells no version")
        return number

    async def tags(self) -> list[Installed]:
        return [catalogue.installed(entry) for entry in await catalogue.models(self._wire, "/api/tags", _MOST_MODELS)]

    async def ps(self) -> list[Loaded]:
        return [catalogue.loaded(entry) for entry in await catalogue.models(self._wire, "/api/ps", _MOST_LOADED)]

    async def show(self, model: str) -> Card:
        return catalogue.card(model, await self._wire.ask("/api/show", {"model": model}, model=model))

    async def preload(
        self, model: str, *, num_ctx: int, options: Options = NO_OPTIONS, keep_alive: str | float | None = None, timeouts: Timeouts
    ) -> float:
        """Load the model with the options of its calls, because a call with other options would load it again.

        Returns the seconds by our clock, because the host does not report them.
        """
        question: dict[str, Any] = {"model": model, "stream": False, "options": {**options, "num_ctx": num_ctx}}
        if keep_alive is not None:
            question["keep_alive"] = keep_alive
        start = self._clock()
        try:
            await self._wire.ask("/api/chat", {**question, "messages": []}, model=model, timeouts=timeouts, cold=True)
        except LacksChat:
            await self._wire.ask("/api/embed", {**question, "input": []}, model=model, timeouts=timeouts, cold=True)
        return self._clock() - start

    async def unload(self, model: str) -> None:
        """Unload the model, and wait until it is gone. The host answers before it unloads."""
        await self._wire.ask("/api/generate", {"model": model, "keep_alive": 0, "stream": False}, model=model)
        end, pause = self._clock() + _UNLOAD_SECONDS, _LOOK_SECONDS
        while any(same_model(loaded.name, model) for loaded in await self.ps()):
            if self._clock() > end:
                raise faults.timed_out(self._wire.site(model), "unload")
            await asyncio.sleep(pause)
            pause = min(1.0, pause * 1.5)

    def pull(self, model: str) -> AsyncIterator[Progress]:
        from mmos.hosts.pull import pull

        return pull(self._wire, model)

    async def close(self) -> None:
        await self._wire.close()


def chat_body(request: ChatRequest) -> bytes:
    """The request as bytes, from the bytes that messages, toolbox and schema keep."""
    frame: dict[str, Any] = {"stream": True, "truncate": False, "options": {**request.options, "num_ctx": request.num_ctx}}
    if request.think is not None:
        frame["think"] = request.think
    if request.keep_alive is not None:
        frame["keep_alive"] = request.keep_alive
    parts = [b'{"model":', orjson.dumps(request.model), b',"messages":[', b",".join([message.wire for message in request.messages]), b"],"]
    if request.tools:
        parts += (b'"tools":', request.tools, b",")
    if request.format:
        parts += (b'"format":', request.format, b",")
    parts.append(orjson.dumps(frame)[1:])
    return b"".join(parts)
