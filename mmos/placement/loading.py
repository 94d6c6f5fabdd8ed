"""Decides which model is worth a load on which host: the waiting that it saves against the waiting of those that it pushes out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mmos.placement.allowances import allows
from mmos.placement.copies import Copy, Host, Plan, State
from mmos.placement.facts import Limit
from mmos.placement.fluid import Tap, drained_at, waiting
from mmos.placement.ledger import Ledger
from mmos.placement.lines import Line
from mmos.placement.strategies import Candidate, preferred

PRICED = 0.5
"""Seconds for which the price of a copy holds, if nothing was loaded or unloaded."""
BATCH_WEIGHT = 0.3
"""What a second of waiting counts for a batch call."""
LEAST_GAIN = 1.0
"""Seconds of waiting that a load must save, even if it costs nobody anything."""
QUANTUM = 3.0
"""A model with waiting calls stays for this many times the time of the loads, before the patience of others may push it out."""
RARE = 1e-4
"""With fewer calls a second than that, a model is not missed."""
WEIGHED = 3
"""Hosts for which the effects of a load are computed exactly."""
MUCH_SLOWER = 2.5
"""A host where a model is so much slower, because its memory is too small, is used only when there is no other."""


@dataclass(slots=True)
class Pool:
    """Lines that may use the same models on the same hosts, as one queue with all copies that serve it."""

    models: tuple[str, ...]
    hosts: tuple[str, ...]
    lines: list[Line] = field(default_factory=list)
    own: float = 0.0
    """Calls that wait in its lines."""
    count: float = 0.0
    """Calls that wait before its servers: its own, and a part of those of other pools with the same servers."""
    arriving: float = 0.0
    weight: float = 1.0
    """The mean weight of a call."""
    prompt: float = 0.0
    output: float = 0.0
    taps: dict[Copy, Tap] = field(default_factory=dict)
    times: dict[Copy, float] = field(default_factory=dict)
    counted: bool = False
    best: float | None = None
    """The time of a usual call on the fastest server."""
    quiet: float | None = None
    """Seconds until nobody waits any more."""
    kept: float | None = None
    """The waiting until the horizon, if nothing changes."""

    def allows(self, copy: Copy) -> bool:
        return copy.model in self.models and (not self.hosts or copy.host.name in self.hosts)

    def seconds(self, copy: Copy) -> float:
        """The time of a usual call on a copy."""
        known = self.times.get(copy)
        if known is None:
            known = self.times[copy] = max(copy.seconds(self.prompt, self.output), 1e-3)
        return known

    def fastest(self, without: Sequence[Copy] = ()) -> float:
        """The time of a usual call on the fastest server. Infinite: there is none."""
        if self.best is None:
            self.best = min(map(self.seconds, self.taps), default=math.inf)
        if not without or not self.taps or all(self.seconds(copy) > self.best for copy in without):
            return self.best
        return min([self.seconds(copy) for copy in self.taps if copy not in without], default=math.inf)

    def tap(self, copy: Copy, ready: float) -> Tap:
        """A copy that takes calls in `ready` seconds. The mean call ends when the middle of it has flown out, so the waiting is that until the answers."""
        seconds = self.seconds(copy)
        at_once = min(max(self.own, 1.0), copy.slots)
        return ready + seconds * (1.0 - at_once / (2.0 * copy.slots)), copy.slots / seconds


class Prices:
    """What it would cost to unload each copy for a moment. It only sorts the candidates, so it may be a little old: it takes half the time of a decision."""

    def __init__(self) -> None:
        self._epoch, self._since = -1, -math.inf
        self._prices: dict[Copy, float] = {}

    def at(self, epoch: int, now: float) -> dict[Copy, float]:
        """The prices that still hold."""
        if epoch != self._epoch or now - self._since > PRICED:
            self._epoch, self._since, self._prices = epoch, now, {}
        return self._prices


class Loader:
    """Weighs loads. It lives for one decision: each queue and its servers are counted once."""

    def __init__(
        self, ledger: Ledger, lines: Iterable[Line], serving: Callable[[Line, float], list[Copy]], now: float, prices: Prices
    ) -> None:
        self._ledger = ledger
        self._serving = serving
        self._planned = [host.plan.copy for host in ledger.hosts.values() if host.plan is not None and _goes_on(host, now)]
        self._settings = ledger.settings
        self._now = now
        self._pools: dict[tuple[tuple[str, ...], tuple[str, ...], int, tuple[Limit, ...]], Pool] = {}
        self._by_model: dict[str, list[Pool]] = {}
        self._prices = prices.at(ledger.epoch, now)
        for line in lines:
            self._add(line)
        self._coming = self._followers()

    def _add(self, line: Line) -> None:
        models, hosts, window, _, limits = line.kind
        pool = self._pools.get((models, hosts, window, limits))
        if pool is None:
            pool = self._pools[models, hosts, window, limits] = Pool(models, hosts)
            for model in models:
                self._by_model.setdefault(model, []).append(pool)
        pool.lines.append(line)

    def _followers(self) -> dict[str, float]:
        """How many calls a second the calls on the hosts will bring for each model, by what followed such calls before."""
        rates: dict[str, float] = {}
        for copy in {flight.copy: None for flight in self._ledger.flights.values()}:
            rates[copy.model] = rates.get(copy.model, 0.0) + min(len(copy.flights), copy.slots) / copy.usual
        coming: dict[str, float] = {}
        for model, rate in rates.items():
            for follower, count in self._ledger.sequence.after(model).items():
                coming[follower] = coming.get(follower, 0.0) + count * rate
        return coming

    def best(self, line: Line) -> Plan | None:
        """The best load for a line, if one is worth it."""
        pool = self.pool(line)
        forced = bool(len(line)) and self._now - line.oldest.since > self._patience(line) and not pool.taps
        if not forced and self._waiting(pool, pool.taps.values(), pool.arriving) + self._crowding(pool) < LEAST_GAIN:
            return None
        candidates = [self._candidate(copy, line) for model in pool.models for copy in self.loadable(model, *line.kind[1:3])]
        limits = line.kind[4]
        allowed = [one for one in candidates if one is not None and (not limits or allows(self._ledger, limits, one.copy, one.window))]
        plan = self._best_of(pool, preferred(line, allowed), forced)
        if plan is not None:
            plan.limits = limits
        return plan

    # ------------------------------------------------------------ what there is

    def pool(self, line: Line) -> Pool:
        """The queue that a line belongs to."""
        return self._counted(self._pools[(*line.kind[:3], line.kind[4])])

    def _counted(self, pool: Pool) -> Pool:
        """The pool with its calls counted, and those that share its servers."""
        if not pool.counted:
            pool.counted = True
            self._serve(pool)
            pool.count = pool.own
            rivals = {id(rival): rival for model in pool.models for rival in self._by_model[model] if rival is not pool}
            for rival in rivals.values():
                self._serve(rival)
                if rival.own and rival.taps:
                    shared = sum(tap[1] for copy, tap in rival.taps.items() if copy in pool.taps)
                    pool.count += rival.own * shared / sum(tap[1] for tap in rival.taps.values())
        return pool

    def _serve(self, pool: Pool) -> None:
        """Count a pool's own calls, and find its servers."""
        if pool.prompt:
            return
        lines, now = pool.lines, self._now
        pool.own = sum(map(len, lines))
        pool.weight = _weight(lines, now)
        longest = max(lines, key=len)
        pool.prompt, pool.output = longest.prompt, longest.output
        pool.arriving = max(sum(line.flow.rate(now) for line in lines), sum(self._coming.get(model, 0.0) for model in pool.models))
        for copy in self._serving(lines[0], now):
            pool.taps[copy] = pool.tap(copy, copy.free_at(now))
        for copy in self._planned:
            if pool.allows(copy):
                pool.taps[copy] = pool.tap(copy, max(0.0, copy.ready - now))

    def loadable(self, model: str, hosts: tuple[str, ...], window: int) -> list[Copy]:
        """The copies of a model that could be loaded for calls with this window."""
        copies = [
            copy
            for copy in self._ledger.having((model,), hosts)
            if copy.host.obeys
            and copy.breaker.until <= self._now
            and copy.host.takes_calls(self._now)
            and copy.host.breaker.loads(self._now)
        ]
        fits = [copy for copy in copies if copy.host.memory.slowness(copy.bytes(window)) < MUCH_SLOWER]
        return [
            copy
            for copy in fits or copies
            if copy.host.plan is None and (copy.state is State.ABSENT or (copy.state is State.RESIDENT and not copy.holds(window)))
        ]

    # ------------------------------------------------------------ who must leave

    def _candidate(self, copy: Copy, line: Line) -> Candidate | None:
        pools = [pool for pool in self._by_model[copy.model] if pool.allows(copy)]
        wanted = [other.kind[2] for pool in pools for other in pool.lines if len(other)]
        window = copy.cut(max(copy.window, copy.least, line.kind[2], *wanted))
        victims = self.victims(copy, window)
        if victims is None:
            return None
        drain = max((self._end(victim) for victim in victims), default=0.0)
        busy = max((self._until_quiet(victim) for victim in victims), default=0.0)
        return Candidate(copy, window, victims, drain, max(drain, busy))

    def victims(self, copy: Copy, window: int) -> tuple[Copy, ...] | None:
        """The cheapest models to unload, so that this one fits. None: it cannot be made to fit."""
        host = copy.host
        kept = [other for other in host.residents if other is not copy]
        victims = [copy] if copy.state is State.RESIDENT else []
        size = copy.claim(window)
        if host.memory.fits(size, [other.bytes() for other in kept]):
            return tuple(victims)
        movable = [other for other in kept if other.state is State.RESIDENT and not self._must_stay(other)]
        movable.sort(key=lambda other: (self.keeping(other) / max(1.0, other.bytes()), other.model))
        for other in movable:
            victims.append(other)
            kept.remove(other)
            if host.memory.fits(size, [left.bytes() for left in kept]):
                return self._needed(host, size, victims, kept)
        return None

    def _must_stay(self, copy: Copy) -> bool:
        """Whether it is pinned, and no other host that pins the model holds it."""
        return copy.pinned and not any(
            other.pinned and other is not copy and other.state is State.RESIDENT and not other.leaving
            for other in self._ledger.by_model[copy.model]
        )

    def keeping(self, copy: Copy) -> float:
        """What it would cost to unload a copy for a moment."""
        known = self._prices.get(copy)
        if known is None:
            known = self._prices[copy] = self._loss(copy, (copy,), copy.load)
        return known

    def _needed(self, host: Host, size: float, victims: list[Copy], kept: list[Copy]) -> tuple[Copy, ...]:
        """The victims without those that can stay after all."""
        for victim in list(victims[:-1]):
            beside = [other.bytes() for other in (*kept, victim)]
            if victim.state is State.RESIDENT and host.memory.fits(size, beside):
                victims.remove(victim)
                kept.append(victim)
        return tuple(victims)

    def _end(self, copy: Copy) -> float:
        """Seconds until the calls on a copy have ended."""
        if not copy.flights:
            return 0.0
        now = self._now
        return max(
            0.0, *(flight.sent + flight.send.terms.wait + flight.seconds - now for flight in copy.flights.values()), 0.1 * copy.usual
        )

    def _until_quiet(self, copy: Copy) -> float:
        """Seconds until nobody waits for a copy any more."""
        pool = self._busiest(copy)
        if pool is None:
            return 0.0
        if pool.quiet is not None:
            return pool.quiet
        spare = 1.0 - pool.arriving / max(sum(speed for _, speed in pool.taps.values()), 1e-9)
        taken = drained_at(pool.count, pool.taps.values())
        pool.quiet = min(self._settings.horizon, taken / spare if spare > 0 else math.inf)
        return pool.quiet

    # ------------------------------------------------------------ what it is worth

    def _best_of(self, pool: Pool, candidates: Sequence[Candidate], forced: bool) -> Plan | None:
        """The candidate with the largest advantage. What the victims lose is first taken from a table, and computed for the most promising ones."""
        if not candidates:
            return None
        gains = self._gains(pool, candidates)
        rough = [(gain - sum(map(self.keeping, candidate.victims)), place) for place, (gain, candidate) in enumerate(gains)]
        best: tuple[float, Plan] | None = None
        for _, place in sorted(rough, key=lambda pair: (-pair[0], pair[1]))[:WEIGHED]:
            gain, candidate = gains[place]
            loss = self._price(candidate, pool)
            need = pool.weight * self._settings.hysteresis if candidate.victims else LEAST_GAIN
            if forced and all(self._had_its_time(victim, candidate.copy) for victim in candidate.victims):
                need = -math.inf
            if gain - loss > need and (best is None or gain - loss > best[0]):
                best = gain - loss, Plan(candidate.copy, candidate.window, candidate.victims, gain, loss)
        return best[1] if best else None

    def _gains(self, pool: Pool, candidates: Sequence[Candidate]) -> list[tuple[float, Candidate]]:
        """The waiting that each load would save. One that pushes nothing out may count on the calls to come; another must be worth it for those that wait.

        A load on a busy host is compared with the same load later, when the first host is quiet.
        """
        taps = list(pool.taps.values())
        never, growing = self._waiting(pool, taps), self._waiting(pool, taps, pool.arriving)
        rest = min(candidates, key=lambda candidate: (candidate.busy + candidate.copy.load, candidate.copy.host.name))
        later = min(never, self._waiting(pool, [*taps, pool.tap(rest.copy, rest.busy + rest.copy.load)]))
        usual = pool.fastest() if taps else max(pool.seconds(candidate.copy) for candidate in candidates)
        made = []
        for candidate in candidates:
            with_it = [*taps, pool.tap(candidate.copy, candidate.ready)]
            if candidate.victims:
                gain = (never if candidate.busy <= candidate.drain else later) - self._waiting(pool, with_it)
            else:
                gain = growing - self._waiting(pool, with_it, pool.arriving) + self._crowding(pool)
            made.append((gain + self._faster(pool, usual, pool.seconds(candidate.copy)), candidate))
        return made

    def _faster(self, pool: Pool, before: float, after: float) -> float:
        """What the calls to come save when they go to a faster host."""
        if before <= after or math.isinf(before):
            return 0.0
        return pool.weight * pool.arriving * self._settings.horizon * (before - after)

    def _crowding(self, pool: Pool) -> float:
        """What the calls to come save when another cache takes some of their sessions."""
        return pool.weight * self._settings.horizon * sum(line.displaced * line.flow.rate(self._now) for line in pool.lines)

    def _waiting(self, pool: Pool, taps: Iterable[Tap], arriving: float = 0.0) -> float:
        return pool.weight * waiting(pool.count, arriving, taps, self._settings.horizon)

    def _price(self, candidate: Candidate, pool: Pool) -> float:
        """The waiting that the victims' calls will have."""
        if not candidate.victims:
            return 0.0
        served = drained_at(pool.count, [*pool.taps.values(), pool.tap(candidate.copy, candidate.ready)])
        gone = min(self._settings.horizon, max(served, candidate.ready))
        return sum(
            self._loss(victim, candidate.victims, gone + victim.load) for victim in candidate.victims if victim is not candidate.copy
        )

    def _loss(self, copy: Copy, victims: Sequence[Copy], back: float) -> float:
        """What it costs when a copy is gone until `back`: the queues that grow, and the next load."""
        pools = [self._counted(pool) for pool in self._by_model.get(copy.model, ()) if pool.allows(copy)]
        return sum(self._loss_of(pool, copy, victims, back) for pool in pools)

    def _loss_of(self, pool: Pool, copy: Copy, victims: Sequence[Copy], back: float) -> float:
        horizon = self._settings.horizon
        if pool.kept is None:
            pool.kept = waiting(pool.count, pool.arriving, pool.taps.values(), horizon)
        taps = [tap for other, tap in pool.taps.items() if other not in victims]
        loss = pool.weight * (1.0 - math.exp(-pool.arriving * horizon)) * copy.load * (self._settings.replica if taps else 1.0)
        if pool.count or pool.arriving > RARE:
            gone = waiting(pool.count, pool.arriving, [*taps, pool.tap(copy, back)], horizon)
            mine = (pool.own + pool.arriving) / (pool.count + pool.arriving) if pool.count else 1.0
            loss += pool.weight * mine * max(0.0, gone - pool.kept)
            loss += self._faster(pool, pool.fastest(victims) if taps else self._next_fastest(pool, copy.host), pool.fastest())
        return loss

    def _next_fastest(self, pool: Pool, host: Host) -> float:
        """The time of a usual call where the model would be loaded next."""
        copies = self._ledger.having(pool.models, pool.hosts)
        return min((pool.seconds(copy) for copy in copies if copy.host is not host), default=math.inf)

    def _busiest(self, copy: Copy) -> Pool | None:
        """The longest queue before a copy."""
        pools = [self._counted(pool) for pool in self._by_model.get(copy.model, ()) if pool.allows(copy)]
        return max((pool for pool in pools if pool.own), key=lambda pool: pool.count, default=None)

    def _had_its_time(self, victim: Copy, copy: Copy) -> bool:
        return self._busiest(victim) is None or self._now - victim.since >= QUANTUM * (victim.load + copy.load)

    def _patience(self, line: Line) -> float:
        return self._settings.patience if line.kind[3] else self._settings.batch_patience


def _weight(lines: Sequence[Line], now: float) -> float:
    """What a second of waiting counts for the calls of these lines: those that wait, or else those that came lately."""
    counts: list[float] = [len(line) for line in lines]
    if not any(counts):
        counts = [line.flow.rate(now) for line in lines]
    batch = sum(count for count, line in zip(counts, lines, strict=True) if not line.kind[3])
    return 1.0 - (1.0 - BATCH_WEIGHT) * batch / sum(counts) if batch else 1.0


def _goes_on(host: Host, now: float) -> bool:
    """Whether a load that is planned there can be counted on."""
    return not host.breaker.is_open(now) and host.breaker.stuck is None
