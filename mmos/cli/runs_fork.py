"""`mmos runs fork`: takes a turn of a run again, with something changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.finding import run_id
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.resuming import on_its_fleet, outline
from mmos.cli.runs_resume import terms_of_resuming
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.app import App, RunOptions
    from mmos.views.run import RunView


class TurnName(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """Converts `3`, or the id of a request such as `a7`."""

    name = "turn"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if isinstance(value, int):
            return value
        digits = value.removeprefix("a")
        if not (digits.isascii() and digits.isdecimal()):
            self.fail(f"{value!r} is no turn. Write its number, counted from 1, or the id of a request, like a7.", param, ctx)
        return value if value.startswith("a") else int(value)


@click.command()
@click.argument("run")
@click.option(
    "--at", type=TurnName(), metavar="TURN", help="The turn to take again: its number, or a request in it, like a7. Default: the last one."
)
@click.option("--role", "roles", multiple=True, metavar="R=MODEL[@HOST]", help="Use another model for a role from there on. Repeatable.")
@click.option("--system", metavar="TEXT", help="Add other instructions for the model that answers.")
@terms_of_resuming
@shared_options
def fork(options: Options, run: str, **changes: Any) -> int:
    """Take a turn of RUN again in a new run, with something changed.

    The new run shares what RUN did before that turn: nothing is copied or done again. RUN stays as it is. Turns are those of the role that answers.
    For a request inside a consultation, the fork begins at the turn that consulted.

    \b
    mmos runs fork 9F3K --at 2
    mmos runs fork 9F3K --at 2 --role coding=qwen2.5-coder:7b
    mmos runs fork 9F3K --system "Be brief."
    """
    return run_to_end(lambda: _fork(options, run, changes))


async def _fork(options: Options, run: str, changes: dict[str, Any]) -> int:
    from mmos.app import RunOptions
    from mmos.cli.app import app_of
    from mmos.cli.run import Show, run_and_print

    options = replace(options, timeout=changes["timeout"])
    async with options.journal() as journal:
        name = await run_id(journal, run)
        view = await outline(journal, name)
    changed = _options(view, changes)
    run_options = RunOptions.of_facts({**view.options, **changed.as_facts()})
    async with app_of(on_its_fleet(options, view)) as app:
        app.cast(run_options)  # a wrong role or host is an error before there is a fork
        forked = await app.fork(name, at=changes["at"], options=changed)
        if not forked.exact:
            click.echo(f"mmos: {changes['at']} is inside turn {forked.turn}, so the fork begins there.", err=True)
        if again := await _effects_since(app, name, forked.until):
            click.echo(
                f"mmos: warning: {name} made {counted(again, 'call')} with effects from there on. The fork may make them again.", err=True
            )
        click.echo(f"mmos: run {forked.run} takes turn {forked.turn} of {name} again.", err=True)
        return await run_and_print(options, app, run_options, Show(), forked.run)


def _options(view: RunView, changes: dict[str, Any]) -> RunOptions:
    """The options that the fork does not share."""
    from mmos.app import RunOptions
    from mmos.cli.run import parse_roles

    roles = parse_roles(changes["roles"])
    given = {name: value for name, value in changes.items() if value is not None and name != "roles"}
    return RunOptions.of_facts({**given, **({"roles": {**view.options.get("roles", {}), **roles}} if roles else {})})


async def _effects_since(app: App, run: str, until: int) -> int:
    """How many calls with effects a run has made after one of its entries."""
    from mmos.events import CallStarted

    made = await app.journal.read(run=run, kinds=("call_started",), after=until)
    tools = [app.tools.get(entry.event.tool) for entry in made if isinstance(entry.event, CallStarted)]
    return sum(tool is not None and tool.effects for tool in tools)
