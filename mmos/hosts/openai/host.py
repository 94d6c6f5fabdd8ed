"""An OpenAI-compatible host: chat over server-sent events, embeddings, its list of models, and its API key."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn
from urllib.parse import urlsplit

from mmos.diagnosis.knowledge import LESS
from mmos.errors import BadRequest, HostError, HostRefusal, ModelMissing, Unauthorized, WindowExceeded
from mmos.hosts.face import Abilities, Card, ChatRequest, Installed, Loaded, OnToken, Progress, Timeouts
from mmos.hosts.growing import call_ids
from mmos.hosts.openai import catalogue
from mmos.hosts.openai.request import MOST_LESSONS, Habit, encoded, extras
from mmos.hosts.openai.speech import OPENAI
from mmos.hosts.openai.stream import OpenAIStream
from mmos.hosts.wire import Wire
from mmos.logs import logger
from mmos.messages import Reply
from mmos.names import canonical


@dataclass(frozen=True)
class Key:
    """`variable` names it; an empty value means that the variable is not set."""

    variable: str
    value: str = field(default="", repr=False)

    @classmethod
    def of(cls, variable: str, environ: Mapping[str, str]) -> Key:
        return cls(variable, environ.get(variable, "").strip())

    @property
    def label(self) -> str:
        """The variable in a sentence; what is no usual name of one may be a key, put in the wrong place."""
        return self.variable if self.variable.isupper() else "the variable that `api_key_env` names"

    @property
    def header(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.value}"} if self._is_usable else {}

    def check(self, host: str, model: str) -> None:
        """Nothing is sent without the key that the configuration promises."""
        if not self.value:
            message, cure = f"{host} needs a key, and {self.label} is not set.", "Set it in the environment."
            raise Unauthorized(message, next_step=cure, host=host, model=model)
        if not self._is_usable:
            message = f"The key for {host} cannot be sent: {self.label} holds signs that no header may hold."
            raise Unauthorized(message, next_step="Copy the key once more.", host=host, model=model)

    @property
    def _is_usable(self) -> bool:
        return bool(self.value) and self.value.isascii() and self.value.isprintable()


# ---------------------------------------------------------------- the host

_CHARS_A_TOKEN = 8
"""More than any text has on average: what is too long by this measure is too long by any."""

_LOCAL_KEEP = 4.0
"""LM Studio, vLLM and llama-server close an idle connection after 5 seconds; no call should meet that moment."""

_UNASKED = "Let its own server do it; MMOS can for hosts of the kind ollama."

_log = logger("mmos.hosts.openai")


class OpenAIHost:
    """One server; use it from one event loop, and close it there."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        key: Key | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        local = not url.startswith("https:")
        speech = replace(OPENAI, credentials=_advice(key, headers or {}), keep_seconds=_LOCAL_KEEP if local else OPENAI.keep_seconds)
        self._wire = Wire(name, _address(url), _headers(headers or {}, key), speech)
        self._key = key
        self._clock = clock
        self._ids = call_ids(chance or random.Random())
        self._habits: dict[str, Habit] = {}
        self._windows: dict[str, int] = {}
        self._names: dict[str, str] = {}
        """The server's own spellings: by themselves, and by the canonical ones."""
        self.name = name
        self.url = self._wire.url
        self.abilities = Abilities(sets_window=False, tells_loaded=False, loads=False, pulls=False, lists_all=False, tells_window=False)

    def __repr__(self) -> str:
        return f"OpenAIHost({self.name!r}, {self.url!r})"

    async def chat(self, request: ChatRequest, *, timeouts: Timeouts, on_token: OnToken | None = None) -> Reply:
        self._check_key(request.model)
        request = replace(request, model=self._own(request.model))
        self._check_length(request)
        habit, unlimited = self._habit(request.model), False
        for _ in range(MOST_LESSONS):
            more = extras(request, habit, self._window(request))
            if unlimited:
                more.pop(habit.limit, None)
            stream = OpenAIStream(self._wire.site(request.model), self._ids, on_token, self._clock)
            stream.on_progress = request.on_progress
            if request.guarded:
                stream.guard()
            try:
                return await self._streamed(request, encoded(request, habit, more), stream, timeouts)
            except BadRequest as fault:
                if stream.has_begun or not self._learns(habit, fault, more, request.model, constrained=bool(request.format)):
                    raise
            except WindowExceeded as fault:
                if fault.window is not None:
                    self._windows[request.model] = fault.window
                # Prompt and limit are too much together: without the limit, the answer gets what is left.
                if unlimited or habit.limit not in more or not _fits(fault):
                    raise
                unlimited = True
        raise HostRefusal(f"{self.name} refuses one part of the request after another.", host=self.name, model=request.model)

    async def _streamed(self, request: ChatRequest, data: bytes, stream: OpenAIStream, timeouts: Timeouts) -> Reply:
        site = self._wire.site(request.model)
        try:
            await self._wire.request("chat/completions", data, stream.read, site=site, timeouts=timeouts, cold=request.cold)
            reply = stream.reply()
        except HostError as fault:
            fault.partial = stream.text
            raise
        if reply.usage.cached_tokens is not None and not self.abilities.tells_cached:
            self.abilities = replace(self.abilities, tells_cached=True)
        return reply

    async def embed(self, model: str, texts: Sequence[str], *, timeouts: Timeouts, **_frame: object) -> list[list[float]]:
        self._check_key(model)
        model = self._own(model)
        vectors: list[list[float]] = []
        for start in range(0, len(texts), catalogue.BATCH):
            vectors += await self._embedded(model, texts[start : start + catalogue.BATCH], timeouts)
        return vectors

    async def _embedded(self, model: str, texts: Sequence[str], timeouts: Timeouts) -> list[list[float]]:
        habit = self._habit(model)
        try:
            return await catalogue.embed(self._wire, model, texts, timeouts, habit)
        except BadRequest as fault:
            if not self._learns(habit, fault, {"encoding_format"} - habit.refused, model, constrained=False):
                raise
        return await catalogue.embed(self._wire, model, texts, timeouts, habit)

    async def version(self) -> str:
        """Empty: such servers tell none; that this one answers is what is learned."""
        self._check_key("")
        await catalogue.listed(self._wire)
        return ""

    async def tags(self) -> list[Installed]:
        self._check_key("")
        found = await catalogue.tags(self._wire)
        windows = {model.name: model.context_length for model in found if model.context_length}
        self._names = {canonical(model.name): model.name for model in found} | {model.name: model.name for model in found}
        self._windows |= windows
        self.abilities = replace(self.abilities, tells_window=bool(windows))
        return found

    async def ps(self) -> list[Loaded]:
        self._refuse("say which models are in memory", "See the server's own pages.")

    async def show(self, model: str) -> Card:
        for found in await self.tags():
            if found.name == self._own(model):
                return Card(found.name, found.capabilities, found.context_length, found.family, quantization=found.quantization)
        message = f"{self.name} does not have the model {model}."
        raise self._wire.site(model).error(ModelMissing, message, "See `mmos models list`.", status=404)

    async def preload(self, model: str, **_frame: object) -> float:
        self._refuse("load a model on demand", _UNASKED, model)

    async def unload(self, model: str) -> None:
        self._refuse("let go of a model on demand", _UNASKED, model)

    def pull(self, model: str) -> AsyncIterator[Progress]:
        self._refuse("fetch models", _UNASKED, model)

    async def close(self) -> None:
        await self._wire.close()

    # ---------------------------------------------------------------- what is known of the server

    def _own(self, model: str) -> str:
        """The server's spelling of a name. Such a server may tell capitals apart, and knows nothing of `library/` and `:latest`."""
        return self._names.get(model) or self._names.get(canonical(model), model)

    def _habit(self, model: str) -> Habit:
        return self._habits.setdefault(model, Habit())

    def _window(self, request: ChatRequest) -> int:
        return min(request.num_ctx, self._windows.get(request.model, request.num_ctx))

    def _learns(self, habit: Habit, fault: BadRequest, sent: Collection[str], model: str, *, constrained: bool) -> bool:
        dropped = habit.learn(fault, sent, constrained=constrained)
        if dropped:
            _log.info("parameter_left_out", host=self.name, model=model, parameter=dropped)
        return bool(dropped)

    def _check_key(self, model: str) -> None:
        if self._key is not None:
            self._key.check(self.name, model)

    def _check_length(self, request: ChatRequest) -> None:
        """Where the window is known, what cannot fit is not sent: a server might cut it and say nothing."""
        window = self._windows.get(request.model)
        if window is None:
            return
        tokens = (sum(len(message.content) for message in request.messages) + len(request.tools)) // _CHARS_A_TOKEN
        if tokens > window:
            message = f"The prompt is longer than the window of {request.model} on {self.name}: {tokens} tokens or more into {window}."
            cure = f"{LESS} Or start the server with a larger context."
            raise self._wire.site(request.model).error(WindowExceeded, message, cure, prompt_tokens=tokens, window=window)

    def _refuse(self, what: str, next_step: str, model: str = "") -> NoReturn:
        raise HostRefusal(f"{self.name} cannot {what}: hosts of the kind openai do not.", next_step=next_step, host=self.name, model=model)


def _fits(fault: WindowExceeded) -> bool:
    return fault.prompt_tokens is not None and fault.window is not None and fault.prompt_tokens < fault.window


def _address(url: str) -> str:
    """A bare address means its `/v1`."""
    parts = urlsplit(url)
    return url if parts.path.strip("/") else parts._replace(path="/v1").geturl()


def _headers(headers: Mapping[str, str], key: Key | None) -> dict[str, str]:
    signed = key.header if key else {}
    return {name: value for name, value in headers.items() if not (signed and name.lower() == "authorization")} | signed


def _advice(key: Key | None, headers: Mapping[str, str]) -> str:
    if key is not None:
        return f"Check the key in {key.label}."
    return "Check the headers of {host}." if headers else "Name the variable that holds its key as `api_key_env` of {host}."
