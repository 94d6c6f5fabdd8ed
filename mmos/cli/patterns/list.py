"""`mmos patterns list`: lists the patterns of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import Options, shared_options
from mmos.cli.output import print_json
from mmos.cli.tables import Cell, table

if TYPE_CHECKING:
    from mmos.app.flow import Flow
    from mmos.pattern_events import PatternEvaluated

HEADS = ("PATTERN", "FORM", "ENABLED", "MEMBERS")
WINS = "BETTER THAN ITS BEST MEMBER"


@click.command("list")
@shared_options
def list_patterns(options: Options) -> None:
    """List the patterns of the configuration and those that are built in: their forms and their members. No host is asked.

    \b
    mmos patterns list
    mmos patterns list --json
    """
    import asyncio

    from mmos.app.evaluating import kept
    from mmos.app.flow import flows

    config = options.source()
    found, evaluated = flows(config), asyncio.run(kept(options.state_folder(config.path), config))
    if options.json:
        documents = [{**flow.document(), "evaluation": _evaluation(evaluated.get(flow.name))} for flow in found.values()]
        print_json({"version": 1, "patterns": documents})
        return
    heads = (*HEADS, WINS) if evaluated else HEADS
    table(heads, [[*_row(flow), *([_wins(evaluated.get(flow.name))] if evaluated else [])] for flow in found.values()])


def _evaluation(found: PatternEvaluated | None) -> dict[str, Any] | None:
    """What `mmos patterns evaluate` has found of the pattern as it is now."""
    if found is None:
        return None
    figures = {
        "score": found.score,
        "best_score": found.best_score,
        "gpu_seconds": found.gpu_seconds,
        "best_gpu_seconds": found.best_gpu_seconds,
    }
    return {"wins": found.wins, "best_member": found.best, "cases": found.cases, **figures, "verdict": found.text}


def _wins(found: PatternEvaluated | None) -> Cell:
    if found is None:
        return "-"
    lead = f"{100 * (found.score - found.best_score):+.1f} points on {found.cases} cases"
    return f"yes, {lead}" if found.wins else (f"no, {lead}", "warning")


def _row(flow: Flow) -> list[Cell]:
    how = " · ".join(filter(None, (flow.shape, flow.pattern.aggregate if flow.shape == "ensemble" else "", flow.counts)))
    enabled: Cell = ("no", "warning") if not flow.pattern.enabled else "built in" if flow.built_in else "yes"
    return [flow.name, how, enabled, ", ".join(member.name for member in flow.members)]
