"""Asks at a terminal which changes of a file the user takes, hunk by hunk, as `git add -p` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click

from mmos.app.modifying import Rewrite
from mmos.cli.modify.show import echo_line, summary
from mmos.cli.styles import style
from mmos.cli.text import flat
from mmos.rewriting.lines import Hunk, hunks, taken

KEYS = {
    "y": "take this change",
    "n": "do not take this change",
    "a": "take this change and all later ones in the file",
    "d": "take neither this change nor any later one in the file",
    "q": "take no further change of any file; those that you took stay taken",
    "?": "show this",
}

Ask = Callable[[str], str]


@dataclass(frozen=True)
class Taken:
    """A file, and the text that the user wants of it."""

    rewrite: Rewrite
    text: str


def review(rewrites: Sequence[Rewrite], ask: Ask) -> list[Taken]:
    """What the user takes. A file of which nothing is taken is left out. `ask` returns what is typed after a question."""
    result: list[Taken] = []
    for rewrite in rewrites:
        if not rewrite.is_changed or rewrite.new is None:
            continue
        old = rewrite.source.text.text
        found = hunks(old, rewrite.new)
        click.echo(style(summary(rewrite), "bold"))
        chosen, goes_on = _chosen(rewrite.source.name, found, ask)
        if chosen:
            result.append(Taken(rewrite, taken(old, rewrite.new, found, chosen)))
        if not goes_on:
            break
    return result


def _chosen(name: str, found: Sequence[Hunk], ask: Ask) -> tuple[set[int], bool]:
    """The numbers of the hunks that the user takes, and whether other files follow."""
    chosen: set[int] = set()
    for number, hunk in enumerate(found):
        for line in (hunk.head, *hunk.lines):
            echo_line(line)
        match _key(f"({number + 1}/{len(found)}) Take this change of {flat(name)}", ask):
            case "y":
                chosen.add(number)
            case "a":
                return chosen | set(range(number, len(found))), True
            case "d":
                return chosen, True
            case "q":
                return chosen, False
    return chosen, True


def _key(question: str, ask: Ask) -> str:
    while True:
        typed = ask(style(f"{question} [{','.join(KEYS)}]? ", "info")).strip().lower()[:1]
        if typed in KEYS and typed != "?":
            return typed
        click.echo("\n".join(f"{key}  {meaning}" for key, meaning in KEYS.items()))


def typed(question: str) -> str:
    """What the user types. The end of the input means `q`."""
    click.echo(question, nl=False)
    try:
        return input()
    except EOFError:
        click.echo()
        return "q"
