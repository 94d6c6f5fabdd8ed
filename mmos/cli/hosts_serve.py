"""`mmos hosts serve`: runs an Ollama server for each GPU of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import time
from asyncio import CancelledError
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.gpu_allocate import claims_of
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json_line
from mmos.cli.tables import table
from mmos.cli.text import flat

if TYPE_CHECKING:
    from mmos.gpus.nvml import Gpus
    from mmos.gpus.servers import Plan

FIRST_PORT = 11500
GIB = 1 << 30
Choice = tuple[int, ...]
"""The GPUs of one server."""


def _choices(_context: click.Context, _option: click.Parameter, texts: Sequence[str]) -> list[Choice]:
    parts = [part.strip() for text in texts for part in text.split(",")]
    if wrong := [part for part in parts if not re.fullmatch(r"[0-9]{1,3}(\+[0-9]{1,3})*", part)]:
        raise click.BadParameter(f"{wrong[0]!r} names no GPU. Write numbers: 0,1 for one server each, or 0+1 for one server with both.")
    choices = [tuple(dict.fromkeys(map(int, part.split("+")))) for part in parts]
    if twice := [choice for choice in choices if choices.count(choice) > 1]:
        raise click.BadParameter(f"GPU {'+'.join(map(str, twice[0]))} is named twice.")
    return choices


@click.command()
@click.option("--gpus", "choices", multiple=True, required=True, callback=_choices, metavar="N[+N],...", help="GPUs: 0,1 runs a server for each, 0+1 one server with both. Repeatable.")  # fmt: skip
@click.option("--port", type=click.IntRange(1, 65535), default=FIRST_PORT, show_default=True, metavar="N", help="The port of the first server. The others get the next ports.")  # fmt: skip
@click.option("--models", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="The folder with the models, for all servers. Default: as Ollama chooses it.")  # fmt: skip
@click.option("--ollama", type=click.Path(path_type=Path), metavar="PATH", help="The program. Default: ollama on your PATH.")
@click.option("--logs", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write the log of each server to DIR/NAME.log.")  # fmt: skip
@shared_options
def serve(options: Options, choices: list[Choice], **arguments: Any) -> int:
    """Run an Ollama server for each GPU of this machine until SIGTERM or Ctrl-C, then end with 0.

    Ollama has no way to choose a GPU for a call. With a server for each GPU, each GPU is a host of its own. MMOS starts a server again when
    it dies. The command prints the lines for `servers` in the configuration.

    \b
    mmos hosts serve --gpus 0,1
    mmos hosts serve --gpus 0,1+2 --port 11600 --models /srv/models
    """
    from mmos.gpus.nvml import read
    from mmos.gpus.servers import Server

    found, program = read(), _program(arguments["ollama"])
    plans = [_plan(found, choice, arguments["port"] + place, arguments) for place, choice in enumerate(choices)]
    _reserve(options, found, plans)
    return run_to_end(lambda: _serve(options, found, [Server(plan, program) for plan in plans]))


def _program(named: Path | None) -> Path:
    found = shutil.which(str(named or "ollama"))
    if found is None:
        from mmos.errors import UsageError

        what = f"{named}: there is no such program." if named else "There is no `ollama` on your PATH."
        raise UsageError(what, next_step="Install it from https://ollama.com/download, or name it with --ollama PATH.")
    return Path(found).absolute()


def _plan(found: Gpus, choice: Choice, port: int, arguments: Mapping[str, Any]) -> Plan:
    from mmos.errors import UsageError
    from mmos.gpus.nvml import Gpu, visible
    from mmos.gpus.servers import Plan

    by_index = {gpu.index: gpu for gpu in found.gpus}
    if found.gpus and (missing := [index for index in choice if index not in by_index]):
        raise UsageError(f"This machine has no GPU {missing[0]}. GPUs: {', '.join(map(str, by_index))}.")
    if port > 65535:
        raise UsageError(f"There are not enough ports from {arguments['port']} on.", next_step="Choose a lower --port.")
    environment = visible([by_index.get(index, Gpu(index)) for index in choice])
    # A server deletes parts of models that it does not know when it starts, such as a download of its neighbour.
    environment["OLLAMA_NOPRUNE"] = os.environ.get("OLLAMA_NOPRUNE", "1")
    if arguments["models"]:
        environment["OLLAMA_MODELS"] = str(arguments["models"].absolute())
    name = f"gpu{'-'.join(map(str, choice))}"
    log = None
    if arguments["logs"]:
        arguments["logs"].mkdir(parents=True, exist_ok=True)
        log = arguments["logs"] / f"{name}.log"
    return Plan(name, choice, port, environment, log)


def _reserve(options: Options, found: Gpus, plans: Sequence[Plan]) -> None:
    """Reserve the GPUs as long as this process lives."""
    if not found.gpus:
        click.echo(f"mmos: {found.absent} So it cannot check the numbers of the GPUs. {found.next_step}", err=True)
        return
    from mmos.gpus import processes
    from mmos.gpus.choosing import Wish, allocate
    from mmos.gpus.claims import Claim

    rules, owner = options.source().orchestration.gpu, os.getpid()
    for plan in plans:
        claim = Claim(f"{plan.name}:{plan.port}", plan.gpus, time.time(), None, owner, processes.started(owner))
        allocate(claims_of(options), found, Wish(claim, rules))


async def _serve(options: Options, found: Gpus, servers: Sequence[Any]) -> int:
    from mmos.gpus.servers import run

    plans = [server.plan for server in servers]

    def ready(versions: Sequence[str]) -> None:
        _announce(options, {plan.name: _entry(found, plan) for plan in plans}, versions)

    def report(line: str) -> None:
        click.echo(f"mmos: {flat(line)}", err=True)

    with contextlib.suppress(CancelledError):  # a signal is the normal end of a server
        await run(servers, ready, report)
    return 0


def _entry(found: Gpus, plan: Plan) -> dict[str, Any]:
    """The server as the configuration describes it."""
    sizes = [gpu.total for gpu in found.gpus if gpu.index in plan.gpus]
    entry: dict[str, Any] = {"url": plan.url, "gpus": list(plan.gpus)}
    if sizes and None not in sizes:
        entry["vram_gb"] = round(sum(size or 0 for size in sizes) / GIB, 1)
    if (slots := os.environ.get("OLLAMA_NUM_PARALLEL", "")).isdigit() and int(slots) > 1:
        entry["parallel"] = int(slots)
    return entry


def _announce(options: Options, entries: dict[str, dict[str, Any]], versions: Sequence[str]) -> None:
    if options.json:
        print_json_line({"hosts": entries})
    else:
        rows = [
            (name, ", ".join(map(str, entry["gpus"])), entry["url"], version)
            for (name, entry), version in zip(entries.items(), versions, strict=True)
        ]
        table(("HOST", "GPUS", "URL", "VERSION"), rows)
        click.echo("\nFor orchestration.yaml:\n  servers:")
        for name, entry in entries.items():
            click.echo(f"    {name}: {{{', '.join(f'{key}: {json.dumps(value)}' for key, value in entry.items())}}}")
        click.echo("\nCtrl-C stops the servers.")
    sys.stdout.flush()
