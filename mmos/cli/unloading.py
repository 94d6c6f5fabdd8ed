"""`mmos models unload`: unloads a model, and asks first if someone may still need it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mmos.cli.cells import flat
from mmos.cli.fleet import ask_first, check_loads, chosen, exit_code, fault, fleet, missing, nobody
from mmos.cli.output import print_json
from mmos.cli.setting import Setting, run_to_end, setting
from mmos.cli.styles import style

if TYPE_CHECKING:
    from mmos.errors import HostError
    from mmos.fleet.fleet import Fleet
    from mmos.fleet.survey import HostState


@click.command()
@click.argument("model", required=False)
@click.option(
    "--host", "hosts", multiple=True, metavar="HOST", help="Unload it on this host. Repeatable. Default: every host that has it in memory."
)
@click.option("--all", "everything", is_flag=True, help="Unload every loaded model.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@setting
def unload(config: Setting, model: str | None, hosts: tuple[str, ...], everything: bool, yes: bool) -> int:
    """Unload MODEL from memory. The host finishes running answers first.

    MMOS asks before it unloads on several hosts, or a model that looks busy. A model that is not loaded is not an error.

    \b
    mmos models unload qwen2.5:32b --host ollama02
    mmos models unload --all --host ollama01 --yes
    """
    if everything == bool(model):
        raise click.UsageError("Name a model, or add --all.")
    return run_to_end(lambda: _unload(config, model or "", hosts, yes=yes))


async def _unload(config: Setting, model: str, hosts: tuple[str, ...], *, yes: bool) -> int:
    from mmos.fleet.survey import survey
    from mmos.names import same_model

    async with fleet(config) as (made, wired):
        wanted = chosen(hosts, made.servers())
        states = [state for state in await survey(wired, made.servers()) if not wanted or state.name in wanted]
        if wanted:
            check_loads(states)
        if not any(state.reachable for state in states):
            raise nobody(states)
        if model and not any(state.has(model) or state.holds(model) for state in states):
            raise missing(model, states)
        there = [(state, held.name) for state in states for held in state.loaded if not model or same_model(held.name, model)]
        _ask_to_unload(there, yes=yes)
        errors = await asyncio.gather(*(_let_go(wired, state.name, name) for state, name in there))
    _tell_unloaded(config, [(state.name, name, error) for (state, name), error in zip(there, errors, strict=True)])
    silent = [state for state in states if not state.reachable]
    for state in silent:
        click.echo(style(f"{state.name}: ", "warning") + flat(str(state.error)), err=True)
    return exit_code([*errors, *(state.error for state in silent if state.name in wanted)])


def _ask_to_unload(there: Sequence[tuple[HostState, str]], *, yes: bool) -> None:
    from mmos.fleet.residents import stays

    busy = [(state, name) for state, name in there if (held := state.holds(name)) and (stays(held, time.time()) or 1) < 0]
    if len(there) > 1:
        ask_first("Unload " + ", ".join(f"{flat(name)} on {state.name}" for state, name in there) + "?", yes=yes)
    elif busy:
        ask_first(f"{flat(busy[0][1])} on {busy[0][0].name} looks busy: someone may be waiting for its answer.", yes=yes)


async def _let_go(wired: Fleet, host: str, model: str) -> HostError | None:
    from mmos.errors import HostError

    try:
        await wired.host(host).unload(model)
    except HostError as error:
        return error
    return None


def _tell_unloaded(config: Setting, went: Sequence[tuple[str, str, HostError | None]]) -> None:
    if config.json:
        print_json({"version": 1, "unloaded": [{"host": host, "model": name, "ok": error is None, "error": fault(error)} for host, name, error in went]})  # fmt: skip
    for host, name, error in went:
        if error is not None:
            click.echo(style(f"{host}: ", "error") + flat(str(error)), err=True)
        elif not config.json:
            click.echo(f"{flat(name)} is out of the memory of {host}.")
    if not went and not config.json:
        click.echo("Nothing was loaded.")
