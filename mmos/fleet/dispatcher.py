"""Drives the placement engine for the hosts of a fleet: it reports what happens to it, and does what it decides."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from mmos.config.windows import Windows, load_options
from mmos.errors import HostError, HostTimeout, HostUnreachable
from mmos.fleet.account import Account
from mmos.fleet.asking import Ask
from mmos.fleet.census import Census
from mmos.fleet.express import Express
from mmos.fleet.keeping import Keeping
from mmos.fleet.learned import Learned
from mmos.fleet.loads import Loads
from mmos.fleet.looks import PATIENCE, Looks
from mmos.fleet.notices import Notices
from mmos.fleet.place import Place
from mmos.fleet.seats import Seat
from mmos.fleet.swaps import Swaps
from mmos.fleet.telling import machine_of
from mmos.hosts.face import ChatRequest, Timeouts
from mmos.logs import logger
from mmos.names import canonical
from mmos.placement.engine import Engine
from mmos.placement.facts import Call, Failure, Load, Look, Recall, Send, Standing, Unload, Usage
from mmos.placement.waiting import Wait
from mmos.placement.warming import Expected

_log = logger("mmos.fleet")

Result = TypeVar("Result")

LISTED_SECONDS = 60.0
"""A list of loaded models that is older than that, in the hosts' time, is renewed before a host is chosen."""


class Dispatcher:
    """Places calls. `take` waits for a place. Whoever got one reports `finished` or `failed`, and after a failure `take` or `withdraw`."""

    def __init__(
        self,
        seats: Iterable[Seat],
        clock: Callable[[], float],
        policy: str = "completion_time",
        windows: Windows | None = None,
        learned: Learned | None = None,
    ) -> None:
        self.by_name = {seat.name: seat for seat in seats}
        self._clock = clock
        scales = {seat.time_scale for seat in self.by_name.values()}
        self.scale = min(scales, default=1.0)
        for seat in self.by_name.values():
            seat.pace = seat.time_scale / self.scale
        self._engine = Engine([machine_of(seat) for seat in self.by_name.values()], policy=policy)
        self.warming, self.habits, self.upkeep = self._engine.warming, self._engine.habits, self._engine.upkeep
        self.estimates, self.explainer = self._engine.estimates, self._engine.explainer
        self._loads = Loads(self._engine, lambda: self.now, self._outlived)
        self._numbers = itertools.count(1)
        self.census = Census(self.by_name, self._engine, clock, windows, learned)
        self._express = Express(self._engine, self.number)
        self._names: dict[str, tuple[str, Mapping[str, Any]]] = {}
        """Each model as its last caller wrote it, and the options that it is loaded with."""
        self.keeping = Keeping(self.by_name, self._engine, self._names, self._start)
        self._open: set[str] = set()
        """Calls that wait or are on a host."""
        self._places: dict[int, Place] = {}
        self._granted: dict[str, Place] = {}
        """Places whose calls have not taken them yet."""
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._emptied: set[str] = set()
        """Hosts where a model was unloaded for the load to come."""
        self._ordered: dict[tuple[str, str], Load] = {}
        """By host and model: loads that no call has had yet."""
        self.notices = Notices(lambda calls: self._engine.explainer.outlooks(calls, self.now), self.scale)
        self._looks = Looks(self.by_name, self._engine, lambda: self.now, self._listed)
        self.swaps = Swaps(self._looks.at, lambda: self.now)
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def now(self) -> float:
        """In the hosts' seconds."""
        return self._clock() * self.scale

    def number(self) -> str:
        """A name for a new call."""
        return f"c{next(self._numbers)}"

    # ------------------------------------------------------------ calls

    def settle(self, models: Sequence[str], hosts: Iterable[str], window: int, *, grows: bool) -> int:
        """The window of a call that needs this one: the same for all calls of the model, as long as it is large enough."""
        profiles, census = self._engine.profiles, self.census
        pairs = [(host, model) for host in hosts for model in models if census.knows(host, model)]
        return min((profiles.settle(host, model, window, grows=grows) for host, model in pairs), default=window)

    def window(self, place: Place, window: int) -> int:
        """The window to send with a call that needs this one, so that no model is loaded again for nothing."""
        if not place.seat.host.abilities.sets_window:
            return window
        if place.express:
            return place.send.window or window
        return self._engine.profiles.sent(place.seat.name, place.send.model, window)

    def express(self, ask: Ask, tokens: float, now: float) -> Place | None:
        """A place for a call that has only one way, if that is clear. `now`: on the clock of MMOS."""
        now *= self.scale
        send = self._express.send(ask, tokens, now)
        if send is None:
            return None
        seat = self.by_name[send.host]
        seat.in_flight[send.model] += 1
        self._open.add(send.call.id)
        place = self._places[send.attempt] = Place(seat, send, held=seat.residents.stays, sent=now, express=True)
        return place

    async def take(self, call: Call, requests: Sequence[ChatRequest], account: Account) -> Place:
        """A place for the call, as soon as the engine gives it one. `requests`: the call to each of its models."""
        for model, request in zip(call.models, requests, strict=True):
            self._names[model] = request.model, load_options(request.options)
        now = self.now
        self._engine.upkeep.insist(call, now)
        self._engine.submit(call, now)
        self._open.add(call.id)
        self._pump()
        if call.id not in self._granted:
            account.waits(self._engine.explainer.ahead(call.id))
        return await self.again(call.id)

    async def again(self, call: str) -> Place:
        """The next place of a call that waits."""
        while call not in self._granted:
            self._waiting[call] = asyncio.get_running_loop().create_future()
            self._set_timer(self.now)
            self._poll()
            self.notices.start()
            try:
                await self._waiting[call]
            except asyncio.CancelledError:
                self.withdraw(call)
                raise
            finally:
                del self._waiting[call]
        return self._granted.pop(call)

    def expect(self, job: str, calls: Sequence[Expected], names: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
        """A job expects these calls, and no others. `names`: their models, as `take` notes them."""
        self._names.update((model, name) for model, name in names.items() if model not in self._names)
        self._engine.warming.expect(job, calls)
        self._pump()

    def standing(self) -> Standing:
        """What the fleet does now, for this process. Seconds are those of MMOS's clock."""
        now = self._engine.explainer.standing(self.now)
        loads = (replace(load, seconds=None if load.seconds is None else load.seconds / self.scale) for load in now.loads)
        stuck = {host: replace(halt, seconds=halt.seconds / self.scale) for host, halt in now.stuck.items()}
        return replace(now, loads=tuple(loads), stuck=stuck)

    def begun(self, place: Place) -> None:
        """A part of the reply has come."""
        self._loads.begun(place)
        if self._engine.progress(place.send.attempt, self.now):
            self._pump()

    async def carry(self, place: Place, work: Coroutine[Any, Any, Result]) -> Result:
        """Do the work of a call. If it is cancelled while its host loads the model for it, the load may go on."""
        return await self._loads.carry(place, work)

    def finished(self, place: Place, ask: Ask, usage: Usage, now: float) -> None:
        """An attempt brought a reply. `now`: on the clock of MMOS."""
        send = place.send
        self._leave(send.attempt)
        if place.seat.pace != 1.0:
            usage = usage.slowed(place.seat.pace)
        now *= self.scale
        if self._engine.finished(send.attempt, usage, now):
            self._open.discard(send.call.id)
            if not place.express:
                self._express.learn(ask, send.call)
        self.census.keep()
        if now >= self.keeping.due:
            self.keeping.review(now)
        self._pump()

    def failed(self, place: Place, failure: Failure | None, pause: float | None = None) -> None:
        """An attempt failed. Its call takes part again when the caller says for which hosts it waits."""
        self._leave(place.send.attempt)
        self._engine.failed(place.send.attempt, failure, self.now, pause)

    def withdraw(self, call: str) -> None:
        """A call is not wanted any more, or not now."""
        if call not in self._open:
            return
        self._open.remove(call)
        attempt = self._engine.withdraw(call, self.now)
        self._granted.pop(call, None)
        if attempt is not None:
            self._leave(attempt)
        self._pump()

    def expected_wait(self, model: str, hosts: Collection[str]) -> Wait | None:
        """How long a new call would wait, in the hosts' seconds. None: nobody knows."""
        return self._engine.explainer.expected_wait(canonical(model), hosts, self.now)

    def _leave(self, attempt: int) -> None:
        place = self._places.pop(attempt, None)
        if place is not None:
            place.seat.in_flight[place.send.model] -= 1

    async def close(self) -> None:
        self.notices.close()
        if self._timer is not None:
            self._timer.cancel()
        await self._loads.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self._looks.close(), self.census.close(), return_exceptions=True)

    # ------------------------------------------------------------ what the engine decides

    def _pump(self) -> None:
        if not self._engine.is_quiet:
            self._decide()

    def _decide(self) -> None:
        """Do what the engine decides. What is done at once may lead to more decisions."""
        now = self.now
        again = True
        while again:
            again = False
            for decision in self._engine.decide(now):
                again = self._do(decision, now) or again
        self._loads.make_way()
        self._set_timer(now)

    def _do(self, decision: Send | Recall | Load | Unload | Look, now: float) -> bool:
        """Do one thing. Returns whether the engine may have more to decide."""
        match decision:
            case Send():
                self._grant(decision)
            case Recall():
                place = self._places[decision.attempt]
                self._leave(decision.attempt)
                self._granted.pop(decision.call.id, None)  # it had not been taken yet
                place.recall()
            case Load():
                return self._load(decision, now)
            case Unload() if decision.rescue or self._engine.upkeep.stays(decision.host):
                self.by_name[decision.host].warm.pop(decision.model, None)
                if not decision.rescue:
                    self._emptied.add(decision.host)
                self._start(self._unload(decision))
            case Unload():  # the host has to make room for the load, and can unload only this model
                self.by_name[decision.host].warm.pop(decision.model, None)
                self._engine.upkeep.unloaded(decision.host, decision.model, now)
                return True
            case Look() if self.census.has_choices or self._engine.stuck.watches:
                self._looks.at(decision.host)
        return False

    def _grant(self, send: Send, *, loads: bool = False, emptied: bool = False) -> None:
        seat = self.by_name[send.host]
        seat.in_flight[send.model] += 1
        load = self._ordered.pop((send.host, send.model), None) if self._ordered else None
        place = Place(seat, send, loads, emptied, load, seat.residents.stays, self.now)
        self._places[send.attempt] = self._granted[send.call.id] = place
        if send.terms.wait > 0:
            self.notices.start()
        waiting = self._waiting.get(send.call.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _load(self, load: Load, now: float) -> bool:
        """A call that waits for a model is its load: so its reply says what the load took."""
        self._ordered[load.host, load.model] = load
        emptied = load.host in self._emptied
        self._emptied.discard(load.host)
        send = self._engine.board(load, now)
        if send is None:
            self._loads.watch(load.host, self._start(self._preload(load, emptied=emptied)))
            return False
        self._grant(send, loads=True, emptied=emptied)
        if self._unsized():
            self._poll()
        return True

    def _outlived(self, place: Place | None) -> None:
        """A load without its call has ended, if there is a `place`, or it was lost."""
        if place is not None:
            self._start(self.swaps.ended(place.seat, place.send.model, place.sent, emptied=place.emptied, since=place.begun))
        self._pump()

    def _set_timer(self, now: float) -> None:
        """Wake when the engine wants it. A timer that rings too early does no harm, and is cheaper than a new one for each call."""
        wakes = self._waiting or len(self.by_name) > 1 or self._engine.stuck.watches or self.warming.next
        moment = self._engine.wake(now) if wakes else None
        if moment is None:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + max(0.0, moment - now) / self.scale + 1e-4
        if self._timer is None or self._timer.when() > due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._decide()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _unload(self, unload: Unload) -> None:
        host, done = unload.host, True
        await self.keeping.told(host, unload.model)
        try:
            await self.by_name[host].host.unload(self._names.get(unload.model, (unload.model, {}))[0])
        except (HostUnreachable, HostTimeout) as error:
            if done := getattr(error, "stage", "") == "unload":  # it answers, and keeps the model
                self._engine.stuck.keeps(host, unload.model, self.now)
        except HostError as error:
            _log.warning("host_refuses_to_unload", host=host, code=error.code)
            self._engine.upkeep.disobeys(host, self.now)
        self._engine.upkeep.unloaded(host, unload.model, self.now, done=done)
        self._pump()

    async def _preload(self, load: Load, *, emptied: bool) -> None:
        seat, (name, options) = self.by_name[load.host], self._names.get(load.model, (load.model, {}))
        await self.swaps.foresee(seat, load.model, alone=not seat.in_flight.total())
        since, keep = self.now, self.keeping.at_load(seat, load.model)
        try:
            await seat.host.preload(
                name, num_ctx=load.window, options=options, keep_alive=keep, timeouts=Timeouts().scaled(seat.time_scale)
            )
        except HostError:
            self._ordered.pop((load.host, load.model), None)
            self._engine.upkeep.load_failed(load.host, load.model, "error", self.now)
        except asyncio.CancelledError:
            self._engine.upkeep.given_up(load.host, load.model, self.now)
            raise
        else:
            self._engine.upkeep.loaded(load.host, load.model, self.now - since, self.now)
            seat.answered(load.model, self._clock())
            await self.swaps.ended(seat, load.model, since, emptied=emptied)
        self._pump()

    # ------------------------------------------------------------ what hosts have

    def _poll(self) -> None:
        """Look at hosts again and again while calls wait, or models are loaded where nobody knows whether they fit."""
        if self.census.has_choices:
            self._looks.poll(lambda: list(self.by_name) if self._waiting else self._unsized(), self.scale)

    def _unsized(self) -> list[str]:
        """Hosts of unknown memory that load a model: when it is there, they show whether it fits."""
        return [place.seat.name for place in self._places.values() if place.loads and place.begun is None and place.seat.memory is None]

    def _listed(self) -> None:
        """A host has listed its loaded models."""
        if self._engine.stuck.hosts:
            self.census.keep()
        self._pump()

    async def refresh(self, hosts: Sequence[str], models: Sequence[str]) -> None:
        """Before a host is chosen: renew the lists of loaded models that are old, and ask for the size of a model that may be loaded.

        A host that does not answer soon is not waited for.
        """
        for host in hosts:
            self.census.know(host, models)
        since = self.now - LISTED_SECONDS
        absent = [host for host in hosts if not any(self._engine.profiles.is_there(host, model) for model in models)]
        asked = hosts if len(hosts) > 1 else absent
        old = (host for host in asked if host in self._looks.open or self.by_name[host].residents.asking <= since)
        tasks = [look for host in old if (look := self._looks.at(host))]
        sizes = [task for host in absent for model in models if (task := self.census.learn(host, model))]
        if len(absent) == len(hosts):
            tasks += sizes
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE)

    async def look(self) -> None:
        """Renew the lists of loaded models that are old."""
        since = self.now - LISTED_SECONDS
        old = [host for host, seat in self.by_name.items() if seat.residents.asking <= since]
        if looks := [look for host in old if (look := self._looks.at(host))]:
            await asyncio.wait(looks, timeout=PATIENCE)
