"""`mmos pipeline set-strategy`: writes who answers by default into the configuration, and keeps its comments."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmos.cli.config_add_host import diff_of, replace_file
from mmos.cli.options import Options, shared_options
from mmos.cli.output import print_json

if TYPE_CHECKING:
    from mmos.config.load import Config

NOBODY = "none"


@click.command("set-strategy")
@click.argument("who_answers", metavar="STRATEGY")
@click.option("--dry-run", is_flag=True, help="Print the change as a diff, but write nothing.")
@shared_options
def set_strategy(options: Options, who_answers: str, dry_run: bool) -> None:
    """Write STRATEGY as defaults.strategy into the configuration file: who answers a run that does not say it.

    STRATEGY is single, intelligent, the name of a pattern, a shape such as ensemble (the first pattern of this shape),
    or none: then defaults.pattern decides. Comments and layout of the file stay.

    \b
    mmos pipeline set-strategy refine-pro
    mmos pipeline set-strategy intelligent --dry-run
    """
    if options.rehearse or options.embedded:
        raise click.UsageError("set-strategy changes your configuration file: leave out --rehearse and --embedded.")
    config = options.source()
    if config.path is None:
        raise click.UsageError("There is no configuration file yet. Write one with: mmos config init HOST …")
    meant = _meant(config, who_answers)
    before = config.path.read_bytes().decode("utf-8")
    after = _changed(config, before, who_answers, meant)
    if after != before and not dry_run:
        replace_file(config.path, after.encode("utf-8"))
    _print(options, config, who_answers, diff_of(before, after, config.document.name), dry_run=dry_run)


def _meant(config: Config, strategy: str) -> str | None:
    """What `defaults.strategy` must be."""
    from mmos.config.patterns_schema import SHAPES
    from mmos.config.routing_schema import ANSWERING
    from mmos.config.wording import perhaps

    patterns, usual = config.orchestration.patterns, config.orchestration.defaults.pattern
    if strategy in (*ANSWERING, NOBODY):
        return None if strategy == NOBODY else strategy
    if strategy in patterns and not patterns[strategy].enabled:
        raise click.UsageError(f"The pattern {strategy!r} is switched off (enabled: false). Switch it on first.")
    if strategy in patterns:
        return strategy
    of_shape = [name for name, pattern in patterns.items() if pattern.enabled and strategy == pattern.pattern]
    if strategy in SHAPES and of_shape:
        return usual if usual in of_shape else of_shape[0]
    known = [*ANSWERING, *(name for name, pattern in patterns.items() if pattern.enabled), NOBODY]
    none = (
        f"There is no pattern {strategy}." if strategy in SHAPES else f"There is no strategy {strategy!r}{perhaps(strategy, known) or '.'}"
    )
    raise click.UsageError(f"{none} Allowed: {', '.join(known)}.")


def _changed(config: Config, before: str, strategy: str, meant: str | None) -> str:
    """The new text. It must load, and mean what was asked for."""
    from mmos.config.load import from_text
    from mmos.config.pipelines import place_of_strategy, spelled_in_file
    from mmos.config.setting import with_value

    name, place, tool = config.document.name, place_of_strategy(config), config.document.tool
    migrate = f"Write one that MMOS can change: mmos config migrate {name} --write"
    if not place:
        raise click.UsageError(f"{name} is a file of {tool}. {migrate}")
    named = meant if meant is None or meant not in config.orchestration.patterns else spelled_in_file(config, meant)
    after = with_value(before, place, None if meant is None else named, name)
    new = from_text(after, name, os.environ).orchestration.defaults
    if (new.strategy or new.pattern) != (meant or new.pattern):
        raise click.UsageError(f"In this file of {tool}, the strategy {strategy} would do nothing. {migrate}")
    return after


def _print(options: Options, config: Config, strategy: str, diff: str, *, dry_run: bool) -> None:
    path = config.path or Path()
    if options.json:
        print_json({"version": 1, "file": str(path), "strategy": strategy, "written": bool(diff) and not dry_run, "diff": diff})
        return
    sys.stdout.write(diff)
    if not diff:
        click.echo(f"{config.document.name} says that already.", err=True)
    elif dry_run:
        click.echo(f"Nothing was written. Without --dry-run, MMOS writes this change to {config.document.name}.", err=True)
    else:
        click.echo(f"Wrote {config.document.name}.", err=True)
