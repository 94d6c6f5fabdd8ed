"""Shows on stderr how far a test of a model is."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import click

from mmos.cli.guard import ERASE_LINE
from mmos.cli.output import draws, one_line
from mmos.cli.styles import style

if TYPE_CHECKING:
    from mmos.fitness.trial import Step


def show_step(step: Step) -> None:
    """One line for each step. At a terminal each takes the place of the one before."""
    mark = style("✓", "ok") if step.ok else style("✗", "error")
    room = shutil.get_terminal_size((100, 24)).columns - len("100/100 ✗ ")
    line = f"{step.number:>3}/{step.of} {mark} {one_line(step.what, room)}"
    clear_step()
    click.echo(line, err=True, nl=not draws(sys.stderr))


def clear_step() -> None:
    if draws(sys.stderr):
        sys.stderr.write(ERASE_LINE)
        sys.stderr.flush()
