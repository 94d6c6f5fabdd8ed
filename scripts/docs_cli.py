"""Writes docs/cli.md from the help of the commands: `python scripts/docs_cli.py [--write]`. Without --write it prints the page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from mmos.cli.main import mmos

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"
WIDTH = 100
OPENING = """\
<!-- Written by scripts/docs_cli.py. Run `just docs` to update it. -->

# The command line

The help of every command. Exit codes, reasons and the result document are explained in [concepts](concepts.md).
"""


def page() -> str:
    """The whole page."""
    return "\n".join([OPENING, *(section(context) for context in contexts(context_of(mmos, "mmos", None)))])


def context_of(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    """A context with the same width on every terminal."""
    names = mmos.context_settings["help_option_names"]
    return click.Context(command, parent, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH, help_option_names=names)


def contexts(context: click.Context) -> Iterator[click.Context]:
    """A command, then its subcommands, in the order of its help."""
    yield context
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if command is not None and not command.hidden:
                yield from contexts(context_of(command, name, context))


def section(context: click.Context) -> str:
    marks = "#" * max(2, len(context.command_path.split()))
    return f"{marks} `{context.command_path}`\n\n```text\n{context.command.get_help(context)}\n```\n"


def main() -> None:
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page(), end="")


if __name__ == "__main__":
    main()
