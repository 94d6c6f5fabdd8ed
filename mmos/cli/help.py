"""`mmos help`: explains concepts in a few lines each, and shows the help of commands."""

from __future__ import annotations

import shutil
import sys
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import click

from mmos.cli.guard import terminal_text
from mmos.cli.styles import colourless
from mmos.errors import NotFound

TOPICS = Path(__file__).with_name("topics")
WIDEST = 100


@click.command("help")
@click.argument("topic", nargs=-1)
@click.option("--pager", is_flag=True, help="Open the text in $PAGER.")
@click.pass_context
def help(context: click.Context, topic: tuple[str, ...], pager: bool) -> None:  # noqa: A001  # a command's function is named like it
    """Explain a concept or a command. Without TOPIC, list both.

    \b
    mmos help
    mmos help threads
    mmos help runs resume
    """
    if not topic:
        text = _listing(context)
    elif len(topic) == 1 and topic[0] in names():
        text = _shown((TOPICS / f"{topic[0]}.md").read_text(encoding="utf-8"))
    else:
        text = _command_help(context, topic)
    if pager and sys.stdout.isatty():
        click.echo_via_pager(terminal_text(text) + "\n")
    else:
        click.echo(text)


@cache
def names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in TOPICS.glob("*.md")))


def summaries() -> dict[str, str]:
    """Give each topic's summary: the first line below its title."""
    return {name: (TOPICS / f"{name}.md").read_text(encoding="utf-8").split("\n", 3)[2] for name in names()}


def _listing(context: click.Context) -> str:
    formatter = click.HelpFormatter(width=_width())
    formatter.write("mmos help TOPIC explains a concept, mmos help COMMAND a command.\n")
    with formatter.section("Topics"):
        formatter.write_dl(list(summaries().items()))
    root = context.find_root().command
    if isinstance(root, click.Group):
        root.format_commands(context.find_root(), formatter)
    return formatter.getvalue().rstrip()


def _command_help(context: click.Context, path: tuple[str, ...]) -> str:
    """Give the help of a command or a subcommand."""
    at = context.find_root()
    for place, name in enumerate(path):
        group = at.command
        inner = group.get_command(at, name) if isinstance(group, click.Group) else None
        if inner is None:
            raise _unknown(at, " ".join(path[: place + 1]), name, topics=not place)
        at = click.Context(inner, at, info_name=name, max_content_width=at.max_content_width, help_option_names=at.help_option_names)
    return at.get_help()


def _unknown(at: click.Context, path: str, name: str, *, topics: bool) -> NotFound:
    known = [*(names() if topics else ()), *(at.command.list_commands(at) if isinstance(at.command, click.Group) else ())]
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return NotFound(f"There is no {'topic and no command' if topics else 'command'} {path!r}.{hint}", next_step="See `mmos help`.")


def _shown(text: str) -> str:
    """Format Markdown at a terminal. In a pipe, leave it as it is."""
    if not sys.stdout.isatty():
        return text.rstrip("\n")
    from mmos.cli.chat.markdown import MarkdownStream

    stream = MarkdownStream(_width(), not colourless())
    return "\n".join([*stream.feed(text), *stream.finish()])


def _width() -> int:
    return min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)
