"""Runs all checks and gives the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mmos.doctor import clocks, configuration, hosts, marks, memory, models, packages, rendering, roles, state, versions
from mmos.doctor.facts import Facts
from mmos.doctor.findings import FAMILIES, Finding

Check = Callable[[Facts], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    configuration.configuration,
    hosts.reachable,
    hosts.keys,
    hosts.open_roads,
    hosts.same_versions,
    versions.versions,
    clocks.clocks,
    models.present,
    models.remote,
    models.alike,
    models.stuck,
    packages.needed_packages,
    memory.gpus,
    memory.windows,
    memory.spilled,
    rendering.tools,
    roles.suitable,
    roles.sized,
    marks.marked,
    state.state_folder,
    state.disk,
    packages.slow_packages,
)
_LEVELS = ("error", "warning", "info")


def diagnose(facts: Facts) -> list[Finding]:
    """Every finding, family by family, the worst first."""
    found = [finding for check in CHECKS for finding in check(facts)]
    return sorted(found, key=lambda finding: (FAMILIES.index(finding.family), _LEVELS.index(finding.level)))


def is_well(findings: Sequence[Finding]) -> bool:
    return all(finding.level != "error" for finding in findings)
