"""Chooses a GPU by the rules of the configuration, and reserves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmos.config.schema import Gpu as Rules
from mmos.config.schema import Strategy
from mmos.errors import NoGpu, UsageError
from mmos.gpus import processes
from mmos.gpus.claims import Claim, Claims
from mmos.gpus.nvml import Gpu, GpuProcess, Gpus

GIB = 1 << 30
STATUS = "`mmos gpu status` shows who holds the GPUs."

Ancestors = Callable[[int], Iterable[int]]


@dataclass(frozen=True)
class Holding:
    """A GPU and who holds it."""

    gpu: Gpu
    claims: tuple[Claim, ...]
    strangers: tuple[GpuProcess, ...]
    """Processes that compute there, and that belong to no reservation."""
    reserved: float
    """Bytes that reservations need and that are not in use yet."""

    @property
    def room(self) -> float | None:
        """Bytes that are free and that nobody reserved."""
        return None if self.gpu.free is None else self.gpu.free - self.reserved

    @property
    def fullness(self) -> float | None:
        """Percent of the memory that is in use or reserved."""
        return None if self.room is None or not self.gpu.total else 100 * (1 - self.room / self.gpu.total)

    @property
    def holders(self) -> list[str]:
        return [claim.name for claim in self.claims] + [f"{one.name or 'process'} {one.pid}" for one in self.strangers]


def holdings(gpus: Iterable[Gpu], claims: Sequence[Claim], ancestors: Ancestors = processes.ancestors) -> list[Holding]:
    """Who holds each GPU."""
    return [_holding(gpu, [claim for claim in claims if gpu.index in claim.gpus], ancestors) for gpu in gpus]


def _holding(gpu: Gpu, claims: Sequence[Claim], ancestors: Ancestors) -> Holding:
    """Memory of a process counts for the reservation of its owner. What belongs to no owner counts for those that stay until they are released."""
    owners = {claim.owner for claim in claims}
    families = {one: next((pid for pid in ancestors(one.pid) if pid in owners), None) for one in gpu.processes}
    reserved = 0.0
    for owner in owners:
        wanted = sum(claim.vram_gb or 0 for claim in claims if claim.owner == owner) * GIB
        used = sum(one.memory or 0 for one, family in families.items() if family == owner)
        reserved += max(0.0, wanted - used)
    strangers = tuple(one for one, family in families.items() if family is None and not one.draws)
    return Holding(gpu, tuple(claims), strangers, reserved)


def refusal(holding: Holding, rules: Rules, vram_gb: float | None, *, named: bool = False) -> str:
    """Why this GPU cannot be had. Empty: it can. `named`: the user chose it, however full it is."""
    if holding.gpu.fault:
        return holding.gpu.fault
    if not rules.allow_shared_gpu and holding.holders:
        return f"held by {', '.join(holding.holders)}"
    if vram_gb is not None and (holding.room is None or holding.room < vram_gb * GIB):
        return "its memory is unknown" if holding.room is None else f"{max(0.0, holding.room) / GIB:.1f} GB free, {vram_gb:g} GB needed"
    if not named and holding.fullness is not None and holding.fullness > rules.vram_threshold_percent:
        return f"{holding.fullness:.0f} % full, at most {rules.vram_threshold_percent:g} % allowed"
    return ""


_ORDERS: Mapping[Strategy, Callable[[Holding], Any]] = {
    "auto": lambda holding: -(holding.room or 0.0),
    "round_robin": lambda holding: len(holding.claims) + len(holding.strangers),
    "pack": lambda _: 0,
    "spread": lambda holding: (holding.fullness or 0.0, holding.gpu.load or 0),
}
"""The GPU with the lowest value is chosen, and of equal ones that with the lowest number."""


def choose(candidates: Sequence[Holding], rules: Rules, vram_gb: float | None) -> Holding:
    """The GPU that the strategy chooses among those that can be had."""
    refusals = {holding.gpu.index: refusal(holding, rules, vram_gb) for holding in candidates}
    fitting = [holding for holding in candidates if not refusals[holding.gpu.index]]
    if not fitting:
        raise NoGpu(f"No GPU can be had. {_listed(refusals)}", next_step=STATUS)
    return min(fitting, key=_ORDERS[rules.strategy])


@dataclass(frozen=True)
class Wish:
    """What somebody wants to reserve, and for whom."""

    claim: Claim
    """Without GPUs: the strategy chooses one."""
    rules: Rules


def allocate(claims: Claims, found: Gpus, wish: Wish) -> Claim:
    """Reserve GPUs. Others wait meanwhile, so that two of them never get the last one."""
    wanted = wish.claim
    if not found.gpus:
        raise NoGpu(found.absent, next_step=found.next_step)
    if not wanted.gpus and wish.rules.strategy == "manual":
        raise UsageError("The strategy is manual, so you choose the GPU.", next_step="Name it with --gpu N, or give another --strategy.")
    with claims.changing() as known:
        if any(claim.name == wanted.name for claim in known):
            raise UsageError(
                f"{wanted.name!r} holds GPUs already.",
                next_step=f"Release them: mmos gpu release {wanted.name}, or choose another name with --for.",
            )
        holders = holdings(found.gpus, known)
        chosen = _named(holders, wish) if wanted.gpus else [choose(holders, wish.rules, wanted.vram_gb)]
        claim = replace(wanted, gpus=tuple(holding.gpu.index for holding in chosen))
        known.append(claim)
    return claim


def _named(holders: Sequence[Holding], wish: Wish) -> list[Holding]:
    by_index = {holding.gpu.index: holding for holding in holders}
    if missing := [index for index in wish.claim.gpus if index not in by_index]:
        raise UsageError(f"This machine has no GPU {missing[0]}. GPUs: {', '.join(map(str, by_index))}.")
    chosen = [by_index[index] for index in dict.fromkeys(wish.claim.gpus)]
    refusals = {holding.gpu.index: refusal(holding, wish.rules, wish.claim.vram_gb, named=True) for holding in chosen}
    if any(refusals.values()):
        raise NoGpu(f"This GPU cannot be had. {_listed(refusals)}", next_step=STATUS)
    return chosen


def release(claims: Claims, names: Sequence[str]) -> list[Claim]:
    """End these reservations. No names: all."""
    with claims.changing() as known:
        if missing := [name for name in names if name not in [claim.name for claim in known]]:
            listed = ", ".join(claim.name for claim in known) or "none"
            raise UsageError(f"{missing[0]!r} holds no GPU. Reservations: {listed}.", next_step=STATUS)
        released = [claim for claim in known if not names or claim.name in names]
        known[:] = [claim for claim in known if claim not in released]
    return released


def _listed(refusals: Mapping[int, str]) -> str:
    return " ".join(f"GPU {index}: {reason}." for index, reason in refusals.items() if reason)
