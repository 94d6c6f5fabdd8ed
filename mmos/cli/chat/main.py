"""`mmos chat`: reads the options, and starts the conversation at a terminal or in a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click

from mmos.cli.options import Options, limits, no_cache, run_to_end, shared_options, time_scale, validation
from mmos.cli.run import parse_roles

INCAPABLE = ("", "dumb", "unknown")


@click.command()
@click.option("--thread", metavar="T", help="Continue the conversation with this name or id. A new name starts one.")
@click.option("--last", is_flag=True, help="Continue the conversation that you used last.")
@click.option("--role", "roles", multiple=True, metavar="R=MODEL[@HOST]", help="Use another model for a role. Repeatable.")
@click.option("--model", default="", metavar="M[@HOST]", help="Talk with this model alone, without roles, tools and MMOS's prompts.")
@click.option("--multi-model", default="", metavar="NAME", help="Let a pattern of the configuration answer. /pattern changes it.")
@click.option("--rag", is_flag=True, help="Give the models passages of your documents that fit each task. /rag changes it.")
@click.option("--rag-collection", default="", metavar="C", help="The collection of documents. It includes --rag.")
@click.option("--system", metavar="TEXT", default="", help="Add instructions for the model that answers.")
@limits(
    timeout="End a turn after this time, like 90 or 5m.",
    turns="Limit the turns of the arbiter for one answer.",
    calls="Limit the tool calls for one answer.",
    questions="What to do when a model asks a question. Default: ask at a terminal, fail in a pipe.",
)
@no_cache
@validation
@time_scale
@shared_options
def chat(options: Options, thread: str | None, last: bool, **arguments: Any) -> int:
    """Talk with the arbiter.

    \b
    mmos chat
    mmos chat --last
    printf 'Explain what a mutex is.\\nSay it shorter.\\n' | mmos chat --thread notes

    You see answers while models write them, and which specialists work where.
    A line that begins with @ROLE goes to that role alone: @coding Write a test for it.
    Enter sends, Alt-Enter starts a new line, Ctrl-C stops the turn, Ctrl-D leaves. /help lists the commands.
    In a pipe each line is a turn. With --json each answer is one JSON document on one line.
    """
    if thread and last:
        raise click.UsageError("--thread and --last cannot be used together: each names a conversation. Give one of them.")
    if arguments["model"] and arguments["multi_model"]:
        raise click.UsageError("--model and --multi-model cannot be used together: each says who answers. Give one of them.")
    options = replace(options, time_scale=arguments.pop("time_scale"), timeout=arguments["timeout"])
    arguments["roles"] = parse_roles(arguments["roles"])
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not options.json
    if terminal and os.environ.get("TERM", "") not in INCAPABLE and sys.platform != "win32":
        with _prompt():
            from mmos.cli.chat.interactive import at_terminal

            return run_to_end(lambda: at_terminal(options, _options(**arguments), thread, last))
    from mmos.cli.chat.plain import line_by_line

    return run_to_end(lambda: line_by_line(options, _options(**arguments), thread, last, at_terminal=terminal))


@contextmanager
def _prompt() -> Iterator[None]:
    """Show a prompt at once, while the editor of the input line is still being imported. Until then the terminal itself echoes keys,
    and Enter does not move the cursor."""
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


def _options(*, roles: dict[str, str], system: str, model: str, multi_model: str, rag: bool, rag_collection: str, **limits: Any) -> Any:
    from mmos.cli.chat.session import SessionOptions

    given = {name: value for name, value in limits.items() if value is not None}
    return SessionOptions(system, given, roles, model=model, pattern=multi_model, rag=rag_collection if rag or rag_collection else None)
