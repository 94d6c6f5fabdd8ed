"""Sends waiting calls: each to the host where it ends first, but only when that host can take it, so that the others stay free to choose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmos.placement.allowances import allows
from mmos.placement.copies import Copy, State
from mmos.placement.cost import Price, price, total
from mmos.placement.fluid import drained_at
from mmos.placement.ledger import Ledger
from mmos.placement.lines import Line, Waiting
from mmos.placement.policies import Memo, Policy, pick
from mmos.placement.prefixes import Slot

LOOKED_AT = 24
"""Calls of a line that are looked at, when the first ones had better wait for a busy host."""
WORTH_WARM = 0.5
"""Seconds of reading that the cache must save, so that a call goes before others."""
WARM_LEAD = 60.0
"""A call may go before others for the cache's sake only if its turn is at most this many seconds of work later."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A call and the host that it goes to."""

    waiting: Waiting
    copy: Copy
    price: Price
    weighed: Sequence[tuple[Price, Copy]] = ()
    """All copies that were compared."""


class Sender:
    """Chooses hosts for the waiting calls of one line after the other."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._servers: dict[Line, tuple[int, list[Copy]]] = {}

    def servers(self, line: Line, now: float) -> list[Copy]:
        """The loaded copies that can serve a line, those that are busy included."""
        known = self._servers.get(line)
        if known is None or known[0] != self._ledger.epoch:
            known = self._servers[line] = self._ledger.epoch, self._serving(line)
        return [copy for copy in known[1] if copy.closed_until <= now and self.may_use(line, copy)]

    def may_use(self, line: Line, copy: Copy) -> bool:
        """Whether the limits of a line let it use a copy now."""
        return not line.kind[4] or allows(self._ledger, line.kind[4], copy)

    def _serving(self, line: Line) -> list[Copy]:
        models, hosts, window, *_ = line.kind
        return [copy for copy in self._ledger.having(models, hosts) if (copy.serves or copy.is_coming) and copy.holds(window)]

    def forget(self, line: Line) -> None:
        self._servers.pop(line, None)

    def choose(self, line: Line, now: float) -> Iterator[Choice]:
        """What to send now. The caller sends each before it asks for the next."""
        if not line.kind[4]:
            yield from self._choose(line, now)
            return
        while len(line) and (choice := next(self._choose(line, now), None)) is not None:  # each changes what the next may use
            yield choice

    def _choose(self, line: Line, now: float) -> Iterator[Choice]:
        servers = self.servers(line, now)
        ready = [copy for copy in servers if self.has_room(copy, line, now)]
        if not ready:
            return
        if (choice := self._undisputed(line, servers, now)) is not None:
            yield choice
            return
        if now - line.oldest.since > self._bypass(line):
            yield self._best(line.oldest, ready, now)
        yield from self._warm(line, ready, now)
        yield from self._in_turn(line, servers, now)

    def only(self, line: Line, now: float) -> Choice | None:
        """The only way to serve the only call of a line: on a free copy, when no other host has the model."""
        if len(self._ledger.having(line.kind[0])) != 1:
            return None
        return self._undisputed(line, self.servers(line, now), now)

    def _undisputed(self, line: Line, servers: Sequence[Copy], now: float) -> Choice | None:
        """One call, and one copy that works on nothing: there is nothing to weigh."""
        if not len(line) == len(servers) == 1 or servers[0].flights or not self.has_room(servers[0], line, now):
            return None
        return Choice(line.first, servers[0], price(self._ledger, servers[0], line.first, now, 0.0))

    def hopes(self, choice: Choice, now: float) -> bool:
        """Whether a call could end sooner where its model would have to be loaded first."""
        call, limit = choice.waiting.call, total(choice.price) - self._ledger.settings.hysteresis
        output = self._ledger.output(call, choice.copy.model)
        return any(
            copy.state is State.ABSENT
            and copy.host.plan is None
            and copy.load + copy.seconds(call.prompt_tokens, output) < limit
            and copy.host.obeys
            and copy.closed_until <= now
            for copy in self._ledger.having(call.models, call.hosts)
        )

    def at_once(self, policy: Policy, line: Line, memo: Memo, now: float) -> Iterator[Choice]:
        """What a classic policy does: it sends each call at once, to any host that has the model."""
        models, hosts, *_ = line.kind
        having = self._ledger.having(models, hosts)
        for waiting in list(line):
            copies = [copy for copy in having if copy.breaker.until <= now and copy.host.takes_calls(now) and self.may_use(line, copy)]
            if not copies:
                return
            copy = pick(policy, copies, waiting.call, memo)
            yield Choice(waiting, copy, price(self._ledger, copy, waiting, now, 0.0))

    def has_room(self, copy: Copy, line: Line, now: float) -> bool:
        host = copy.host
        takes = copy.state is State.RESIDENT or (self._follows(copy, line, now) and host.breaker.stuck is None)
        if not takes or copy.doubted > now or len(copy.flights) >= copy.slots + self._ledger.settings.ahead:
            return False
        return not ((host.breaker.on_trial and host.in_flight) or (copy.breaker.on_trial and copy.flights))

    def _follows(self, copy: Copy, line: Line, now: float) -> bool:
        """Whether calls of a line go to a model that another call loads: when the load should have ended, or at once if no other host can serve them."""
        is_ridden = copy.state is State.LOADING and copy.ridden and not copy.returning
        return is_ridden and (copy.ready <= now or len(self._ledger.having(line.kind[0], line.kind[1])) == 1)

    def turn(self, line: Line, now: float) -> tuple[int, float, float]:
        """The order of lines: those with a call that has waited too long, then interactive ones, then by turn."""
        latest = line.oldest.since + self._bypass(line)
        return (0, latest, 0.0) if now > latest else (1, not line.kind[3], line.first.tag)

    def _bypass(self, line: Line) -> float:
        """Seconds after which a call goes before all others."""
        return self._ledger.settings.bypass if line.kind[3] else self._ledger.settings.batch_bypass

    def _best(self, waiting: Waiting, copies: Sequence[Copy], now: float) -> Choice:
        prices = [(price(self._ledger, copy, waiting, now, 0.0), copy) for copy in copies]
        best, copy = min(prices, key=lambda pair: (total(pair[0]), pair[1].host.name))
        return Choice(waiting, copy, best, prices)

    def _warm(self, line: Line, ready: Sequence[Copy], now: float) -> Iterator[Choice]:
        """Calls whose prompts begin like those that a host with room holds."""
        for copy in ready:
            for slot in copy.prefixes.slots:
                while self.has_room(copy, line, now) and (waiting := self._follower(line, copy, slot)) is not None:
                    yield Choice(waiting, copy, price(self._ledger, copy, waiting, now, 0.0))

    def _follower(self, line: Line, copy: Copy, slot: Slot) -> Waiting | None:
        """A waiting call that may go before others, because a slot holds the beginning of its prompt."""
        waiting = line.continuing(slot.marks)
        if waiting is None or waiting.tag >= line.first.tag + WARM_LEAD:
            return None
        return waiting if slot.holds(waiting.call) * copy.read > WORTH_WARM else None

    def _in_turn(self, line: Line, servers: Sequence[Copy], now: float) -> Iterator[Choice]:
        """The calls by turn. One that had better wait for a busy host is passed over, and counts there."""
        promised: dict[Copy, float] = {}
        passed = 0
        for waiting in line:
            ready = [copy for copy in servers if self.has_room(copy, line, now)]
            if not ready or passed >= LOOKED_AT or (passed == 0 and not self._worth(line, ready, servers, now)):
                return
            prices = [(price(self._ledger, copy, waiting, now, promised.get(copy, 0.0)), copy) for copy in servers]
            best = min(prices, key=lambda pair: (total(pair[0]), pair[1].host.name))
            if best[1] in ready:
                yield Choice(waiting, best[1], best[0], prices)
            else:
                promised[best[1]] = promised.get(best[1], 0.0) + 1.0
                passed += 1

    def _worth(self, line: Line, ready: Sequence[Copy], servers: Sequence[Copy], now: float) -> bool:
        """Whether any host with room would end a call before the others have taken all calls of the line."""
        busy = [copy for copy in servers if copy not in ready]
        if not busy:
            return True
        taken = drained_at(len(line), [(copy.free_at(now), copy.slots / max(copy.usual, 1e-3)) for copy in busy])
        fastest = min(copy.seconds(line.prompt, line.output) for copy in busy)
        return any(copy.free_at(now) + copy.seconds(line.prompt, line.output) <= taken + fastest for copy in ready)
