"""`mmos models outcomes`: shows what the outcomes of runs have taught about who is good at what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.tables import table

if TYPE_CHECKING:
    from mmos.selection.offline import Logged

HEADS = ("CLASS", "ROLE", "MODEL", "GOOD", "OUTCOMES", "IF ALWAYS CHOSEN")


@click.command()
@shared_options
def outcomes(options: Options) -> None:
    """Show how often each role and model did well, by class of tasks, as the journal tells it.

    The strategy `intelligent` with `selection.strategy: learning` chooses by it. Runs are outcomes if MMOS has classified their tasks.
    Rehearsed runs count only with --rehearse. IF ALWAYS CHOSEN estimates the share of good outcomes if it had worked on all tasks of the class.

    \b
    mmos models outcomes
    mmos models outcomes --json
    """
    run_to_end(lambda: _show(options))


async def _show(options: Options) -> None:
    found = await _rows(options)
    if options.json:
        print_json({"version": 1, "outcomes": found})
        return
    if not found:
        click.echo(
            "No run has taught anything yet. Its task must be classified: by a rule about tasks, or with --strategy intelligent.", err=True
        )
        return
    table(
        HEADS,
        [(row["class"], row["role"] or "-", row["model"], f"{row['good']:.0%}", f"{row['outcomes']:.1f}", _always(row)) for row in found],
    )


def _always(row: dict[str, Any]) -> str:
    return f"{row['always']:.0%}" + (f" ± {2 * row['error']:.0%}" if row["error"] else "")


async def _rows(options: Options) -> list[dict[str, Any]]:
    from mmos.selection.evidence import Evidence
    from mmos.selection.offline import logged
    from mmos.selection.outcomes import KINDS, Outcomes

    async with options.journal() as journal:
        entries = await journal.read(kinds=KINDS)
    evidence, choices = Evidence.of(Outcomes(options.rehearse).of(entries)), logged(entries, rehearsed=options.rehearse)
    return [_row(choices, *row) for row in evidence.rows()]


def _row(choices: list[Logged], kind: str, key: str, share: float, count: float) -> dict[str, Any]:
    from mmos.selection.offline import always, value_of

    role, _, model = key.partition("=")
    value = value_of([choice for choice in choices if choice.kind == kind], always(key))
    return {
        "class": kind, "role": role, "model": model, "good": round(share, 3), "outcomes": round(count, 1),
        "always": round(value.mean, 3), "error": round(value.error, 3),
    }  # fmt: skip
