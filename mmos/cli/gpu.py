"""`mmos gpu`: shows the GPUs of this machine and of the hosts, and who holds them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.fleet import fleet_of
from mmos.cli.gpu_allocate import allocate, claim_as_json, claims_of, release
from mmos.cli.hints import HintingGroup
from mmos.cli.hosts import as_json, memory, state_cell
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.tables import Cell, table

if TYPE_CHECKING:
    from mmos.config.schema import Server
    from mmos.fleet.survey import HostState
    from mmos.gpus.choosing import Holding
    from mmos.gpus.claims import Claim
    from mmos.gpus.nvml import Gpu, GpuProcess, Gpus

HEADS = ("GPU", "NAME", "MEMORY", "LOAD", "TEMPERATURE", "POWER", "HELD BY")
SPARE = ("POWER", "TEMPERATURE", "NAME", "LOAD")
HOST_HEADS = ("HOST", "GPUS", "STATE", "MEMORY", "LOADED")
GIB = 1 << 30


@click.group(cls=HintingGroup)
def gpu() -> None:
    """Show the GPUs of this machine and of the hosts, and who holds them.

    \b
    mmos gpu status
    mmos gpu allocate --vram 20
    """


gpu.add_command(allocate)
gpu.add_command(release)


@gpu.command()
@shared_options
def status(options: Options) -> int:
    """Show the GPUs of this machine, and which models the hosts have in GPU memory.

    MMOS reads NVIDIA GPUs with their driver. This needs one more package: pip install 'mmos[gpu]'

    \b
    mmos gpu status
    mmos gpu status --json
    """
    return run_to_end(lambda: _status(options))


async def _status(options: Options) -> int:
    from mmos.fleet.survey import survey
    from mmos.gpus.choosing import holdings
    from mmos.gpus.nvml import read

    async with fleet_of(options) as (config, fleet):
        states, servers = await survey(fleet, config.servers()), config.servers()
    found, claims = read(), claims_of(options).read()
    if options.json:
        print_json(_document(found, claims, states, servers))
        return 0
    if found.gpus:
        table(HEADS, [row for holding in holdings(found.gpus, claims) for row in _rows(holding)], SPARE)
    else:
        click.echo(f"{found.absent}\n{found.next_step}")
    click.echo()
    table(HOST_HEADS, [row for state in states for row in _host_rows(state, servers[state.name])], ("STATE",))
    return 0


def _document(found: Gpus, claims: Sequence[Claim], states: Sequence[HostState], servers: dict[str, Server]) -> dict[str, Any]:
    now = time.time()
    hosts = [as_json(state, now) | {"gpus": servers[state.name].gpus} for state in states]
    missing = None if found.gpus else {"message": found.absent, "next": found.next_step}
    gpus, reserved = [asdict(gpu) for gpu in found.gpus], [claim_as_json(claim) for claim in claims]
    return {"version": 1, "gpus": gpus, "missing": missing, "claims": reserved, "hosts": hosts}


def _rows(holding: Holding) -> list[list[Cell]]:
    """The first line has the figures. Each further holder has its own line."""
    gpu = holding.gpu
    holders: list[Cell] = [*map(_claim, holding.claims), *map(_process, gpu.processes)] or ["nobody"]
    if gpu.fault:
        holders = [(f"cannot be used: {gpu.fault}", "error")]
    figures: list[Cell] = [
        str(gpu.index), gpu.name or "-", _memory(gpu), _figure(gpu.load, " %"), _figure(gpu.temperature, " °C"), _figure(gpu.power, " W"),
    ]  # fmt: skip
    return [[*figures, holders[0]], *(["", "", "", "", "", "", more] for more in holders[1:])]


def _memory(gpu: Gpu) -> str:
    if gpu.used is None or gpu.total is None:
        return "-"
    return f"{gpu.used / GIB:.1f} of {gpu.total / GIB:.1f} GB"


def _figure(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.0f}{unit}"


def _claim(claim: Claim) -> str:
    memory = "" if claim.vram_gb is None else f" · {claim.vram_gb:g} GB"
    return f"{claim.name}{memory} · reserved {'until it is released' if claim.owner is None else f'until process {claim.owner} ends'}"


def _process(one: GpuProcess) -> str:
    parts = [f"{one.name or 'process'} {one.pid}", "" if one.memory is None else f"{one.memory / GIB:.1f} GB", "draws" if one.draws else ""]
    return " · ".join(part for part in parts if part)


def _host_rows(state: HostState, server: Server) -> list[list[Cell]]:
    loaded: list[Cell] = [f"{model.name} · {model.size_vram / GIB:.1f} GB" for model in state.loaded]
    if not state.reachable and state.error is not None:
        loaded = [(state.error.message, "error")]
    elif not loaded:
        loaded = ["nothing" if state.abilities.tells_loaded else "unknown"]
    gpus = ", ".join(map(str, server.gpus)) or "-"
    return [[state.name, gpus, state_cell(state), memory(state), loaded[0]], *(["", "", "", "", more] for more in loaded[1:])]
