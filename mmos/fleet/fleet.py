"""The fleet: sends each call to a host that can serve it, waits, retries and fails over, and raises only when no host can help."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, TypeVar

from mmos.config.load import Config
from mmos.config.windows import Windows
from mmos.errors import HostError, HostTimeout, ModelMissing, UsageError, WindowExceeded
from mmos.fleet import arguments, refusals
from mmos.fleet.asking import Ask, Listener
from mmos.fleet.census import CENSUS_SECONDS
from mmos.fleet.counts import MISCOUNT, Counts, window_for
from mmos.fleet.delay import Delay, delay_of
from mmos.fleet.dispatcher import Dispatcher
from mmos.fleet.fingerprints import blocks, tool_tokens
from mmos.fleet.forecasts import Forecasts
from mmos.fleet.learned import Learned
from mmos.fleet.place import Place, Recalled
from mmos.fleet.refusals import crowded_out, known_fault, lacking, nobody, overdue, rationed, without_cloud
from mmos.fleet.residents import running_time
from mmos.fleet.seats import Seat, find, first_having
from mmos.fleet.speeds import Speeds
from mmos.fleet.telling import figures
from mmos.fleet.tries import Tries, failure_of, is_final, most_tokens
from mmos.fleet.waking import may_sleep
from mmos.fleet.warmth import Warmth
from mmos.hosts.describing import with_card
from mmos.hosts.face import ChatRequest, Host, Installed, OnToken, Timeouts
from mmos.logs import logger
from mmos.messages import Message, Reply
from mmos.names import canonical
from mmos.placement.facts import Call, Standing, Standstill, Usage
from mmos.placement.profiles import SMALLEST
from mmos.prompting.budget import estimate, weigh

MANUAL = "manual"
"""The GPU strategy with which a call has only one host at a time, as configured."""

_log = logger("mmos.fleet")

Result = TypeVar("Result")
Attempt: TypeAlias = Callable[[Place], Coroutine[Any, Any, tuple[Result, Usage]]]
"""Sends a call to a place, and returns the result with its figures."""


class Fleet:
    """All hosts. `ask` sends a call to the best of them. Make a fleet with `Fleet.open`."""

    def __init__(
        self,
        seats: Iterable[Seat],
        *,
        timeouts: Timeouts | None = None,
        clock: Callable[[], float] = running_time,
        policy: str = "completion_time",
        windows: Windows | None = None,
        learned: Learned | None = None,
        strategy: str = "auto",
    ) -> None:
        self._dispatcher = Dispatcher(seats, clock, policy, windows, learned)
        self.warmth = Warmth(self._dispatcher, clock)
        """What is expected to be asked soon, so that it is loaded before."""
        self.speeds = Speeds(self.seats, self._dispatcher.estimates)
        self.forecasts = Forecasts(self.census, self._dispatcher)
        self._pins = any(seat.keep.pinned for seat in self.seats)
        self._timeouts = timeouts or Timeouts()
        self._clock = clock
        self._strategy = strategy
        self._counts = Counts()

    @classmethod
    def open(
        cls, hosts: Mapping[str, Any] | str | Path | Config, *, time_scale: float | None = None, state: str | Path | None = None
    ) -> Fleet:
        """A fleet of hosts, for `async with`.

        Args:
            hosts: `{"name": {"url": …, "parallel": …}}` with the keys of `servers` in a configuration, the path of a configuration, or one that is loaded.
            state: A folder in which MMOS keeps what it learns of the hosts, such as their speed. None: it keeps nothing.
            time_scale: 20 means that the hosts' clocks run 20 times as fast as real time (rehearsal). None: as fast as `hosts` says.

        Example::

            async with mmos.Fleet.open({"gpu1": {"url": "http://gpu1:11434"}}) as fleet:
                reply = await fleet.ask("qwen2.5:14b", [{"role": "user", "content": "Hello."}])
                print(reply.text, reply.host, reply.usage.output_tokens)
                vectors = await fleet.embed("nomic-embed-text", ["A red door.", "A blue door."])
        """
        from mmos.fleet.build import arguments_of

        return cls(**arguments_of(hosts, time_scale, state))

    def __repr__(self) -> str:
        return f"<Fleet: {', '.join(self._dispatcher.by_name) or 'no hosts'}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        await self.warmth.close()
        await self._dispatcher.close()
        await asyncio.gather(*(seat.host.close() for seat in self.seats))

    @property
    def seats(self) -> Collection[Seat]:
        return self._dispatcher.by_name.values()

    def standing(self) -> Standing:
        """What the calls of this process wait for: the loads that have not ended, and the calls in the queue."""
        return self._dispatcher.standing()

    def kept_stuck(self) -> dict[str, Standstill]:
        """The hosts that load no more, as an earlier run noticed."""
        return self._dispatcher.census.kept_stuck()

    def stuck(self) -> dict[str, HostError]:
        """The hosts that load no more, each with the error that says so."""
        return {host: refusals.stuck(self._dispatcher.by_name[host], standstill) for host, standstill in self.standing().stuck.items()}

    def host(self, name: str) -> Host:
        """The client of the host with this `name`. It lists and loads models. Raises `UsageError` if there is no such host."""
        try:
            return self._dispatcher.by_name[name].host
        except KeyError:
            raise UsageError(f"There is no host named {name!r}; hosts: {', '.join(self._dispatcher.by_name) or 'none'}.") from None

    # ---------------------------------------------------------------- asking

    async def ask(  # only two arguments have no default
        self,
        model: str | Sequence[str],
        messages: Sequence[Message | Mapping[str, Any]],
        *,
        num_ctx: int | None = None,
        session: str | None = None,
        group: str | None = None,
        urgency: Literal["interactive", "batch"] = "interactive",
        tools: Sequence[Mapping[str, Any]] | None = None,
        options: Mapping[str, Any] | None = None,
        deadline: float | None = None,
        on_token: OnToken | None = None,
    ) -> Reply:
        """Send messages unchanged to the host that serves `model` best, and wait for the reply. Raises `NoHost` when no host can serve it.

        Args:
            model: The model. Of several, the one that can answer first: `reply.model` says which.
            messages: In the format of Ollama's `/api/chat`: `{"role": "user", "content": "…"}`.
            num_ctx: The window in tokens, at least: a larger one that the model has in memory is used. None: a window that fits the messages,
                with room for later ones. Messages are never cut.
            session: Calls with the same session name go to the same host while it can serve them. Use it for the turns of one conversation.
            group: A name for the calls of one job. Jobs get fair shares of the hosts.
            urgency: "interactive" calls go before "batch" calls.
            tools: Tools that the model may call, in the format of `/api/chat`. `reply.calls` has the model's calls. You run them.
            options: Options of the model, such as `{"temperature": 0.2}`.
            deadline: Seconds until `HostTimeout`. None: until no host can serve the call.
            on_token: Called with each piece of the text.
        """
        prompt = [arguments.message(one) for one in messages]
        offer = arguments.offer(tools) if tools else b""
        arguments.check_numbers(num_ctx, options)
        weight, names = 0.0 if num_ctx else sum(map(weigh, prompt)) + estimate(offer.decode()), arguments.models(model)
        window = num_ctx or self._counts.window(names, weight)
        request, *others = (ChatRequest(name, prompt, window, tools=offer, options=options or {}) for name in names)
        ask = Ask(request, (), session or "", urgency == "interactive", Listener(on_token), not num_ctx, group or "", tuple(others))
        try:
            async with asyncio.timeout(deadline) as limit:
                reply = await (self.serve(ask) if num_ctx else self._widening(ask))
        except TimeoutError as error:
            if not limit.expired():
                raise
            stuck = self.stuck()
            raise overdue(request.model, deadline or 0.0, ask.account, map(stuck.__getitem__, ask.account.hosts & stuck.keys())) from error
        self._counts.learn(reply.model if others else request.model, weight, reply.usage.prompt_tokens)
        return reply

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of `texts`, in their order. `model` is the name of an embedding model."""
        needed = max([SMALLEST, *(int(MISCOUNT * estimate(text)) for text in texts)])

        async def call(place: Place) -> tuple[list[list[float]], Usage]:
            seat, since = place.seat, self._clock()
            window = self._dispatcher.window(place, needed)
            vectors = await seat.host.embed(model, texts, num_ctx=window, timeouts=self._timeouts.scaled(seat.time_scale))
            return vectors, Usage(0.0, (self._clock() - since) * seat.time_scale, 0.0, 0.0)

        return await self._anywhere(Ask(ChatRequest(model, (), needed), grows=True), call, self._clock())

    async def _widening(self, ask: Ask) -> Reply:
        """Serve the call in the chosen window. If the host counts more tokens than MMOS did, try once more in a larger window."""
        try:
            return await self.serve(ask)
        except WindowExceeded as error:
            window = window_for(min(error.prompt_tokens or 0, most_tokens(ask.request)))
            if window <= ask.request.num_ctx:
                raise
        request, *others = (replace(one, num_ctx=window) for one in (ask.request, *ask.others))
        return await self.serve(replace(ask, request=request, others=tuple(others)))

    async def serve(self, ask: Ask) -> Reply:
        """Serve one call, from the queue to the reply."""
        begun = self._clock()

        async def call(place: Place) -> tuple[Reply, Usage]:
            return await self._chat(place, ask, begun)

        return await self._anywhere(ask, call, begun)

    async def _anywhere(self, ask: Ask, call: Attempt[Result], begun: float) -> Result:
        """Try one host after the other until one serves the call. The error at the end has every host's error."""
        tokens = sum(map(weigh, ask.request.messages)) + tool_tokens(ask.request)
        place = self._dispatcher.express(ask, tokens, begun)
        if place is None:
            tries, wish = await self._prepare(ask, tokens)
        else:
            tries, wish = Tries(list(place.send.call.hosts)), place.send.call
        try:
            place = place or await self._place(wish, ask, tries)
            while True:
                try:
                    return await self._attempt(place, ask, call)
                except Recalled:
                    ask.account.failed("no progress")
                    ask.account.waits()
                    name = place.seat.name
                    ask.observer.failed(name, self.stuck().get(name) or refusals.silent(name, place.send.model))
                    place = await self._dispatcher.again(wish.id)
                except HostError as error:
                    self._judge(place, ask, error, tries)
                    place = await self._place(wish, ask, tries)
        finally:
            self._dispatcher.notices.leave(wish.id)
            self._dispatcher.withdraw(wish.id)

    async def _prepare(self, ask: Ask, tokens: float) -> tuple[Tries, Call]:
        """Find out which hosts may serve a call, and what they have in memory. Raises when there is none."""
        seats = [self._dispatcher.by_name[name] for name in await self._candidates(ask.models, ask.servers)]
        tries, models = Tries(without_cloud(seats, ask.models), several=bool(ask.others)), tuple(map(canonical, ask.models))
        for seat in seats:
            if seat.name in tries.hosts:
                self._wakes(seat, seat.silent, ask)
        await self._dispatcher.refresh(tries.hosts, models)
        window = self._dispatcher.settle(models, tries.hosts, ask.request.num_ctx, grows=ask.grows)
        wish = ask.wish(self._dispatcher.number(), tokens, models, tuple(tries.hosts), window)
        if self._pins and (beside := self._dispatcher.upkeep.pinned_out(wish)):
            raise crowded_out(" or ".join(ask.models), beside)
        if wish.limits and (why := self._dispatcher.upkeep.beyond(wish)):
            raise rationed(" or ".join(ask.models), why)
        marks = blocks(ask.request) if len(tries.hosts) > 1 else wish.blocks
        return tries, wish._replace(strategy=wish.strategy or self._strategy, blocks=marks)

    async def _place(self, wish: Call, ask: Ask, tries: Tries) -> Place:
        """The next place for a call. A call holds none while all its hosts need a pause. Raises when it has no host left."""
        if not tries.hosts:
            raise nobody(" or ".join(ask.models), tries.errors, ask.account.tried())
        if ask.observer.on_wait is not None:
            self._dispatcher.notices.follow(wish.id, ask.observer.on_wait)
        while not (hosts := tries.ready(self._clock())):
            seconds = tries.pause(self._clock())
            ask.account.pauses()
            self._dispatcher.withdraw(wish.id)
            self._dispatcher.notices.pauses(wish.id, seconds)
            await asyncio.sleep(seconds)
            self._dispatcher.notices.goes_on(wish.id)
        if wish.strategy == MANUAL:
            hosts = first_having([self._dispatcher.by_name[name] for name in hosts], wish.models)
        call = wish if hosts == wish.hosts else wish._replace(hosts=hosts)
        return await self._dispatcher.take(call, (ask.request, *ask.others), ask.account)

    async def _attempt(self, place: Place, ask: Ask, call: Attempt[Result]) -> Result:
        ask.account.is_on(place.seat.name, place.sent / self._dispatcher.scale)
        with place:
            result, usage = await (call(place) if place.express else self._dispatcher.carry(place, call(place)))
        now = self._clock()
        self._dispatcher.finished(place, ask, usage, now)
        place.seat.answered(place.send.model, now)
        return result

    def _judge(self, place: Place, ask: Ask, error: HostError, tries: Tries) -> None:
        """An attempt failed. Raises the error if nobody can serve the call, or the caller can use what came."""
        name, others = place.seat.name, len(tries.hosts) > 1 or tries.several
        if isinstance(error, HostTimeout) and place.begun is None and place.loads:
            error = self.stuck().get(name, error)
        if isinstance(error, ModelMissing):
            place.seat.counted_at = -math.inf  # its list is old
        _log.info("call_failed", host=name, model=place.send.model, code=error.code)
        ask.account.failed(error.code)
        ask.observer.failed(name, error)
        self._dispatcher.failed(place, failure_of(error, several=tries.several) if others else None, getattr(error, "retry_after", None))
        if ask.observer.takes(error) or is_final(error, ask.request, others=others):
            raise error
        tries.failed(name, error, self._clock(), place.seat.time_scale, wakes=self._wakes(place.seat, error, ask))

    def _wakes(self, seat: Seat, error: HostError | None, ask: Ask) -> bool:
        """Wake a host that sleeps. Returns whether it is worth waiting for."""
        if seat.waker is None or not may_sleep(error):
            return False
        seconds = seat.waker.wake(self._clock())
        ask.observer.waking(seat.name, seconds)
        return seconds > 0

    async def _chat(self, place: Place, ask: Ask, begun: float) -> tuple[Reply, Usage]:
        seat, placed_at = place.seat, place.sent / self._dispatcher.scale
        cold = place.loads or not seat.is_warm(place.send.model, placed_at)
        request = ask.request_for(place.send.model)
        needed, window = request.num_ctx, self._dispatcher.window(place, request.num_ctx)
        if cold or window != needed or (not place.express and self._dispatcher.census.has_choices):
            keep = request.keep_alive
            if place.loads and keep is None:
                keep = self._dispatcher.keeping.at_load(seat, place.send.model)
            request = replace(request, num_ctx=window, cold=cold, keep_alive=keep, on_progress=lambda: self._dispatcher.begun(place))
        if cold:
            await self._dispatcher.swaps.foresee(seat, place.send.model, alone=seat.in_flight.total() == 1)
        if not place.left:
            ask.observer.placed(seat.name, cold)
        on_token = place.listening(ask.observer.on_token) if place.loads else ask.observer.on_token
        reply = await seat.host.chat(request, timeouts=self._timeouts.scaled(seat.time_scale), on_token=on_token)
        ended = self._clock()
        _log.debug("call_served", host=seat.name, model=request.model, cold=cold, seconds=round(ended - begun, 3))
        queue_seconds = round((placed_at - begun) * seat.time_scale, 3)  # in the host's seconds, like all its figures
        took = round((ended - placed_at) * seat.time_scale, 3)
        placement: dict[str, Any] = {"host": seat.name, "warm": not cold, "queue_seconds": queue_seconds, **place.reasons, "took": took}
        if window != needed:
            placement["window"] = window
        if await self._dispatcher.swaps.told(place, loaded=reply.usage.loaded):
            placement["swap"] = True
        return Reply(reply.message, reply.model, reply.host, reply.usage, reply.done_reason, placement), figures(reply.usage)

    # ---------------------------------------------------------------- who has what

    async def _candidates(self, models: tuple[str, ...], servers: tuple[str, ...]) -> Sequence[str]:
        if servers:
            return servers
        names = list(self._dispatcher.by_name)
        if len(names) == len(models) == 1:
            return names
        for fresh in (False, True):  # the lists may be a minute old: ask again before giving up
            faults = await self.census(fresh=fresh)
            having = [seat.name for seat in self.seats if any(find(seat.installed, model) for model in models)]
            having = having or [seat.name for seat in self.seats if fresh and seat.waker and may_sleep(seat.silent)]
            if having:
                return having
        raise nobody(" or ".join(models), {seat.name: faults.get(seat.name) or lacking(seat, models[0]) for seat in self.seats})

    async def census(self, *, fresh: bool = False) -> dict[str, HostError]:
        """Ask all hosts at once which models they have. Returns the errors of those that did not answer; they, too, are not asked again for a while."""
        since = self._clock() - (0.0 if fresh else CENSUS_SECONDS)
        if stale := [seat for seat in self.seats if seat.counted_at <= since]:
            await asyncio.gather(*(self._dispatcher.census.count(seat, since) for seat in stale))
        return {seat.name: seat.silent for seat in self.seats if seat.silent is not None}

    async def look(self) -> None:
        """Ask the hosts which models they have in memory, where the last answer is old. A host that does not answer soon is not waited for."""
        await self._dispatcher.look()

    async def digests(self, model: str, servers: tuple[str, ...]) -> dict[str, str]:
        """The digest of a model on each host that has it, by lists that are at most a minute old. Empty: the host is silent."""
        return await self._dispatcher.census.digests(model, servers)

    def faults(self, model: str, servers: tuple[str, ...]) -> dict[str, HostError]:
        """Why each host cannot serve a model, by their last answers. Empty when a host can, or when one has not been asked yet."""
        found: dict[str, HostError] = {}
        for name in servers or tuple(self._dispatcher.by_name):
            fault = known_fault(self._dispatcher.by_name[name], model)
            if fault is None:
                return {}
            found[name] = fault
        return found

    def delay(self, model: str, servers: tuple[str, ...]) -> Delay:
        """How long a new call would wait now."""
        return delay_of(self._dispatcher.expected_wait(model, servers), self._dispatcher.by_name)

    async def describe(self, model: str, servers: tuple[str, ...]) -> Installed | None:
        """What the first host that knows the model says about it. None: no host can say."""
        for name in servers or tuple(self._dispatcher.by_name):
            seat = self._dispatcher.by_name[name]
            await self._dispatcher.census.count(seat, self._clock() - CENSUS_SECONDS)
            known = find(seat.installed, model)
            if known is None:
                continue
            if known.capabilities is not None:
                return known
            card = await self._dispatcher.census.card(seat, known)
            if card is None:
                continue
            known = with_card(known, card)
            if seat.installed is not None:
                seat.installed[canonical(model)] = known
            return known
        return None
