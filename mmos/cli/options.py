"""Defines the options that commands share, finds the configuration and the state folder, and stops a command cleanly."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mmos.cli.logs import set_up
from mmos.config.scalars import seconds_of

if TYPE_CHECKING:
    from mmos.config.load import Config
    from mmos.config.routing_schema import Answering
    from mmos.config.sources import Source
    from mmos.journal import Journal


class Seconds(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """Converts `90`, `1.5`, `30s`, `5m` or `1h30m` to seconds."""

    name = "seconds"

    def __init__(self, least: float = 0.0) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = seconds_of(value, self._least) if isinstance(value, str) else float(value)
        if seconds is None:
            least = f"at least {self._least:g}" if self._least else "more than 0"
            self.fail(f"{value!r} is not a duration. Write seconds, {least}, as a number or like 30s, 5m or 1h30m.", param, ctx)
        return seconds


class AnyPath(click.Path):
    """Takes a path as it is. Whoever opens it says what is wrong."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        return value


# ---------------------------------------------------------------- the shared options

Command = TypeVar("Command", bound=Callable[..., Any])

STRATEGIES = ("auto", "round_robin", "pack", "spread", "manual")
"""The values of `gpu.strategy`."""
ANSWERING: tuple[Answering, ...] = ("single", "intelligent")
"""The values of `defaults.strategy` beside the names of patterns."""


@dataclass(frozen=True)
class Options:
    """The options that every command takes."""

    config: str | None
    state: str | None
    rehearse: bool
    json: bool
    verbose: int
    time_scale: float | None = None
    timeout: float | None = None
    """Seconds that a run may take."""
    embedded: bool = False

    default: bool = False
    """Use the built-in configuration, even if there is a file."""
    trust: bool = False
    """Agree to what a configuration asks for, if it was only found in the folder."""
    recalled: bool = False
    """The file's name comes from a run's record, which may come from someone else."""

    def file(self) -> Source:
        """Find the file that the options name, or the default one."""
        from mmos.config.sources import BUILT_IN_SOURCE, EMBEDDED, find

        if self.embedded:
            return EMBEDDED
        source = BUILT_IN_SOURCE if self.default else find(self.config, os.environ, Path.cwd())
        return replace(source, found=source.found or self.recalled)

    def source(self) -> Config:
        """Load that file."""
        from mmos.config.load import load

        return load(self.file(), environ=os.environ)

    def state_folder(self, path: Path | None) -> Path:
        """Give `--state`, or `.mmos` beside the configuration file, or the user's state folder if there is no file."""
        if self.state:
            return Path(self.state).expanduser()
        if path is not None:
            return self._beside(path)
        from mmos.config.sources import user_state

        return user_state(os.environ)

    def _beside(self, path: Path) -> Path:
        """Give `.mmos`, but no link beside a file that nobody named: it may lead to the user's other conversations."""
        from mmos.config.sources import home_of

        folder = home_of(path) / ".mmos"
        if folder.is_symlink() and self.file().found:
            from mmos.errors import StateError

            raise StateError(
                f"{folder}: this is a symbolic link. MMOS does not use it unless you name it.",
                next_step=f"If it is yours, name it: --state {folder}",
            )
        return folder

    def found_state(self) -> Path:
        """Find the state folder without loading the configuration: users must reach their runs even if it is broken."""
        return self.state_folder(None if self.state else self.file().path)

    @asynccontextmanager
    async def journal(self, *, read_only: bool = True, to_delete: bool = False) -> AsyncIterator[Journal]:
        from mmos.journal import Journal, Tuning

        tuning = Tuning(patience=self.patience())
        async with await Journal.open(self.found_state(), read_only=read_only, to_delete=to_delete, tuning=tuning) as journal:
            yield journal

    def patience(self) -> float:
        """Seconds to wait for a locked journal: never longer than a run may take."""
        from mmos.journal import Tuning

        return Tuning.patience if self.timeout is None else min(self.timeout, Tuning.patience)


def shared_options(command: Command) -> Command:
    """Add the shared options to a command. The command gets them as `Options`."""

    @click.option(
        "-c",
        "--config",
        metavar="FILE",
        help="The configuration file. Default: $MMOS_CONFIG, ./orchestration.yaml, the file in your config folder, the built-in one.",
    )
    @click.option("--state", metavar="DIR", help="The folder for runs. Default: .mmos beside the configuration file.")
    @click.option(
        "--rehearse",
        is_flag=True,
        help="Let scripted models play every host of the configuration. Default fleet without a configuration. No network.",
    )
    @click.option(
        "--embedded", is_flag=True, help="Use only the embedded model: a tiny real model that MMOS runs itself. No server needed."
    )
    @click.option(
        "--trust",
        is_flag=True,
        help="Trust a configuration that was found in this folder: run its `tools`, and send its hosts the values that it takes from "
        "your environment. MMOS remembers this until the file changes.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, also on failure.")
    @click.option("-v", "--verbose", count=True, help="Log more on stderr. -vv logs every step.")
    @click.option("--log-json", is_flag=True, help="Log as JSON lines.")
    @wraps(command)
    def wrapped(config: str | None, state: str | None, as_json: bool, verbose: int, **rest: Any) -> Any:
        set_up(verbose, rest.pop("log_json"))
        rehearse, embedded, trust = rest.pop("rehearse"), rest.pop("embedded"), rest.pop("trust")
        if embedded and (rehearse or config is not None):
            raise click.UsageError(
                f"--embedded and {'--rehearse' if rehearse else '--config'} cannot be used together: each names a fleet. Give one of them."
            )
        return command(Options(config, state, rehearse, as_json, verbose, embedded=embedded, trust=trust), **rest)

    return wrapped  # type: ignore[return-value]


def options_of(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Add these options to a command, in this order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def limits(*, timeout: str, turns: str, calls: str, questions: str) -> Callable[[Command], Command]:
    """Add the options that limit a run, each with its help."""
    return options_of(
        click.option("--timeout", type=Seconds(), metavar="S", help=timeout),
        click.option("--max-turns", type=click.IntRange(min=1), metavar="N", help=turns),
        click.option("--max-calls", type=click.IntRange(min=1), metavar="N", help=calls),
        click.option("--on-question", type=click.Choice(["fail", "default", "wait"]), help=questions),
    )


no_cache = click.option(
    "--no-cache",
    "cache",
    is_flag=True,
    flag_value=False,
    default=None,
    help="Let models answer anew, also what the cache has an answer to.",
)


validation = options_of(
    click.option(
        "--validate/--no-validate",
        default=None,
        help="Check the answer, let a model judge it, and make it better if it fails. Default: quality.validation of the configuration.",
    ),
    click.option(
        "--quality-threshold",
        type=click.FloatRange(0, 1),
        metavar="X",
        help="The score from 0 to 1 that the answer needs. It means --validate. Default: defaults.quality_threshold of the configuration.",
    ),
)


time_scale = click.option(
    "--time-scale",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="With --rehearse: run the hosts' clock X times as fast as real time.",
)


batch_options = options_of(
    click.option(
        "--batch",
        type=AnyPath(),
        metavar="FILE",
        help='Run many tasks: FILE has one on each line, as {"task": "…"} or "…". `-` is stdin. Needs --out.',
    ),
    click.option("--out", type=AnyPath(), metavar="FILE", help="With --batch: write one line of JSON for each task to this file."),
    click.option(
        "--concurrency",
        type=click.IntRange(1, 1000),
        metavar="N",
        help="With --batch: run so many tasks at once. Default: as many as the hosts serve at once (`parallel`), 64 at most.",
    ),
    click.option("--unordered", is_flag=True, help="With --batch: write each result at once, not in the order of the tasks."),
    click.option("--again", is_flag=True, help="With --batch: run the tasks again that have a result without an answer."),
)


def _ending() -> tuple[signal.Signals, ...]:
    """List the signals that end a command. Under `nohup` a closed terminal does not end it."""
    if sys.platform == "win32":
        return ()
    closed = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGINT, signal.SIGTERM, *closed)


Result = TypeVar("Result")


def run_to_end(work: Callable[[], Coroutine[Any, Any, Result]], *, once: bool = False) -> Result:
    """Run a coroutine. Ctrl-C, SIGTERM and a closed terminal cancel it, so that it can clean up and print what it has.

    `once`: only the first of them counts, and nothing disturbs what follows. The process must end then.
    """
    import asyncio  # slow to import, and help and completion do not need it

    async def main() -> Result:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(work())
        signals, ignored = _ending(), False

        def end() -> None:
            nonlocal ignored
            if not ignored:
                task.cancel()
            ignored = once

        for number in signals:
            loop.add_signal_handler(number, end)
        try:
            return await task
        finally:
            for number in signals:
                loop.remove_signal_handler(number)
                if ignored:
                    signal.signal(number, signal.SIG_IGN)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
