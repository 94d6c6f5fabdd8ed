"""What every command shares: where the configuration and the state are, logs, and a clean stop."""

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

if TYPE_CHECKING:
    from mmos.config.load import Config
    from mmos.config.sources import Source
    from mmos.journal import Journal

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Setting:
    """The options that every command takes."""

    config: str | None
    state: str | None
    rehearse: bool
    json: bool
    verbose: int
    time_scale: float | None = None
    embedded: bool = False

    default: bool = False
    """Use no file, whether or not there is one."""
    trust: bool = False
    """Agree to what a configuration asks for that nobody named."""
    recalled: bool = False
    """The file is named by a run alone, whose record may come from somebody else."""

    def file(self) -> Source:
        """The file that these options name, or that is found."""
        from mmos.config.sources import BUILT_IN_SOURCE, EMBEDDED, find

        if self.embedded:
            return EMBEDDED
        source = BUILT_IN_SOURCE if self.default else find(self.config, os.environ, Path.cwd())
        return replace(source, found=source.found or self.recalled)

    def source(self) -> Config:
        """The configuration in that file, or the built-in one."""
        from mmos.config.load import load

        return load(self.file(), environ=os.environ)

    def state_folder(self, path: Path | None) -> Path:
        """`--state`, else `.mmos` beside the configuration, else the user's own state folder."""
        if self.state:
            return Path(self.state).expanduser()
        if path is not None:
            return path.parent / ".mmos"
        from mmos.config.sources import user_state

        return user_state(os.environ)

    def found_state(self) -> Path:
        """The state folder for commands that need no configuration: a broken one must not keep anybody from his runs."""
        return self.state_folder(None if self.state else self.file().path)

    @asynccontextmanager
    async def journal(self, *, read_only: bool = True, to_delete: bool = False) -> AsyncIterator[Journal]:
        from mmos.journal import Journal

        async with await Journal.open(self.found_state(), read_only=read_only, to_delete=to_delete) as journal:
            yield journal


def setting(command: Command) -> Command:
    """Give a command the shared options; it gets one `Setting` in their place."""

    @click.option(
        "-c", "--config", metavar="FILE", help="The configuration; else $MMOS_CONFIG, ./orchestration.yaml, yours, the built-in one."
    )
    @click.option("--state", metavar="DIR", help="Where runs are kept; else .mmos beside the configuration.")
    @click.option(
        "--rehearse",
        is_flag=True,
        help="Scripted models play every host of the configuration; without a configuration, the rehearsal fleet. No network.",
    )
    @click.option(
        "--embedded", is_flag=True, help="Use the embedded model: a real one, tiny, in a process of ours; nothing else may answer."
    )
    @click.option(
        "--trust",
        is_flag=True,
        help="Trust a configuration that was found in this folder: its `tools` may run, its hosts may get what it takes from your "
        "environment. Remembered until it changes.",
    )
    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, also on failure.")
    @click.option("-v", "--verbose", count=True, help="More about what happens, on stderr; twice for debugging.")
    @click.option("--log-json", is_flag=True, help="What is logged as JSON lines.")
    @wraps(command)
    def wrapped(config: str | None, state: str | None, as_json: bool, verbose: int, **rest: Any) -> Any:
        set_up(verbose, rest.pop("log_json"))
        rehearse, embedded, trust = rest.pop("rehearse"), rest.pop("embedded"), rest.pop("trust")
        if embedded and (rehearse or config is not None):
            raise click.UsageError(f"--embedded and {'--rehearse' if rehearse else '--config'} each name a fleet: give one of them.")
        return command(Setting(config, state, rehearse, as_json, verbose, embedded=embedded, trust=trust), **rest)

    return wrapped  # type: ignore[return-value]


def _ending() -> tuple[signal.Signals, ...]:
    """The signals that end a command; `nohup` has said that a closed terminal is none."""
    if sys.platform == "win32":
        return ()
    closed = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGINT, signal.SIGTERM, *closed)


Result = TypeVar("Result")


def run_to_end(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a coroutine; Ctrl-C, SIGTERM and a terminal that is closed cancel it, so that it closes what it opened and says what there is."""
    import asyncio  # not before there is work: help and completion have none

    async def main() -> Result:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(work())
        signals = _ending()
        for number in signals:
            loop.add_signal_handler(number, task.cancel)
        try:
            return await task
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
