"""`mmos rehearse`: runs rehearsal hosts as real HTTP servers, and writes a configuration for them."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.app import REHEARSAL_TIME_SCALE
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json_line
from mmos.cli.tables import table

if TYPE_CHECKING:
    from mmos.rehearsal.host import Host
    from mmos.simulation.fleetfile import Machine, Machines

HEAD = "# Written by `mmos rehearse`. The hosts serve as long as that command runs.\n"


@click.command()
@click.argument("fleet", required=False, type=click.Path(path_type=Path))
@click.option(
    "--time-scale",
    type=click.FloatRange(min=0, min_open=True, max=10_000),
    metavar="X",
    help="Run the hosts' clock this many times as fast as real time. Overrides the file. Default: 20.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    metavar="N",
    help="Seed for random choices. The same seed and requests give the same answers.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    help="The port of the first host. The others get the next ports. Default: free ports.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to write the configuration. Default: a temporary folder."
)
@shared_options
def rehearse(options: Options, fleet: Path | None, **arguments: Any) -> int:
    """Run rehearsal hosts as real HTTP servers until SIGTERM or Ctrl-C, then end with 0.

    FLEET is a fleet file. Without it, the default fleet runs: ollama01 with 11 GB, ollama02 with 24 GB.

    \b
    mmos rehearse
    mmos run -c /tmp/mmos-rehearse-…/orchestration.yaml "Explain what a mutex is"
    """
    machines = _machines(fleet)
    return run_to_end(lambda: _serve(options, machines, arguments))


def _machines(fleet: Path | None) -> Machines:
    from mmos.simulation.fleetfile import built_in, read_fleet

    return built_in() if fleet is None else read_fleet(fleet)


async def _serve(options: Options, machines: Machines, arguments: dict[str, Any]) -> int:
    from mmos.simulation.serving import configuration, ports_of, serve_hosts

    hosts = [_host(machine, arguments) for machine in machines.machines]
    async with serve_hosts(hosts, ports_of(machines, arguments["port"])):
        with _written(configuration(machines, hosts), arguments["output"]) as path:
            _announce(options, hosts, path)
            with contextlib.suppress(asyncio.CancelledError):  # a signal is the normal end of a server
                await asyncio.Event().wait()
    return 0


def _host(machine: Machine, arguments: dict[str, Any]) -> Host:
    return machine.host(arguments["time_scale"] or machine.time_scale or REHEARSAL_TIME_SCALE, seed=arguments["seed"])


@contextmanager
def _written(configuration: dict[str, Any], output: Path | None) -> Iterator[Path]:
    """Write the configuration. Delete a temporary one at the end, if there are no runs beside it."""
    import yaml

    text = HEAD + yaml.safe_dump(configuration, sort_keys=False, allow_unicode=True, width=120)
    path = output or Path(tempfile.mkdtemp(prefix="mmos-rehearse-")) / "orchestration.yaml"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from None
    try:
        yield path.absolute()
    finally:
        if output is None:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                path.parent.rmdir()


def _announce(options: Options, hosts: Sequence[Host], path: Path) -> None:
    if options.json:
        print_json_line({"hosts": {host.name: {"url": host.url} for host in hosts}, "config": str(path)})
    else:
        rows = [(host.name, host.url, _memory(host), ", ".join(model.name for model in host.models)) for host in hosts]
        table(("HOST", "URL", "MEMORY", "MODELS"), rows)
        click.echo(f'\nconfiguration: {path}\ntry: mmos run -c {path} "Explain what a mutex is"\nCtrl-C stops the hosts.')
    sys.stdout.flush()


def _memory(host: Host) -> str:
    return f"{host.vram_gb:g} GB" if host.vram_gb is not None else "no limit"
