"""`mmos runs resume` and `mmos runs answer`: continue a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import Options, limits, run_to_end, shared_options

if TYPE_CHECKING:
    from mmos.views.run import RunView

terms_of_resuming = limits(
    timeout="End the run after this time from now on, like 90 or 5m.",
    turns="Limit the turns of the arbiter.",
    calls="Limit the tool calls of the whole run.",
    questions="What to do when a model asks again. Default: as the run was started.",
)


@click.command()
@click.argument("run")
@click.argument("text")
@click.option("--question", metavar="ID", help="The question to answer, if there are several.")
@terms_of_resuming
@shared_options
def answer(options: Options, run: str, text: str, question: str | None, **terms: Any) -> int:
    """Answer the question of RUN with TEXT, and resume the run.

    \b
    mmos runs answer 9F3K "Call it heron."
    mmos runs answer 9F3K --question q2 yes
    """
    return run_to_end(lambda: _resume(options, run, terms, text, question))


@click.command()
@click.argument("run")
@terms_of_resuming
@shared_options
def resume(options: Options, run: str, **terms: Any) -> int:
    """Resume RUN after a crash, a failure or a question. Finished work is not repeated.

    \b
    mmos runs resume 9F3K
    mmos runs resume 9F3K --timeout 300
    """
    return run_to_end(lambda: _resume(options, run, terms))


async def _resume(options: Options, run: str, terms: dict[str, Any], text: str | None = None, question: str | None = None) -> int:
    from mmos.app import RunOptions
    from mmos.cli.app import app_of
    from mmos.cli.run import Show, run_and_print
    from mmos.views.listing import STARTS, find_run
    from mmos.views.run import RunView

    options = replace(options, timeout=terms["timeout"])
    async with options.journal() as journal:
        name = find_run(await journal.read(kinds=STARTS), run)
        view = RunView.of(await journal.read(run=name))
    run_options = RunOptions.of_facts({**view.options, **{name: value for name, value in terms.items() if value is not None}})
    async with app_of(as_it_was(options, view)) as app:
        if text is not None:
            await app.answer(name, text, question=question)
        return await run_and_print(options, app, run_options, Show(), name)


def as_it_was(options: Options, view: RunView) -> Options:
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
