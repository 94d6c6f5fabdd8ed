"""Opens the app with which an earlier run goes on: its configuration, its fleet and its options."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmos.cli.options import Options

if TYPE_CHECKING:
    from mmos.app import App, RunOptions
    from mmos.journal import Journal
    from mmos.views.run import RunView


@asynccontextmanager
async def resuming(options: Options, run: str, terms: dict[str, Any]) -> AsyncIterator[tuple[App, RunOptions]]:
    """Open the app with which a run goes on, with its options and the changes of this command. `run` is its whole id."""
    from mmos.app import RunOptions
    from mmos.cli.app import app_of

    options = replace(options, timeout=terms["timeout"])
    async with options.journal() as journal:
        view = await outline(journal, run)
    run_options = RunOptions.of_facts({**view.options, **{name: value for name, value in terms.items() if value is not None}})
    async with app_of(on_its_fleet(options, view)) as app:
        yield app, run_options


async def outline(journal: Journal, run: str) -> RunView:
    """The run as far as its options, its configuration and its fleet go. It takes a fraction of the time of the whole run."""
    from mmos.events import ConfigKept
    from mmos.views.listing import RUN_KINDS
    from mmos.views.run import RunView

    return RunView.of(await journal.read(run=run, kinds=(*RUN_KINDS, ConfigKept.kind)))


def on_its_fleet(options: Options, view: RunView) -> Options:
    """Use the fleet and the configuration of the run, if the options name no others. Its journal is already found."""
    from mmos.config.sources import EMBEDDED
    from mmos.errors import NotFound

    options = replace(options, state=str(options.found_state()), rehearse=options.rehearse or view.rehearsed)
    if options.config or options.embedded:
        return options
    if view.config_path:
        if not Path(view.config_path).is_file():
            raise NotFound(
                f"The configuration of the run, {view.config_path}, is no longer there.", next_step="Name a configuration: -c FILE"
            )
        return replace(options, config=view.config_path, recalled=True)
    return replace(options, default=True, embedded=view.config == EMBEDDED.built_in.read_text("utf-8"))
