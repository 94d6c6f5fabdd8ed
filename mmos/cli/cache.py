"""`mmos cache`: shows and clears the kept answers of models."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.delete import Age
from mmos.cli.hints import HintingGroup
from mmos.cli.options import Options, shared_options
from mmos.cli.output import how_long, how_much, print_json, when
from mmos.cli.questions import confirm
from mmos.cli.tables import table
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.cache.kept import Figures
    from mmos.cache.shelf import Shelf

HEADS = ("MODEL", "ANSWERS", "SIZE", "USED", "SAVED", "OLDEST", "NEWEST")


@click.group(cls=HintingGroup)
def cache() -> None:
    """Show and clear the kept answers of models.

    \b
    mmos cache show
    mmos cache clear --older-than 7d
    """


@cache.command()
@shared_options
def show(options: Options) -> None:
    """Show how many answers MMOS keeps of each model, how often they were used, and how much time that saved.

    \b
    mmos cache show
    mmos cache show --json
    """
    shelf = _shelf(options)
    rows = shelf.figures() if shelf.exists else []
    if options.json:
        print_json({"version": 1, "file": str(shelf.path), "bytes": shelf.size, "models": [_document(row) for row in rows]})
        return
    if not rows:
        click.echo(f"No answer is kept in {shelf.path.parent}. The section `cache` of the configuration switches the cache on.", err=True)
        return
    table(HEADS, [_cells(row) for row in rows], ("OLDEST", "NEWEST", "SIZE"))
    click.echo(f"{counted(sum(row.answers for row in rows), 'answer')}, {how_much(shelf.size)}: {shelf.path}", err=True)


@cache.command()
@click.option("--model", metavar="M", help="Forget the answers of this model.")
@click.option("--older-than", type=Age(), metavar="AGE", help="Forget answers that are older than AGE, like 7d or 12h.")
@click.option("--all", "everything", is_flag=True, help="Forget all answers, also those in a file that cannot be read.")
@click.option("--yes", is_flag=True, help="With --all: do not ask.")
@shared_options
def clear(options: Options, model: str | None, older_than: float | None, *, everything: bool, yes: bool) -> None:
    """Forget kept answers. Models are then asked again.

    \b
    mmos cache clear --model qwen2.5:14b
    mmos cache clear --older-than 7d
    mmos cache clear --all
    """
    if everything == (model is not None or older_than is not None):
        raise click.UsageError("Give --model M or --older-than AGE, or --all.")
    shelf = _shelf(options)
    forgotten = _clear_all(shelf, yes=yes) if everything else _forget(shelf, model, older_than)
    if options.json:
        print_json({"version": 1, "forgotten": forgotten})
    else:
        click.echo("Forgot all answers." if forgotten is None else f"Forgot {counted(forgotten, 'answer')}.", err=True)


def _forget(shelf: Shelf, model: str | None, older: float | None) -> int:
    from mmos.names import canonical

    return shelf.forget(model=canonical(model) if model else "", older=older) if shelf.exists else 0


def _clear_all(shelf: Shelf, *, yes: bool) -> int | None:
    """Forget everything. None: nobody knows how many answers there were, because the file could not be read."""
    from mmos.errors import StateBusy, StateError

    if not shelf.exists:
        return 0
    confirm(f"Forget all answers in {shelf.path}?", yes=yes)
    try:
        return shelf.forget()
    except StateBusy:
        raise
    except StateError:
        shelf.remove()
        return None


def _shelf(options: Options) -> Shelf:
    from mmos.cache.kept import Terms
    from mmos.cache.shelf import Shelf

    return Shelf(options.found_state(), Terms(keep=time.time(), patience=options.patience()))  # it shows what is there, however old


def _cells(row: Figures) -> list[str]:
    saved = how_long(row.seconds) if row.hits else "-"
    return [row.model, str(row.answers), how_much(row.size), counted(row.hits, "time"), saved, when(row.oldest), when(row.newest)]


def _document(row: Figures) -> dict[str, Any]:
    return {
        "model": row.model, "answers": row.answers, "bytes": row.size, "used": row.hits, "saved_seconds": round(row.seconds, 3),
        "oldest": row.oldest, "newest": row.newest,
    }  # fmt: skip
