"""Checks whether patterns are worth their cost, as `mmos patterns evaluate` has found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from shlex import quote

from mmos.config.load import Config
from mmos.doctor.facts import Facts, StateFolder
from mmos.doctor.findings import Finding, warning
from mmos.pattern_events import PatternEvaluated


async def evaluated(config: Config, state: StateFolder) -> Mapping[str, PatternEvaluated]:
    """What evaluations have found of the patterns as they are now. A journal that cannot be read shows elsewhere."""
    if state.fault is not None:
        return {}
    from mmos.app.evaluating import kept  # only where there is a state folder to read

    return await kept(state.path, config)


def winning(facts: Facts) -> Iterator[Finding]:
    for name, found in facts.evaluations.items():
        if not found.wins:
            yield warning(
                "pattern_does_not_win", name, f"It does not win against its best member {found.best} on {found.cases} cases{_figures(found)}.",
                f"Let {found.best} answer alone, or change the pattern and try again: mmos patterns evaluate {quote(name)} --cases FILE",
            )  # fmt: skip


def _figures(found: PatternEvaluated) -> str:
    lead = f": {100 * (found.score - found.best_score):+.1f} points (95 % interval {found.interval})"
    if not found.gpu_seconds or not found.best_gpu_seconds:
        return lead
    return f"{lead}, and takes {found.gpu_seconds / found.best_gpu_seconds:.1f} times its GPU-seconds"
