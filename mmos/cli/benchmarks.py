"""Prints the figures of benchmarks, beside those of the benchmark before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mmos.cli.fleet import window
from mmos.cli.styles import style
from mmos.cli.tables import Cell, columns, terminal_width
from mmos.cli.text import flat

if TYPE_CHECKING:
    from mmos.cli.options import Options
    from mmos.config.load import Config
    from mmos.fitness.figures import Figures
    from mmos.hosts.face import Installed

_HEADS = ("PROMPT", "FIRST TOKEN", "READS", "WRITES")
_SLOWER = ("load_seconds", "first_token")
"""Figures that are better when they are smaller."""


def as_json(figures: Figures, before: Figures | None) -> dict[str, Any]:
    row = {**figures.document(), "reads": figures.reads, "writes": figures.writes}
    return {**row, "before": before.document() if before else None, "changes": figures.changes(before)}


def lines(figures: Figures, before: Figures | None, *, indent: str = "  ") -> list[str]:
    """The figures, each with its change."""
    changes = figures.changes(before)
    found = []
    if figures.load_seconds is not None:
        found.append(f"load      {figures.load_seconds:.1f} s{_change('load_seconds', changes)}")
    if figures.contexts:
        width = terminal_width()
        found += columns(_HEADS, _rows(figures, changes), width and width - len(indent))
    for one in figures.parallel:
        found.append(f"{one.calls} at once {one.writes:.0f} tokens/s{_change(f'writes*{one.calls}', changes)}")
    if figures.calls is not None:
        found.append(f"calls     {figures.calls:.0%} right ({figures.channel}){_change('calls', changes)}")
    found += [f"{style('note', 'warning')}      {flat(note)}" for note in figures.notes]
    if not figures.whole:
        found.append(f"{style('note', 'warning')}      it did not come to its end")
    return [f"{indent}{line}" for line in [*found, *_compared(before, changes)]]


def _rows(figures: Figures, changes: Mapping[str, float]) -> list[list[Cell]]:
    return [
        [
            window(one.context),
            f"{one.first_token:.2f} s{_change(f'first_token@{one.context}', changes)}",
            f"{one.reads:,.0f} tokens/s{_change(f'reads@{one.context}', changes)}" if one.reads else "-",
            f"{one.writes:,.0f} tokens/s{_change(f'writes@{one.context}', changes)}" if one.writes else "-",
        ]
        for one in figures.contexts
    ]


def _change(name: str, changes: Mapping[str, float]) -> str:
    """An arrow and a percentage. Empty: no change, or nothing to compare with."""
    change = changes.get(name, 0.0)
    return f" {'↑' if change > 0 else '↓'} {abs(change):.0%}" if change else ""


def _compared(before: Figures | None, changes: Mapping[str, float]) -> list[str]:
    from mmos.fitness.figures import NOISE

    if before is None or not changes:
        return []
    worse = [name for name, change in changes.items() if change and (change > 0) == name.startswith(_SLOWER)]
    better = sum(1 for change in changes.values() if change) - len(worse)
    verdict = (
        f"{better} better, {len(worse)} worse, {len(changes) - better - len(worse)} without a change" if better or worse else "no change"
    )
    return [f"compared  with {before.day}: {verdict} (less than {NOISE:.0%}, or than the calls differ, is none)"]


# ---------------------------------------------------------------- beside what a host reports about a model


def kept(options: Options, config: Config, model: str, host: str, listed: Installed | None) -> tuple[Figures, Figures | None] | None:
    """The newest benchmark of a model on a host, if the model is the same, and the one before. A rehearsal has none."""
    from mmos.fitness.history import History

    if options.rehearse or listed is None:
        return None
    known = [one for one in History.of_state(options.state_folder(config.path)).of(model, host) if one.is_of(listed.digest)]
    return (known[-1], known[-2] if len(known) > 1 else None) if known else None


def shown(newest: tuple[Figures, Figures | None] | None) -> list[str]:
    if newest is None:
        return []
    return [f"  benchmark {newest[0].day}", *lines(*newest, indent="    ")]
