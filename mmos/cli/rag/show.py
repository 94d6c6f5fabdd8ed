"""`mmos rag show`: shows the text of a source, or a span of it in its surroundings."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json, write_unchanged
from mmos.cli.rag.opening import collection_option, library_of, there
from mmos.cli.rag.sources import shortened, with_span
from mmos.cli.styles import style
from mmos.cli.text import flat, harmless

if TYPE_CHECKING:
    from mmos.library.store import Kept

AROUND = 400


@click.command()
@click.argument("source", metavar="SOURCE[:START-END]")
@collection_option
@click.option("--around", type=click.IntRange(0, 100_000), default=AROUND, show_default=True, metavar="N", help="With a span: also show so many characters before and after it.")  # fmt: skip
@shared_options
def show(options: Options, source: str, collection: str, around: int) -> None:
    """Show the text of a source as the library has it, or a span with its surroundings.

    The end of a path is enough if no other source ends so. A file that has changed since it was added is told.

    \b
    mmos rag show fleet.md -C notes
    mmos rag show fleet.md:1200-2100 -C notes
    """
    run_to_end(lambda: _show(options, source, collection, around))


@dataclass(frozen=True)
class Part:
    """A part of a text that is shown."""

    text: str
    start: int
    end: int
    around: int

    @property
    def inner(self) -> str:
        return self.text[self.start : self.end]

    @property
    def before(self) -> str:
        """From the beginning of a line or a word."""
        begin = max(0, self.start - self.around)
        found = self.text[begin : self.start]
        return found if begin == 0 else found[max(found.find("\n"), found.find(" ") if "\n" not in found else -1) + 1 :]

    @property
    def after(self) -> str:
        """To the end of a line or a word."""
        found = self.text[self.end : self.end + self.around]
        if self.end + self.around >= len(self.text):
            return found
        return found[: found.rfind("\n") + 1] or found[: max(0, found.rfind(" "))] or found


async def _show(options: Options, word: str, named: str, around: int) -> None:
    library = library_of(options)
    name = there(options, library, named)
    kept, span = with_span(word, await library.sources(name), name)
    text = await library.text(name, kept.source)
    part = _part(text, kept.source, span, around)
    changed = changed_since(kept)
    if options.json:
        print_json(
            {
                "version": 1, "collection": name, "source": kept.source, "title": kept.title, "language": kept.language, "start": part.start,
                "end": part.end, "text": part.inner, "before": part.before, "after": part.after, "characters": len(text), "changed": changed,
            }
        )  # fmt: skip
        return
    if changed:
        again = f"To read it again: mmos rag add {shortened(kept.source)} -C {name}"
        click.echo(f"mmos: {flat(kept.source)} {changed} since it was added. {again if 'changed' in changed else ''}".rstrip(), err=True)
    _print(part)


def _part(text: str, source: str, span: tuple[int, int] | None, around: int) -> Part:
    from mmos.errors import UsageError

    if span is None:
        return Part(text, 0, len(text), 0)
    if not span[0] < span[1] <= len(text):
        raise UsageError(
            f"{flat(source)} has no characters {span[0]} to {span[1]}: it has {len(text):,}.", next_step="`mmos rag search` names spans."
        )
    return Part(text, *span, around)


def _print(part: Part) -> None:
    if not sys.stdout.isatty():
        text = part.before + part.inner + part.after
        write_unchanged(text if text.endswith("\n") else f"{text}\n")
        return
    before, inner, after = map(harmless, (part.before, part.inner, part.after))
    click.echo(f"{style(before, 'dim')}{style(inner, 'bold') if before or after else inner}{style(after, 'dim')}".rstrip("\n"))


def changed_since(kept: Kept) -> str:
    """What became of the file of a source. Empty: nothing, or it is no file. Only its size and its time are looked at."""
    if "\0" in kept.source or not Path(kept.source).is_absolute():
        return ""
    try:
        now = Path(kept.source).stat()
    except OSError:
        return "is no longer there"
    return "" if (now.st_size, now.st_mtime) == (kept.size, kept.changed) else "has changed"
