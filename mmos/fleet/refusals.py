"""Words the errors for a model that a host, or every host, cannot serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mmos.config.wording import nearest
from mmos.diagnosis.knowledge import cure
from mmos.errors import CloudRefused, HostError, HostTimeout, HostUnreachable, ModelMissing, NoHost, Unauthorized
from mmos.fleet.account import Account
from mmos.fleet.seats import Seat, find
from mmos.fleet.waking import may_sleep
from mmos.placement.facts import Standstill

MOST_MODELS = 6
"""How many models of a host a message names."""


def nobody(model: str, errors: Mapping[str, HostError], tried: str = "") -> HostError:
    """The error when no host can serve a model. It has each host's error, and their code when all have the same. `tried`: which hosts, in order."""
    alone = len(errors) == 1
    lines = [one.message if alone or one.message.startswith(f"{name} ") else f"{name}: {one.message}" for name, one in errors.items()]
    error = NoHost(
        f"No host can serve {model}. {' '.join(lines)}{f' MMOS tried {tried}.' if tried else ''}",
        said=errors,
        model=model,
        partial=max((fault.partial for fault in errors.values()), key=len, default=""),
        next_step=" ".join(dict.fromkeys(fault.next_step for fault in errors.values() if fault.next_step)),
    )
    codes = {fault.code for fault in errors.values()}
    error.code = codes.pop() if len(codes) == 1 else error.code
    return error


def overdue(model: str, seconds: float, account: Account, stuck: Iterable[HostError] = ()) -> HostTimeout:
    """The error when a caller has waited long enough. It shows where the call spent the time. `stuck`: the errors of hosts that load no more."""
    spent, stuck = account.spent(), list(stuck)
    return HostTimeout(
        " ".join([f"{model} did not answer within {seconds:g} s{f': {spent}' if spent else ''}.", *(error.message for error in stuck)]),
        stage="total",
        model=model,
        next_step=stuck[0].next_step if stuck else "`mmos hosts` shows what the hosts do. Allow more time, or run less at once.",
    )


def silent(host: str, model: str) -> HostTimeout:
    return HostTimeout(f"{host} showed no progress, so {model} is asked on another host.", stage="progress", host=host, model=model)


def stuck(seat: Seat, standstill: Standstill) -> HostTimeout:
    host = seat.name
    tried = "MMOS unloads models there that no call uses, so that it goes on. If that does not help, r" if seat.unloads else "R"
    return HostTimeout(
        f"{host} loads no more: for {standstill.seconds:.0f} s it has not finished with {standstill.model}. It serves what it holds.",
        stage="load",
        host=host,
        model=standstill.model,
        next_step=f"{tried}estart Ollama on {host}.",
    )


def without_cloud(seats: Iterable[Seat], models: Sequence[str]) -> list[str]:
    """The hosts that send none of these models' prompts to a cloud. Raises when there is none."""
    seats = list(seats)
    leaks = {seat.name: leaking(seat, model) for seat in seats for model in models if seat.leaks(model)}
    if len(leaks) == len(seats):
        raise nobody(" or ".join(models), leaks)
    return [seat.name for seat in seats if seat.name not in leaks]


def crowded_out(model: str, beside: Mapping[str, Sequence[str]]) -> NoHost:
    """The error for a model that fits on no host beside the pinned ones."""
    where = "; ".join(f"{host} has {' and '.join(pinned)}" for host, pinned in beside.items())
    return NoHost(
        f"{model} does not fit beside the pinned models: {where}.",
        model=model,
        next_step="Remove `pin` from a role, name another server, or unload one with `mmos models unload`.",
    )


def rationed(model: str, why: str) -> NoHost:
    """The error for a call beyond the models or the memory that its quota allows."""
    return NoHost(f"{model} has to wait for its quota: {why}.", model=model, next_step="Try again later, or change fleet.quotas.")


def leaking(seat: Seat, model: str) -> CloudRefused:
    return CloudRefused(
        f"{model} on {seat.name} runs in a cloud, and MMOS sends no prompts there.",
        host=seat.name,
        model=model,
        next_step=f"Write allow_cloud: true under servers.{seat.name}, or name a model that the host runs itself.",
    )


def lacking(seat: Seat, model: str) -> ModelMissing:
    names = sorted(entry.name for entry in (seat.installed or {}).values())
    more = f" and {len(names) - MOST_MODELS} more" if len(names) > MOST_MODELS else ""
    near = nearest(model, names)
    hint = f" Did you mean {near}?" if near else f" It has: {', '.join(names[:MOST_MODELS]) or 'no models'}{more}."
    return ModelMissing(
        f"{seat.name} does not have {model}.{hint}",
        host=seat.name,
        model=model,
        next_step=cure("MODEL_NOT_FOUND", model=model),
    )


def known_fault(seat: Seat, model: str) -> HostError | None:
    """Why a host cannot serve a model, as far as MMOS knows. A host that does not list all its models counts only when it did not answer."""
    if seat.leaks(model):
        return leaking(seat, model)
    if seat.waker and may_sleep(seat.silent):
        return None
    if seat.host.abilities.lists_all:
        return seat.silent or (None if seat.installed is None or find(seat.installed, model) else lacking(seat, model))
    return seat.silent if isinstance(seat.silent, (HostUnreachable, HostTimeout, Unauthorized)) else None
