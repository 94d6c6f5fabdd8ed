"""`mmos pipeline list`: lists the pipelines of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import Options, shared_options
from mmos.cli.output import print_json
from mmos.cli.tables import Cell, table

if TYPE_CHECKING:
    from mmos.config.load import Config

HEADS = ("PIPELINE", "DEFAULT", "ENABLED", "STEPS")
NONE = "The configuration has no pipeline. Write a pattern with `pattern: sequential` under `patterns`, or see: mmos patterns list"


@click.command("list")
@shared_options
def list_pipelines(options: Options) -> None:
    """List the pipelines, with their backends in order. No host is asked.

    \b
    mmos pipeline list
    mmos pipeline list --json
    """
    from mmos.config.pipelines import pipelines_of

    config = options.source()
    found = pipelines_of(config)
    if options.json:
        print_json({"version": 1, "pipelines": [as_json(config, name) for name in found]})
    elif found:
        table(HEADS, (_row(config, name) for name in found))
    else:
        click.echo(NONE, err=True)


def as_json(config: Config, name: str) -> dict[str, Any]:
    from mmos.config.pipelines import default_of, steps_of

    pattern = config.orchestration.patterns[name]
    steps = [
        {
            "name": step.name, "model": step.role.model if step.role else step.member.model, "role": step.member.role,
            "servers": list(step.role.servers) if step.role else [], "task": step.member.task,
        }
        for step in steps_of(config, name)
    ]  # fmt: skip
    return {
        "name": name, "pattern": pattern.pattern, "enabled": pattern.enabled, "default": default_of(config) == name,
        "validate": pattern.validate_, "steps": steps,
    }  # fmt: skip


def _row(config: Config, name: str) -> list[Cell]:
    from mmos.config.pipelines import default_of, steps_of

    pattern = config.orchestration.patterns[name]
    steps = [f"{step.name} ({step.member.task})" if step.member.task else step.name for step in steps_of(config, name)]
    enabled: Cell = "yes" if pattern.enabled else ("no", "warning")
    if pattern.pattern == "sequential":
        line = f"{' → '.join(steps)}{', each checked' if pattern.validate_ else ''}"
    else:
        line = f"{pattern.pattern}: {', '.join(steps)}"
    return [name, "yes" if default_of(config) == name else "", enabled, line]
