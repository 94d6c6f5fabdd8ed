"""Puts rewritten files back: on request, and after a crash."""

from __future__ import annotations

from pathlib import Path

import click

from mmos.cli.options import Options
from mmos.cli.output import print_json
from mmos.cli.text import flat
from mmos.plurals import counted
from mmos.rewriting import writing
from mmos.rewriting.sources import tree_of


def undo(options: Options) -> int:
    """Put back what a crash has left half-way, or else the newest rewrite of this working tree."""
    tree = tree_of(Path.cwd())
    names = settle(options, tree) or writing.take_back(options.found_state(), tree)
    if options.json:
        print_json({"version": 1, "status": "put_back", "files": names})
    else:
        click.echo(f"mmos: Put back {counted(len(names), 'file')}: {_listed(names)}.", err=True)
    return 0


def settle(options: Options, tree: Path) -> list[str]:
    """Put back what a crash has left half-way, and say so. Return the names of its files."""
    names: list[str] = []
    for kept, others in writing.settle(options.found_state(), tree):
        back = [name for name in kept.names if name not in others]
        names += back
        click.echo(f"mmos: A rewrite was interrupted. As before it again: {_listed(back) or 'no file'}.", err=True)
        if others:
            click.echo(f"      Changed since by somebody else, and left alone: {_listed(others)}. The old files: {kept.folder}", err=True)
    return names


def _listed(names: list[str]) -> str:
    return ", ".join(flat(name) for name in names)
