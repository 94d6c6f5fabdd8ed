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
    """List the patterns of the configuration and those that are built in: their forms and their members. No host is asked.

    \b
    mmos patterns list
    mmos patterns list --json
    """
    from mmos.app.flow import flows

    found = flows(options.source())
    if options.json:
        print_json({"version": 1, "patterns": [flow.document() for flow in found.values()]})
        return
    table(HEADS, map(_row, found.values()))


def _row(flow: Flow) -> list[Cell]:
    how = " · ".join(filter(None, (flow.shape, flow.pattern.aggregate if flow.shape == "ensemble" else "", flow.counts)))
    enabled: Cell = ("no", "warning") if not flow.pattern.enabled else "built in" if flow.built_in else "yes"
    return [flow.name, how, enabled, ", ".join(member.name for member in flow.members)]
