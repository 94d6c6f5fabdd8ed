"""`mmos chat`: the conversation, at a terminal of any kind or in a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click

from mmos.cli.durations import Seconds
from mmos.cli.setting import Setting, run_to_end, setting

INCAPABLE = ("", "dumb", "unknown")


@click.command()
@click.option("--thread", metavar="T", help="Go on with this conversation, by name or id; a new name begins one.")
@click.option("--last", is_flag=True, help="Go on with the conversation that was used last.")
@click.option("--role", "roles", multiple=True, metavar="R=MODEL[@HOST]", help="Another model for a role; may be repeated.")
@click.option("--model", default="", metavar="M[@HOST]", help="Talk with this model alone: no role, no tools, no instructions of ours.")
@click.option("--system", metavar="TEXT", default="", help="More instructions for whoever answers.")
@click.option("--timeout", type=Seconds(), metavar="S", help="The longest that a turn may take, like 90 or 5m.")
@click.option("--max-turns", type=click.IntRange(min=1), metavar="N", help="Turns that the arbiter may take for one answer.")
@click.option("--max-calls", type=click.IntRange(min=1), metavar="N", help="Tool calls that one answer may take.")
@click.option("--on-question", type=click.Choice(["fail", "default", "wait"]), help="When a model asks you and no terminal is there.")
@click.option(
    "--time-scale",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="With --rehearse: how fast the rehearsed hosts' time runs; 1 is true time.",
)
@setting
def chat(config: Setting, thread: str | None, last: bool, **given: Any) -> int:
    """Talk with the arbiter: answers as they are written, and who is consulted where.

    \b
    mmos chat
    mmos chat --last
    printf 'Explain what a mutex is.\\nSay it shorter.\\n' | mmos chat --thread notes

    A line that begins with @ROLE goes to that role alone: @coding Write a test for it.
    Enter sends, Alt-Enter breaks the line, Ctrl-C stops the turn, Ctrl-D leaves; /help lists what else can be typed.
    In a pipe each line is a turn, and with --json each answer one document in a line.
    """
    if thread and last:
        raise click.UsageError("--thread and --last name two conversations: say one of them.")
    config = replace(config, time_scale=given.pop("time_scale"))
    wishes = _wishes(**given)
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not config.json
    if terminal and os.environ.get("TERM", "") not in INCAPABLE and sys.platform != "win32":
        with _prompt():
            from mmos.cli.chat.talking import at_terminal

            return run_to_end(lambda: at_terminal(config, wishes, thread, last))
    from mmos.cli.chat.reading import line_by_line

    return run_to_end(lambda: line_by_line(config, wishes, thread, last, at_terminal=terminal))


@contextmanager
def _prompt() -> Iterator[None]:
    """A key can be pressed at once; what it takes to edit a line is still to be read. Until then the terminal itself shows it,
    and Enter moves nothing."""
    import termios

    before = termios.tcgetattr(sys.stdin)
    flags = termios.tcgetattr(sys.stdin)
    flags[0] &= ~termios.ICRNL
    flags[3] &= ~(termios.ICANON | termios.ECHOCTL)
    termios.tcsetattr(sys.stdin, termios.TCSANOW, flags)
    try:
        sys.stdout.write("› ")
        sys.stdout.flush()
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, before)


def _wishes(*, roles: tuple[str, ...], system: str, model: str, **limits: Any) -> Any:
    from mmos.cli.chat.wishes import Wishes

    chosen: dict[str, str] = {}
    for wish in roles:
        name, found, model = wish.partition("=")
        if not found or not name or not model:
            raise click.BadParameter(f"{wish!r} is not ROLE=MODEL or ROLE=MODEL@HOST", param_hint="--role")
        chosen[name] = model
    return Wishes(system, {name: value for name, value in limits.items() if value is not None}, chosen, model=model)
