"""What the commands about hosts and models share: the fleet as configured, its state, names that nearly fit, sizes that people can read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.output import agreed, how_long
from mmos.cli.setting import Setting

if TYPE_CHECKING:
    from mmos.config.load import Config
    from mmos.config.roles import ResolvedRole
    from mmos.errors import HostError, MmosError
    from mmos.fleet.fleet import Fleet
    from mmos.fleet.survey import HostState
    from mmos.hosts.face import Abilities, Loaded


LARGEST_WINDOW = 1 << 31
"""Tokens that can be asked for."""


@asynccontextmanager
async def fleet(config: Setting, *, ask: bool = True) -> AsyncIterator[tuple[Config, Fleet]]:
    """The fleet that these options name; no journal is opened. `ask=False`: nobody is asked whether the file is to be trusted."""
    from mmos.cli.wiring import agreed_to, configured

    async with configured(config) as made:
        trusted = await agreed_to(config, made, runs=False, ask=ask)
        async with _wired(trusted) as wired:
            yield trusted, wired


def _wired(config: Config) -> Fleet:
    from mmos.fleet.build import seats_of_servers, timeouts_of
    from mmos.fleet.fleet import Fleet

    return Fleet(seats_of_servers(config.servers(), None), timeouts=timeouts_of(config.orchestration))


def chosen(names: Sequence[str], hosts: Iterable[str]) -> tuple[str, ...]:
    """The hosts that were named on the command line; each must be one of the fleet."""
    known = list(hosts)
    for name in names:
        if name not in known:
            from mmos.config.wording import perhaps

            raise click.UsageError(f"There is no host {name!r}{perhaps(name, known) or '.'} Hosts: {', '.join(known)}.")
    return tuple(dict.fromkeys(names))


def missing(model: str, states: Iterable[HostState]) -> MmosError:
    """Why a model is not found: no host answers, or none that does has it."""
    from mmos.config.wording import nearest
    from mmos.errors import NotFound

    states = tuple(states)
    silent = [state for state in states if not state.reachable]
    if silent and len(silent) == len(states):
        return nobody(states)
    names = sorted({found.name for state in states for found in state.installed})
    unheard = f" {_listed(state.name for state in silent)} did not answer." if silent else ""
    near = nearest(model, names)
    hint = f" Did you mean {near!r}?" if near else ""
    return NotFound(
        f"No host that answers has the model {model!r}.{hint}{unheard}",
        next_step=f"`mmos models list` shows what there is; `mmos models pull {quote(model)}` fetches it.",
    )


def lacks(host: str, model: str) -> HostError:
    """A host that was named, and answers, does not have the model."""
    from mmos.errors import ModelMissing

    return ModelMissing(
        f"{host} does not have {model}.", host=host, model=model, next_step=f"Fetch it: mmos models pull {quote(model)} --host {host}"
    )


def nobody(states: Iterable[HostState]) -> HostError:
    """No host of the fleet answers: what each said."""
    from mmos.errors import NoHost

    said = {state.name: state.error for state in states if state.error is not None}
    cures = {error.next_step for error in said.values() if error.next_step}
    return NoHost(
        f"No host answers. {' '.join(error.message for error in said.values())}",
        said=said,
        next_step=cures.pop() if len(cures) == 1 else "`mmos doctor` says what helps each of them." if cures else "",
    )


def check_loads(states: Iterable[HostState]) -> None:
    """Those that load and unload by themselves cannot be told to."""
    for state in states:
        if not state.abilities.loads:
            raise click.UsageError(f"{state.name} is a host of kind {state.kind}, which loads and unloads models by itself.")


def ask_first(question: str, *, yes: bool) -> None:
    """What hurts others is done when somebody says so: at a terminal, or by --yes."""
    if not wished(question, yes=yes):
        raise click.Abort


def wished(question: str, *, yes: bool) -> bool:
    return agreed(f"{question}\nGo on?", yes=yes, unasked=f"{question}\nNobody is there to be asked: say --yes if you mean it.")


def exit_code(errors: Sequence[HostError | None]) -> int:
    """4 where no host could serve, 1 where some could not."""
    failed = [error for error in errors if error is not None]
    return 0 if not failed else 4 if len(failed) == len(errors) else 1


def fault(error: HostError | None) -> dict[str, str] | None:
    """An error, as the JSON documents have it."""
    return None if error is None else {"code": error.code, "message": error.message, "next": error.next_step}


def holding(loaded: Loaded, now: float) -> dict[str, Any]:
    """A loaded model, as the JSON documents have it."""
    from mmos.fleet.residents import stays

    left = stays(loaded, now)
    return {
        "model": loaded.name, "size": loaded.size, "size_vram": loaded.size_vram, "window": loaded.context_length,
        "expires_at": loaded.expires_at or None, "stays_seconds": None if left is None else round(left, 1),
    }  # fmt: skip


def abilities(able: Abilities) -> dict[str, bool]:
    from dataclasses import asdict

    return asdict(able)


# ---------------------------------------------------------------- for people


def gigabytes(size: int) -> str:
    """The size of a file, as `ollama list` writes it."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} B"


def window(tokens: int | None) -> str:
    """A number of tokens: 16384 is 16k."""
    if tokens is None:
        return "?"
    return f"{tokens // 1024}k" if tokens >= 1024 and tokens % 1024 == 0 else str(tokens)


def staying(loaded: Loaded, now: float) -> str:
    """How long a loaded model stays."""
    from mmos.fleet.residents import stays
    from mmos.fleet.survey import FOR_EVER_SECONDS

    left = stays(loaded, now)
    if left is None:
        return ""
    if left > FOR_EVER_SECONDS:
        return "for ever"
    if left < 0:
        return "busy or leaving"
    return how_long(round(left)).replace(".0 s", " s")


def _listed(names: Iterable[str]) -> str:
    *front, last = names
    return f"{', '.join(front)} and {last}" if front else last


def roles_on(config: Config, host: str) -> Mapping[str, ResolvedRole]:
    """The roles that may work on a host."""
    return {name: role for name, role in config.roles().items() if not role.servers or host in role.servers}
