"""Prints a comparison: a table of the sides, the verdicts, and the cases on which sides differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from mmos.cli.options import Options
from mmos.cli.output import print_json
from mmos.cli.styles import style
from mmos.cli.tables import IN_A_PIPE, Cell, table, terminal_width
from mmos.cli.text import flat, hanging, wrapped
from mmos.comparing.comparison import Comparison
from mmos.comparing.outcome import Pair, Standing
from mmos.comparing.verdict import verdict_of
from mmos.plurals import counted

HEADS = ("SIDE", "RIGHT", "SCORE", "95 % INTERVAL", "FAILED", "GPU-SECONDS", "SECONDS EACH", "TOKENS", "LOADS")
SPARE = ("LOADS", "TOKENS", "FAILED", "SECONDS EACH", "RIGHT")
MOST_NAMED = 8
"""The ids and the failures that are named without --show-differences."""

Reasons = Mapping[tuple[str, str], str]
"""What was wrong, by side and case."""


def show(
    options: Options,
    comparison: Comparison,
    *,
    show_differences: bool = False,
    reasons: Reasons | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Print it for people, or as one document."""
    if options.json:
        print_json({**comparison.document(), **(more or {})})
        return
    table(HEADS, [_row(standing) for standing in comparison.standings], SPARE)
    _groups(comparison)
    width = terminal_width() or IN_A_PIPE
    for pair in comparison.pairs:
        click.echo()
        verdict = verdict_of(pair)
        for line in wrapped(flat(verdict.head), width):
            click.echo(style(line, "bold"))
        click.echo("\n".join(hanging("  ", flat(verdict.detail), width)))
        if show_differences:
            _differences(pair, reasons or {})
        elif pair.differing:
            click.echo("\n".join(hanging("  They differ on ", _ids(pair), width)))
    _failures(comparison, width, everything=show_differences)
    for note in comparison.notes:
        click.echo("\n".join(hanging("Note: ", flat(note), width)))
    if not comparison.pairs:
        click.echo("No case has an answer of two sides, so nothing can be compared.")


def _row(standing: Standing) -> list[Cell]:
    cost, failed = standing.cost, str(standing.failed)
    is_share = standing.right is not None
    whole = standing.right is not None and float(standing.right).is_integer()
    each = cost.seconds / standing.answers if cost.seconds is not None and standing.answers else None
    return [
        standing.side, f"{standing.right:.0f} of {standing.cases}" if whole else "-", _score(standing.mean, is_share=is_share),
        _interval(standing, is_share=is_share), (failed, "warning") if standing.failed else failed,
        _number(cost.gpu_seconds, ".1f"), _number(each, ".2f"), _number(cost.output_tokens, ",.0f"), _number(cost.loads, ".0f"),
    ]  # fmt: skip


def _groups(comparison: Comparison) -> None:
    """The score of each side in each group of cases."""
    if comparison.groups:
        sides = [standing.side for standing in comparison.standings]
        is_share = comparison.standings[0].right is not None
        rows = [
            [one.name, str(one.cases), *(_score(one.means.get(side), is_share=is_share) for side in sides)] for one in comparison.groups
        ]
        click.echo()
        table(("GROUP", "CASES", *sides), rows)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _score(value: float | None, *, is_share: bool) -> str:
    return "-" if value is None else f"{100 * value:.1f} %" if is_share else f"{value:.3g}"


def _interval(standing: Standing, *, is_share: bool) -> str:
    low, high = standing.low, standing.high
    if low is None or high is None or float("inf") in (-low, high):
        return "-"
    return f"{100 * low:.0f} to {100 * high:.0f} %" if is_share else f"{low:.3g} to {high:.3g}"


def _ids(pair: Pair) -> str:
    listed = ", ".join(flat(one.case) for one in pair.differing[:MOST_NAMED])
    left = len(pair.differing) - MOST_NAMED
    return f"{listed} and {counted(left, 'more case')} (--show-differences lists all)" if left > 0 else listed


def _differences(pair: Pair, reasons: Reasons) -> None:
    """Each case on which they differ, and what was wrong with the worse answer."""
    rows = [
        [one.case, f"{one.a:.3g}", f"{one.b:.3g}", reasons.get((pair.b if one.a > one.b else pair.a, one.case), "")]
        for one in pair.differing
    ]
    if rows:
        table(("  CASE", pair.a, pair.b, "WHAT WAS WRONG"), [[f"  {row[0]}", *row[1:]] for row in rows])


def _failures(comparison: Comparison, width: int, *, everything: bool) -> None:
    failures = comparison.failures if everything else comparison.failures[:MOST_NAMED]
    if failures:
        click.echo()
    for score in failures:
        click.echo("\n".join(hanging(f"{flat(score.side)} gave no answer to {flat(score.case)}: ", flat(score.why), width)))
    if left := len(comparison.failures) - len(failures):
        click.echo(f"and {left:,} more (--show-differences lists all)")
