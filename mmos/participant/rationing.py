"""Keeps roles and threads within their quotas: the key `fleet.quotas`. The engine keeps them within what they may use at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from mmos.config.schema import Share
from mmos.errors import NoHost
from mmos.events import Entry, ModelReplied
from mmos.messages import Reply, Usage
from mmos.participant.models import RunAsk, Wrapper
from mmos.placement.facts import Limit
from mmos.placement.quotas import EACH_THREAD, Excess, Quota, Quotas


@dataclass(frozen=True)
class Rationed(Wrapper):
    """Lets a call beyond its quota wait behind all others, or refuses it."""

    quotas: Quotas = field(default_factory=Quotas)
    shares: Mapping[str, Share] = field(default_factory=dict)
    """What each role, and each thread, may use at once."""

    async def serve(self, ask: RunAsk) -> Reply:
        if not self.shares:
            return await self.models.serve(ask)
        scope, role = ask.observer.scope, ask.observer.event.role
        ask = replace(ask, limits=tuple(self._limits(role, scope.thread)))
        excess = self.quotas.excess(role, scope.thread, scope.clock())
        if excess is not None:
            if excess.quota.refuses:
                raise NoHost(f"{role}: {_used_up(excess)}.", model=ask.request.model, next_step="Try again then, or change fleet.quotas.")
            scope.warn_once(f"{role}: its calls wait behind all others", f"{_used_up(excess)}.")
            ask = replace(ask, urgent=False)
        reply = await self.models.serve(ask)
        self.quotas.spend(role, scope.thread, _work(reply.usage), scope.clock())
        return reply

    def _limits(self, role: str, thread: str) -> Iterator[Limit]:
        for name, owner, shown in ((role, role, role), (EACH_THREAD, f"{EACH_THREAD}/{thread}", "this thread")):
            share = self.shares.get(name)
            if share is not None and (share.models or share.vram_percent):
                part = None if share.vram_percent is None else share.vram_percent / 100.0
                yield Limit(owner, shown, share.models, part, share.beyond == "refuse")

    def recall(self, entries: Iterable[Entry], now: float, wall: float) -> None:
        """Count the replies of earlier runs, also of other processes. `now` and `wall`: the same moment on the clock of the runs and on that of the journal."""
        for entry in entries:
            if isinstance(entry.event, ModelReplied):
                self.quotas.spend(entry.event.role, entry.thread, _work(entry.event.usage), now - (wall - entry.time))


def quotas_of(shares: Mapping[str, Share]) -> Quotas:
    timed = ((name, share, share.gpu_seconds_per_hour) for name, share in shares.items())
    return Quotas({name: Quota(seconds, share.beyond == "refuse") for name, share, seconds in timed if seconds is not None})


def _work(usage: Usage) -> float:
    """The seconds that a host worked on a call."""
    return usage.load_seconds + usage.prompt_seconds + usage.output_seconds


def _used_up(excess: Excess) -> str:
    whose = "this thread" if excess.of_thread else excess.name
    return f"{whose} has used {excess.used:.0f} of {excess.quota.seconds:g} GPU-seconds an hour, and gets more in about {excess.frees_in / 60:.0f} min"
