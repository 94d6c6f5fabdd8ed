"""`mmos patterns list`: lists the patterns of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mmos.cli.options import Options, shared_options
from mmos.cli.output import print_json
from mmos.cli.tables import Cell, table

if TYPE_CHECKING:
    from mmos.app.flow import Flow

HEADS = ("PATTERN", "FORM", "ENABLED", "MEMBERS")


@click.command("list")
@shared_options
def list_patterns(options: Options) -> None:
    """List the patterns: their forms, their members, and whether they are enabled. No host is asked.

    \b
    mmos patterns list
    mmos patterns list --json
    """
    from mmos.app.flow import flows

    found = flows(options.source())
    if options.json:
        print_json({"version": 1, "patterns": [flow.document() for flow in found.values()]})
    elif found:
        table(HEADS, map(_row, found.values()))
    else:
        click.echo("The configuration has no patterns. Write them under `patterns`, or try one: mmos run --ensemble TASK", err=True)


def _row(flow: Flow) -> list[Cell]:
    how = " · ".join(filter(None, (flow.shape, flow.pattern.aggregate if flow.shape == "ensemble" else "", flow.counts)))
    enabled: Cell = "yes" if flow.pattern.enabled else ("no", "warning")
    return [flow.name, how, enabled, ", ".join(member.name for member in flow.members)]
