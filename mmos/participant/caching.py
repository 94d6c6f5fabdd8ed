"""Answers requests with kept answers of models, if the configuration wants it: the section `cache`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import orjson

from mmos.cache.kept import Kept
from mmos.cache.keys import Frame, Key, keys_of
from mmos.cache.likeness import cosine
from mmos.cache.shelf import Shelf
from mmos.cache.writing import Writing
from mmos.calls.reading import CLEAR
from mmos.calls.seen import Seen
from mmos.errors import HostError, StateBusy, StateError
from mmos.hosts.face import Installed
from mmos.messages import Message, Reply
from mmos.names import canonical
from mmos.participant.models import RunAsk, Wrapper
from mmos.participant.recorder import LiveRecorder
from mmos.scope import Scope
from mmos.threads import on_thread

T = TypeVar("T")

HOST = "cache"
"""The host of an answer that no host gave."""
VARIED = 0.3
"""A higher temperature wants answers that differ, unless a seed makes them the same."""
EMBEDDING_SECONDS = 10.0
"""How long a request waits for the vectors of two texts. Then the model is asked."""
MOST_REMEMBERED = 4096
"""Requests of runs that a process remembers, so that a run that asks twice gets two answers."""

Digests = Callable[[str, tuple[str, ...]], Awaitable[Mapping[str, str]]]
Embed = Callable[[str, Sequence[str]], Awaitable[list[list[float]]]]


@dataclass(frozen=True)
class Likeness:
    """When the answer to a request in other words counts."""

    model: str
    """The embedding model."""
    threshold: float
    embed: Embed


@dataclass
class Memory:
    """What one process remembers of its requests."""

    writing: Writing
    flights: dict[bytes, asyncio.Event] = field(default_factory=dict)
    """Requests under way, by key. Each is set when its request has ended."""
    asked: dict[tuple[str, bytes], None] = field(default_factory=dict)
    """Requests of runs, the oldest first."""
    noted: dict[tuple[str, str], Any] = field(default_factory=dict)
    """What hosts said of models, as the file has it."""
    is_open: bool = False
    warned: bool = False


@dataclass(frozen=True)
class Cached(Wrapper):
    """Answers a request that a model has answered before. It stands inside of all other wrappers, so that an answer from the cache is recorded like any other."""

    shelf: Shelf
    digests: Digests
    """The digest of a model on each host that has it. Empty: the host is silent."""
    harmless: frozenset[str]
    """The tools that a request may offer: an answer without a call does not depend on the state of anything."""
    likeness: Likeness | None = None
    world: str = ""
    """Sets requests of a rehearsal apart: no real request may get a scripted answer."""

    @cached_property
    def memory(self) -> Memory:
        return Memory(Writing(self.shelf))

    async def serve(self, ask: RunAsk) -> Reply:
        if not may_be_kept(ask, self.harmless):
            return await self.models.serve(ask)
        reply = await self._serve(ask)
        self._warn(ask.observer.scope)
        return reply

    async def _serve(self, ask: RunAsk) -> Reply:
        request = Request(ask, await self._digests(ask.request.model, ask.servers), self.likeness is not None)
        if not request.keys or not self._is_new(request):
            return await self._ask(request)
        key, flights = request.keys[0].exact, self.memory.flights
        if key in flights:  # the same request of another run is under way
            await flights[key].wait()
            return await self._answer(request) or await self._ask(request)
        done = flights[key] = asyncio.Event()
        try:
            return await self._answer(request) or await self._ask(request)
        finally:
            del flights[key]
            done.set()

    def _warn(self, scope: Scope) -> None:
        """Say once in a process that the file cannot be used."""
        if self.memory.writing.fault and not self.memory.warned:
            self.memory.warned = True
            scope.warn(f"MMOS goes on without the cache of answers. {self.memory.writing.fault}")

    async def describe(self, model: str, servers: tuple[str, ...]) -> Installed | None:
        """What hosts say of a model; if none can say, what they said last. The same request then has the same form while they are away."""
        known = await self.models.describe(model, servers)
        if known is not None:
            can = None if known.capabilities is None else sorted(known.capabilities)
            self._note(model, servers, "abilities", [known.digest, can])
            return known
        return _described(model, await self._read(lambda: self.shelf.noted(self._place(model, servers), "abilities")))

    async def forget(self, runs: Collection[str]) -> None:
        """Forget the answers of these runs."""
        self.memory.writing.change(lambda: self.shelf.forget(runs=runs))
        await self.memory.writing.settled()

    async def close(self) -> None:
        await self.memory.writing.settled()
        self.shelf.close()

    # ---------------------------------------------------------------- is there an answer

    def _is_new(self, request: Request) -> bool:
        """Whether the run asks this for the first time. When it asks again it wants another answer, and so does a run that repeats an earlier one."""
        run, asked = request.ask.observer.scope.run, self.memory.asked
        mark = run, request.keys[0].exact
        is_new = mark not in asked and not request.ask.observer.scope.anew
        while len(asked) >= MOST_REMEMBERED:
            del asked[next(iter(asked))]
        asked[mark] = None
        return is_new

    async def _answer(self, request: Request) -> Reply | None:
        """A kept answer to this request, or to one in other words."""
        found = await self._find(request)
        if found is not None:
            return self._use(request, *found, {"cached": "exact"})
        if self.likeness is None:
            return None
        for key, other in await self._alike(request):
            likeness = await self._likeness(request, other.words)
            if likeness is not None and likeness >= self.likeness.threshold:
                return self._use(request, key, other, {"cached": "alike", "likeness": round(likeness, 4)})
        return None

    async def _find(self, request: Request) -> tuple[bytes, Kept] | None:
        return self.memory.writing.find(request.keys) or await self._read(lambda: self.shelf.find(request.keys))

    async def _alike(self, request: Request) -> list[tuple[bytes, Kept]]:
        return [*self.memory.writing.alike(request.keys), *(await self._read(lambda: self.shelf.alike(request.keys)) or ())]

    def _use(self, request: Request, key: bytes, kept: Kept, how: Mapping[str, Any]) -> Reply:
        self.memory.writing.change(lambda: self.shelf.use(key))
        return _reply(request.ask, kept, how)

    async def _likeness(self, request: Request, words: str) -> float | None:
        """How alike the last words of a request are to other words. None: the embedding model did not say."""
        if self.likeness is None or words == request.keys[0].words:
            return 1.0
        try:
            async with asyncio.timeout(EMBEDDING_SECONDS):
                one, other = await self.likeness.embed(self.likeness.model, [request.keys[0].words, words])
        except (HostError, TimeoutError, ValueError) as error:
            why = str(error) or f"no answer within {EMBEDDING_SECONDS:g} s"
            request.ask.observer.scope.warn_once("The cache compares no texts", f"{self.likeness.model}: {why}")
            return None
        return cosine(one, other)

    # ---------------------------------------------------------------- the model is asked

    async def _ask(self, request: Request) -> Reply:
        """Ask the model, and keep its answer."""
        clock = request.ask.observer.scope.clock
        begun = clock()
        reply = await self.models.serve(request.ask)
        if (kept := request.kept(reply, clock() - begun)) is not None:
            self.memory.writing.add(*kept)
        return reply

    async def _digests(self, model: str, servers: tuple[str, ...]) -> Mapping[str, str]:
        """The digest of the model on each host that has it. Of a host that is silent, the one that it reported last."""
        found = await self.digests(model, servers)
        known = {host: f"{self.world}{digest}" for host, digest in found.items() if digest}
        if len(known) == len(found):
            self._note(model, servers, "digests", known)
            return known
        said = await self._read(lambda: self.shelf.noted(self._place(model, servers), "digests"))
        last = said if isinstance(said, dict) else {}
        return {**{host: last[host] for host in found if isinstance(last.get(host), str)}, **known}

    def _note(self, model: str, servers: tuple[str, ...], what: str, data: Any) -> None:
        place = self._place(model, servers)
        if self.memory.noted.get((place, what)) != data:
            self.memory.noted[place, what] = data
            self.memory.writing.change(lambda: self.shelf.note(place, what, data))

    def _place(self, model: str, servers: tuple[str, ...]) -> str:
        return " ".join([*filter(None, (self.world,)), canonical(model), *sorted(servers)])

    # ---------------------------------------------------------------- the file

    async def _read(self, read: Callable[[], T]) -> T | None:
        """What the shelf says. None if its file cannot be used: then models answer, as without a cache.

        Reading takes microseconds and waits for no other process, so it needs no thread; opening the file does.
        """
        writing = self.memory.writing
        if writing.fault:
            return None
        try:
            if not self.memory.is_open:
                await on_thread(self.shelf.open)
                self.memory.is_open = True
            return read()
        except StateBusy:
            return None  # to ask the model is better than to wait
        except StateError as error:
            writing.fault = str(error)
            return None


@dataclass(frozen=True)
class Request:
    """A request, with its keys."""

    ask: RunAsk
    digests: Mapping[str, str]
    alike: bool

    @property
    def keys(self) -> list[Key]:
        """One for each digest that the model has on the hosts."""
        return [*self._keys.values()]

    @cached_property
    def _keys(self) -> Mapping[str, Key]:
        request, digests = self.ask.request, sorted(set(self.digests.values()))
        frame = Frame(request.tools, request.format, request.options, request.think, request.num_ctx)
        return dict(zip(digests, keys_of(digests, request.messages, frame, alike=self.alike), strict=True))

    def kept(self, reply: Reply, seconds: float) -> tuple[Key, Kept] | None:
        """How to keep a reply. None: it is not kept."""
        digest = self.digests.get(reply.host)
        if digest is None or not is_answer(self.ask, reply):
            return None
        usage, message, scope = reply.usage, reply.message, self.ask.observer.scope
        tokens, model = usage.prompt_tokens + usage.output_tokens, canonical(self.ask.request.model)
        kept = Kept(model, reply.host, scope.run, message.content, message.thinking, tokens, seconds, scope.journal.now())
        return self._keys[digest], kept


def may_be_kept(ask: RunAsk, harmless: Collection[str]) -> bool:
    """Whether an answer to this request may be used again."""
    options = ask.request.options
    temperature = options.get("temperature")
    varied = isinstance(temperature, int | float) and temperature > VARIED and "seed" not in options
    if varied or not isinstance(ask.observer, LiveRecorder):
        return False
    frame = ask.observer.frame
    return all(tool["function"]["name"] in harmless for tool in orjson.loads(frame.specs or frame.tools or b"[]"))


def is_answer(ask: RunAsk, reply: Reply) -> bool:
    """Whether a reply is a whole and clear answer: without a call, without a repair, and in the form that was asked for."""
    observer = ask.observer
    if reply.done_reason != "stop" or not isinstance(observer, LiveRecorder):
        return False
    reading = observer.channel.read(reply, Seen(observer.scope.read()))
    if reading.message.calls or reading.repairs or reading.quoted or reading.unclear != CLEAR or not reading.message.content.strip():
        return False
    return ask.shape is None or not ask.shape.problems(reading.message.content)


def _reply(ask: RunAsk, kept: Kept, how: Mapping[str, Any]) -> Reply:
    """A kept answer as a reply. It costs no tokens and no time of a host."""
    observer = ask.observer
    observer.scope.hint("reading", HOST)
    if observer.on_token is not None:
        observer.on_token(kept.content)
    saved = {"saved_seconds": round(kept.seconds, 3), "saved_tokens": kept.tokens}
    placement = {**how, "of": kept.host, "run": kept.run, "made": kept.made, **saved}
    return Reply(Message("assistant", kept.content, thinking=kept.thinking), ask.request.model, HOST, placement=placement)


def _described(model: str, said: Any) -> Installed | None:
    """What hosts said of a model last. None: nothing, or what no version of MMOS has written."""
    match said:
        case [str(digest), None]:
            return Installed(model, digest)
        case [str(digest), list(can)] if all(isinstance(one, str) for one in can):
            return Installed(model, digest, capabilities=frozenset(can))
    return None
