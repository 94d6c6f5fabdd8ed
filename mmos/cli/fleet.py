"""Shared helpers of the commands about hosts and models: opens the fleet, finds hosts and models by name, formats sizes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import Options
from mmos.cli.output import print_json, whole_seconds
from mmos.cli.styles import style
from mmos.cli.text import flat
from mmos.diagnosis.knowledge import pull

if TYPE_CHECKING:
    from mmos.config.load import Config
    from mmos.config.roles import ResolvedRole
    from mmos.errors import HostError, MmosError
    from mmos.fleet.fleet import Fleet
    from mmos.fleet.survey import HostState
    from mmos.hosts.face import Loaded

SHOW_SECONDS = 5.0
"""How long hosts have to describe models."""
LARGEST_WINDOW = 1 << 31
"""Tokens that can be asked for."""


@asynccontextmanager
async def fleet_of(options: Options, *, ask: bool = True, remembers: bool = False) -> AsyncIterator[tuple[Config, Fleet]]:
    """Open the fleet of these options, without a journal. `ask=False`: do not ask whether to trust the file. `remembers`: it knows what runs learned."""
    from mmos.cli.app import ask_for_trust, config_of
    from mmos.fleet.fleet import Fleet

    async with config_of(options) as config:
        config = await ask_for_trust(options, config, runs=False, ask=ask)
        async with Fleet.open(config, state=options.state_folder(config.path) if remembers else None) as fleet:
            yield config, fleet


def select_hosts(names: Sequence[str], hosts: Iterable[str]) -> tuple[str, ...]:
    """Find the hosts that the command line names. Each must be in the fleet."""
    known = list(hosts)
    for name in names:
        if name not in known:
            from mmos.config.wording import perhaps

            raise click.UsageError(f"There is no host {name!r}{perhaps(name, known) or '.'} Hosts: {', '.join(known)}.")
    return tuple(dict.fromkeys(names))


async def states_of(config: Config, fleet: Fleet, names: Sequence[str]) -> list[HostState]:
    """Ask the hosts with these names, or all."""
    from mmos.fleet.survey import survey

    return [state for state in await survey(fleet, config.servers()) if not names or state.name in names]


async def described(fleet: Fleet, states: Iterable[HostState]) -> list[HostState]:
    """Have older hosts describe each model, because their lists leave out what models can do."""
    import asyncio

    from mmos.hosts.describing import all_described

    async def whole(state: HostState) -> HostState:
        if state.kind == "openai":  # for such a host, the details of a model are those of the list
            return state
        return replace(state, installed=tuple(await all_described(fleet.host(state.name), state.installed, SHOW_SECONDS)))

    return list(await asyncio.gather(*map(whole, states)))


def missing(model: str, states: Iterable[HostState]) -> MmosError:
    """Explain why a model is not found: no host answers, or no host that answers has it."""
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
        next_step=f"`mmos models list` shows the models; `{pull(model)}` fetches this one.",
    )


def lacks(host: str, model: str) -> HostError:
    """The error for a named host that answers but does not have the model."""
    from mmos.errors import ModelMissing

    return ModelMissing(f"{host} does not have {model}.", host=host, model=model, next_step=f"Fetch it: {pull(model, host)}")


def nobody(states: Iterable[HostState]) -> HostError:
    """The error for a fleet where no host answers, with what each host said."""
    from mmos.errors import NoHost

    errors = {state.name: state.error for state in states if state.error is not None}
    cures = {error.next_step for error in errors.values() if error.next_step}
    return NoHost(
        f"No host answers. {' '.join(error.message for error in errors.values())}",
        said=errors,
        next_step=cures.pop() if len(cures) == 1 else "`mmos doctor` shows how to fix each of them." if cures else "",
    )


def check_loads(states: Iterable[HostState]) -> None:
    """Refuse hosts that load and unload models by themselves."""
    for state in states:
        if not state.abilities.loads:
            raise click.UsageError(f"{state.name} is a host of kind {state.kind}, which loads and unloads models by itself.")


def exit_code(errors: Sequence[HostError | None]) -> int:
    """Choose the exit code: 4 if no host could serve, 1 if some could not."""
    failed = [error for error in errors if error is not None]
    return 0 if not failed else 4 if len(failed) == len(errors) else 1


def fault(error: HostError | None) -> dict[str, str] | None:
    """Convert an error for JSON documents."""
    return None if error is None else {"code": error.code, "message": error.message, "next": error.next_step}


def print_outcomes(options: Options, document: dict[str, Any], outcomes: Iterable[tuple[str, HostError | None, str]]) -> None:
    """Print what came of each host: its error on stderr, or a line. With --json the document has the lines."""
    if options.json:
        print_json({"version": 1, **document})
    for host, error, line in outcomes:
        if error is not None:
            click.echo(style(f"{host}: ", "error") + flat(str(error)), err=True)
        elif not options.json:
            click.echo(line)


def holding(loaded: Loaded, now: float) -> dict[str, Any]:
    """Convert a loaded model for JSON documents."""
    from mmos.fleet.residents import stays

    left = stays(loaded, now)
    return {
        "model": loaded.name, "size": loaded.size, "size_vram": loaded.size_vram, "window": loaded.context_length,
        "expires_at": loaded.expires_at or None, "stays_seconds": None if left is None else round(left, 1),
    }  # fmt: skip


# ---------------------------------------------------------------- for people


def gigabytes(size: int) -> str:
    """Format the size of a file as `ollama list` does."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} B"


def window(tokens: int | None) -> str:
    """Format a number of tokens: 16384 is 16k."""
    if tokens is None:
        return "?"
    return f"{tokens // 1024}k" if tokens >= 1024 and tokens % 1024 == 0 else str(tokens)


def staying(loaded: Loaded, now: float) -> str:
    """Say how long a loaded model stays in memory."""
    from mmos.fleet.residents import stays
    from mmos.fleet.survey import FOR_EVER_SECONDS

    left = stays(loaded, now)
    if left is None:
        return ""
    if left > FOR_EVER_SECONDS:
        return "for ever"
    if left < 0:
        return "busy or unloading"
    return whole_seconds(left)


def _listed(names: Iterable[str]) -> str:
    *front, last = names
    return f"{', '.join(front)} and {last}" if front else last


def window_on(config: Config, state: HostState, model: str) -> int:
    """The window of the model's roles on a host: the host would load the model again for another one."""
    from mmos.config.windows import DEFAULT_WINDOW

    listed = state.has(model)
    longest = (listed.context_length if listed else None) or DEFAULT_WINDOW
    return config.windows().known(model, (state.name,)) or min(DEFAULT_WINDOW, longest)


def roles_on(config: Config, host: str) -> Mapping[str, ResolvedRole]:
    """List the roles, and the members of patterns, that may run on a host."""
    return {role.name: role for role in config.users() if not role.servers or host in role.servers}
