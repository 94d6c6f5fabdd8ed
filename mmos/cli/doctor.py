"""`mmos doctor`: finds problems and says how to fix each. With `--fix`, it applies the safe fixes."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmos.cli.fleet import fleet_of
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.questions import goes_on
from mmos.cli.styles import Style, style
from mmos.cli.tables import line, terminal_width
from mmos.cli.text import flat, wrapped
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.doctor.checkup import Circumstances
    from mmos.doctor.facts import Facts
    from mmos.doctor.findings import Finding, Pull
    from mmos.doctor.tools import Probing
    from mmos.fleet.fleet import Fleet

MARKS: dict[Style, str] = {"error": "✗", "warning": "!", "info": "·", "ok": "✓"}
LEAST_WIDTH = 24


@click.command()
@click.option("--fix", is_flag=True, help="Apply the safe fixes: make the state folder, and pull missing models after asking.")
@click.option("--yes", is_flag=True, help="With --fix: pull without asking.")
@click.option("--load", "load", is_flag=True, help="Load every model that is checked, even if the host must unload others for it.")
@click.option(
    "--quick",
    is_flag=True,
    help="Load no models. Default: load a model to check its prompts if no other model must be unloaded.",
)
@shared_options
def doctor(options: Options, fix: bool, yes: bool, load: bool, quick: bool) -> int:
    """Find problems of the configuration, the hosts, their models and this machine, and say how to fix each.

    MMOS asks all hosts at once. If hosts are down, this takes two seconds. Exit codes: 1 if there is an error, 0 if there are only warnings.

    \b
    mmos doctor
    mmos doctor --fix
    mmos doctor --quick --json     for scripts
    """
    if load and quick:
        raise click.UsageError("--load and --quick cannot be used together. Give one of them.")
    probing: Probing = "all" if load else "loaded" if quick else "idle"
    return run_to_end(lambda: _doctor(options, probing, fix=fix, yes=yes))


async def _doctor(options: Options, probing: Probing, *, fix: bool, yes: bool) -> int:
    from mmos.doctor.checkup import diagnose, is_well

    fixed: list[Finding] = []
    async with _patient(options, probing) as (facts, fleet):
        findings = diagnose(facts)
        if fix:
            fixed = await _fix(findings, fleet, yes=yes)
    if fixed:
        async with _patient(options, probing) as (facts, _):
            findings = diagnose(facts)
    if options.json:
        more = {"fixed": [finding.to_json() for finding in fixed]} if fix else {}
        print_json({"version": 1, "ok": is_well(findings), "findings": [finding.to_json() for finding in findings], **more})
    else:
        _print(findings, facts)
    return 0 if is_well(findings) else 1


@asynccontextmanager
async def _patient(options: Options, probing: Probing) -> AsyncIterator[tuple[Facts, Fleet | None]]:
    """Collect the facts. Without a readable configuration there is no fleet to ask."""
    from mmos.doctor.checkup import examine, examine_without
    from mmos.errors import ConfigError

    try:
        async with fleet_of(options, ask=False, remembers=True) as (config, fleet):
            yield await examine(config, fleet, _around(options, probing)), fleet
            return
    except ConfigError as error:
        unread = error
    yield await examine_without(unread, _around(options, probing)), None


def _around(options: Options, probing: Probing) -> Circumstances:
    from mmos.doctor.checkup import Circumstances

    return Circumstances(_state(options), os.environ, probing, _note)


def _state(options: Options) -> Path:
    from mmos.errors import ConfigError

    try:
        return options.found_state()
    except ConfigError:  # a missing file becomes a finding
        return options.state_folder(None)


def _note(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(style(text, "dim"), err=True)


# ---------------------------------------------------------------- curing


async def _fix(findings: Sequence[Finding], fleet: Fleet | None, *, yes: bool) -> list[Finding]:
    """Apply the safe fixes. What the user declines, or what fails, stays as it is."""
    from mmos.doctor.findings import MakeFolder, Pull
    from mmos.journal.folder import make

    cured = []
    for finding in findings:
        if isinstance(finding.fix, MakeFolder):
            make(finding.fix.path)
            click.echo(f"Made {finding.fix.path}.", err=True)
            cured.append(finding)
        elif isinstance(finding.fix, Pull) and fleet is not None:
            question = f"Pull {finding.fix.model} onto {finding.fix.host}?"
            if goes_on(question, yes=yes) and await _pull(finding.fix, fleet):
                cured.append(finding)
    return cured


async def _pull(fix: Pull, fleet: Fleet) -> bool:
    from mmos.cli.models_pull import fetch_all

    (one,) = await fetch_all(fleet, fix.model, (fix.host,))
    if one.error is not None:
        click.echo(style(f"{fix.host}: ", "error") + flat(str(one.error)), err=True)
    return one.error is None


# ---------------------------------------------------------------- telling


def _print(findings: Sequence[Finding], facts: Facts) -> None:
    from mmos.doctor.findings import FAMILIES

    for family in FAMILIES:
        found = [finding for finding in findings if finding.family == family]
        if not _looked_at(family, facts):
            continue
        mark = _mark(_worst(found)) if found or _seen(family, facts) else "-"
        click.echo(f"{mark} {style(family, 'bold')}{_well(family, facts) if not found else ''}")
        for finding in found:
            _print_finding(finding)
    click.echo(_summary(findings))


def _looked_at(family: str, facts: Facts) -> bool:
    """Skip hosts and roles if there is no readable configuration."""
    return facts.config is not None or family in ("Configuration", "State", "Packages")


def _seen(family: str, facts: Facts) -> bool:
    return family not in ("Models", "Memory", "Tools", "Roles") or any(state.reachable for state in facts.states)


def _well(family: str, facts: Facts) -> str:
    """Describe in a few words what is in order."""
    if not _seen(family, facts):
        return style("  not checked: no host answers", "dim")
    summary = {
        "Configuration": facts.config.document.name if facts.config else "",
        "Hosts": ", ".join(f"{state.name} {state.version}".strip() for state in facts.states),
        "Models": ", ".join(sorted({choice.model for choice in facts.choices})),
        "State": str(facts.state.path) if facts.state else "",
    }.get(family, "")
    return style(f"  {line(summary, len(family) + 4)}", "dim") if summary else ""


def _print_finding(finding: Finding) -> None:
    text, width = flat(f"{finding.subject}: {finding.message}"), terminal_width()
    first, *rest = wrapped(text, max(LEAST_WIDTH, width - 4)) if width else [line(text, 4)]
    click.echo("\n".join([f"  {_mark(finding.level)} {first}", *(f"    {more}" for more in rest)]))
    if finding.cure:  # not wrapped, so that users can copy the command
        click.echo(style(f"      → {flat(finding.cure)}", "accent"))


def _worst(found: Sequence[Finding]) -> Style:
    levels = {finding.level for finding in found}
    return next((level for level in MARKS if level in levels and level != "info"), "ok")


def _mark(level: Style) -> str:
    return style(MARKS[level], "bold", level)


def _summary(findings: Sequence[Finding]) -> str:
    levels = {level: sum(finding.level == level for finding in findings) for level in ("error", "warning")}
    parts = [counted(number, level) for level, number in levels.items() if number]
    fixable = sum(finding.fix is not None for finding in findings)
    more = f" `mmos doctor --fix` fixes {fixable} of these." if fixable else ""
    return style(f"\n{' and '.join(parts).capitalize() or 'No problems found'}.", "bold", _worst(findings)) + more
