"""`mmos gpu allocate` and `release`: reserve GPUs of this machine, so that nobody else chooses them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import STRATEGIES, Options, shared_options
from mmos.cli.output import print_json

if TYPE_CHECKING:
    from mmos.config.schema import Gpu as Rules
    from mmos.gpus.claims import Claim, Claims
    from mmos.gpus.nvml import Gpu


@click.command()
@click.option("--gpu", "gpus", type=click.IntRange(0, 255), multiple=True, metavar="N", help="Reserve this GPU. Repeatable. Default: the strategy chooses one.")  # fmt: skip
@click.option("--vram", type=click.FloatRange(min=0, min_open=True), metavar="GB", help="Memory that must be free, and that stays reserved.")  # fmt: skip
@click.option("--strategy", type=click.Choice(STRATEGIES), help="How to choose. Default: gpu.strategy of the configuration.")
@click.option("--for", "name", metavar="NAME", help="The name of the reservation. The name of a role: with the memory that the role needs, and with --strategy manual on its GPU. Default: the name and the number of the process that holds it.")  # fmt: skip
@click.option("--keep", is_flag=True, help="Reserve until `mmos gpu release`. Default: until the shell or program that calls this command ends.")  # fmt: skip
@click.option("--export", is_flag=True, help="Print an export line that a shell can eval, instead of the number of the GPU.")
@click.argument("command", nargs=-1, metavar="[-- COMMAND...]")
@shared_options
def allocate(options: Options, command: tuple[str, ...], **arguments: Any) -> int:
    """Reserve a GPU of this machine and print its number. With COMMAND: run it on that GPU, and reserve the GPU until it ends.

    `mmos gpu allocate` and `mmos hosts serve` do not give away memory that is reserved. Exit code 4 if no GPU can be had.

    \b
    mmos gpu allocate --vram 20 -- python train.py
    eval "$(mmos gpu allocate --vram 20 --export)"
    mmos gpu allocate --gpu 1 --for night-job --keep
    """
    if arguments["keep"] and command:
        raise click.UsageError("--keep cannot be used with a COMMAND: the reservation ends with it. Leave one of them out.")
    from mmos.gpus.choosing import Wish
    from mmos.gpus.choosing import allocate as reserve
    from mmos.gpus.nvml import read, visible

    found, claims = read(), claims_of(options)
    rules, arguments = _terms(options, arguments)
    claim = reserve(claims, found, Wish(_wanted(arguments, command, claims), rules))
    chosen = [gpu for gpu in found.gpus if gpu.index in claim.gpus]
    environment = visible(chosen)
    if command:
        _become(options, claim, command, environment)
    _print(options, claim, chosen, environment, export=arguments["export"])
    return 0


def _wanted(arguments: dict[str, Any], command: Sequence[str], claims: Claims) -> Claim:
    """The reservation without its GPU. A command takes the place of this process, so it has the same number."""
    from mmos.gpus import processes
    from mmos.gpus.claims import Claim

    owner = os.getpid() if command else processes.caller()
    if arguments["keep"] or not owner:  # no owner: it was started from outside of a container
        held: dict[str, Any] = {"owner": None, "started": ""}
    else:
        held = {"owner": owner, "started": processes.started(owner)}
    called = f"{Path(command[0]).name if command else processes.name(owner) or 'process'}-{owner}"
    taken = {claim.name for claim in claims.read()}
    free = next(name for name in (called, *(f"{called}-{number}" for number in range(2, len(taken) + 3))) if name not in taken)
    return Claim(arguments["name"] or free, arguments["gpus"], time.time(), arguments["vram"], **held)


def _terms(options: Options, arguments: dict[str, Any]) -> tuple[Rules, dict[str, Any]]:
    """The rules of the configuration, and what a role of the name asks for."""
    from mmos.config.roles import Need, roles_in

    orchestration, strategy = options.source().orchestration, arguments["strategy"]
    rules = orchestration.gpu.model_copy(update={"strategy": strategy}) if strategy else orchestration.gpu
    role = roles_in(orchestration).get(arguments["name"] or "")
    if role is None:
        return rules, arguments
    gpus = tuple(sorted(Need.of(role).gpus)) if rules.strategy == "manual" else ()
    return rules, {**arguments, "gpus": arguments["gpus"] or gpus, "vram": arguments["vram"] or role.vram_required_gb}


def _become(options: Options, claim: Claim, command: Sequence[str], environment: dict[str, str]) -> None:
    from mmos.errors import UsageError
    from mmos.gpus.choosing import release as give_back

    try:
        os.execvpe(command[0], list(command), {**os.environ, **environment})
    except OSError as error:
        give_back(claims_of(options), [claim.name])
        raise UsageError(f"{command[0]} cannot be run: {(error.strerror or str(error)).lower()}.", next_step="Check the command.") from None


def _print(options: Options, claim: Claim, chosen: Sequence[Gpu], environment: dict[str, str], *, export: bool) -> None:
    if options.json:
        gpus = [{"index": gpu.index, "uuid": gpu.uuid, "name": gpu.name} for gpu in chosen]
        print_json({"version": 1, **claim_as_json(claim), "gpus": gpus, "environment": environment})
    elif export:
        click.echo("export " + " ".join(f"{name}={value}" for name, value in environment.items()))
    else:
        click.echo(",".join(map(str, claim.gpus)))


@click.command()
@click.argument("names", nargs=-1, metavar="NAME...")
@click.option("--all", "everything", is_flag=True, help="Release all reservations.")
@shared_options
def release(options: Options, names: tuple[str, ...], everything: bool) -> int:
    """End reservations of GPUs. `mmos gpu status` shows their names. Programs that use the GPU go on.

    \b
    mmos gpu release night-job
    """
    from mmos.gpus.choosing import release as give_back

    if bool(names) == everything:
        raise click.UsageError("Name the reservations, or give --all.")
    released = give_back(claims_of(options), names)
    if options.json:
        print_json({"version": 1, "released": [claim_as_json(claim) for claim in released]})
        return 0
    for claim in released:
        click.echo(f"{claim.name}: released GPU {', '.join(map(str, claim.gpus))}")
    if not released:
        click.echo("There is no reservation.", err=True)
    return 0


def claims_of(options: Options) -> Claims:
    """The reservations of this user, whatever the folder: the GPUs are the machine's."""
    from mmos.gpus.claims import Claims

    return Claims(options.state_folder(None))


def claim_as_json(claim: Claim) -> dict[str, Any]:
    return {name: value for name, value in asdict(claim).items() if name != "started"}
