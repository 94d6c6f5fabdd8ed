"""`mmos rag add`: adds documents to a collection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json, whole_seconds
from mmos.cli.rag.embedding import MINILM, NOT_REHEARSED, library_with_hosts, told
from mmos.cli.rag.embedding import embed as make_vectors
from mmos.cli.rag.given import STDIN, in_lines, on_stdin
from mmos.cli.rag.opening import collection_of, collection_option, library_of
from mmos.cli.rag.progress import Progress
from mmos.cli.text import flat
from mmos.errors import MmosError
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.library.finding import Found, PassedOver
    from mmos.library.library import Added, Embedded, Step
    from mmos.library.passages import Document

    Source = Found | PassedOver | Document

TOLD = 20
"""So many files that were passed over are told of without -v."""
RESERVED = "runs"
"""The collection of earlier runs. Nobody adds documents to it."""


@dataclass(frozen=True)
class Given:
    """What the command line says."""

    paths: tuple[str, ...]
    name: str = ""
    title: str = ""
    exclude: tuple[str, ...] = ()
    ignore: bool = True
    jsonl: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        if not self.paths and not self.jsonl:
            raise click.UsageError("Name the files and folders to add, or `-` for a text on stdin.")
        if self.paths.count(STDIN) > 1:
            raise click.UsageError("`-` appears twice, but stdin can be read only once. Leave one of them out.")
        text = STDIN in self.paths and not self.jsonl
        if text and not flat(self.name):
            raise click.UsageError("A text on stdin needs a name: add --name NAME. It is what `mmos rag search` shows as its source.")
        if (self.name or self.title) and not text:
            raise click.UsageError("--name and --title are for a text on stdin. Files have their own: mmos rag add - --name NAME <FILE")
        if self.jsonl and (self.exclude or not self.ignore):
            raise click.UsageError("--exclude and --no-ignore are for folders, and --jsonl reads lines.")

    def folders(self) -> list[str]:
        """The folders that are looked through: also one that has become empty."""
        return [] if self.jsonl else [path for path in self.paths if path != STDIN and "\0" not in path and Path(path).is_dir()]

    def sources(self) -> Iterator[Source]:
        """What is to be added. Files are not read yet."""
        from mmos.library.finding import find

        if self.jsonl:
            yield from in_lines(self.paths)
            return
        yield from find([path for path in self.paths if path != STDIN], exclude=self.exclude, ignore=self.ignore)
        if STDIN in self.paths:
            yield on_stdin(flat(self.name), flat(self.title))


@click.command()
@click.argument("paths", nargs=-1, metavar="PATH...|-")
@collection_option
@click.option("--name", default="", metavar="N", help="With `-`: the name of the text on stdin.")
@click.option("--title", default="", metavar="T", help="With `-`: its title.")
@click.option(
    "--exclude", multiple=True, metavar="GLOB", help="Leave out what this pattern names, like '*.min.js' or 'build/'. Repeatable."
)
@click.option("--no-ignore", "ignore", is_flag=True, default=True, flag_value=False, help="Also add what .gitignore files name.")
@click.option("--jsonl", is_flag=True, help='Read lines of JSON, each {"source", "text"} and perhaps "title" and "language".')
@click.option(
    "--embed",
    default="",
    metavar="MODEL",
    help="Then make vectors with this embedding model of a host, or with minilm in this process. Later additions get them, too.",
)
@click.option("--no-embed", is_flag=True, help="Make no vectors now.")
@click.option("--dry-run", is_flag=True, help="Show what would be read, but add nothing.")
@shared_options
def add(options: Options, collection: str, embed: str, *, no_embed: bool, **given: Any) -> int:
    """Add files and folders to a collection. Only what has changed is read again, and what is gone from a folder leaves the collection.

    What .gitignore names is left out. `-` reads one text from stdin. After Ctrl-C the same command goes on.

    \b
    mmos rag add docs notes.md -C notes
    git log | mmos rag add - --name history -C notes
    mmos rag add --jsonl answers.jsonl -C faq
    """
    wanted, name = Given(**given), collection_of(options, collection)
    if name == RESERVED:
        raise click.UsageError("The collection 'runs' has your earlier runs, and nothing is added to it. Choose another name.")
    if embed and no_embed:
        raise click.UsageError("--embed and --no-embed cannot be used together.")
    if embed not in ("", MINILM) and options.rehearse:
        raise click.UsageError(NOT_REHEARSED)
    return run_to_end(lambda: _add(options, wanted, name, None if no_embed else embed))


async def _add(options: Options, given: Given, name: str, model: str | None) -> int:
    if given.dry_run:
        return _tell_plan(options, name, list(given.sources()))
    library, began = library_of(options), time.monotonic()
    progress = Progress("document", "reading lines") if given.jsonl else Progress("file", "looking for files")

    def step(at: Step) -> None:
        progress.at(at.done, at.all, counted(at.pieces, "piece"), at.source)

    try:
        async with progress.alive():
            added = await library.add(name, given.sources(), folders=given.folders(), on_step=step, on_wait=_wait)
    except asyncio.CancelledError:
        click.echo("Stopped. What was added stays, and the same command goes on.", err=True)
        raise
    seconds, code = time.monotonic() - began, _code(given, added)
    wants_vectors = model is not None and not code and (model == MINILM or not options.rehearse)
    if not options.json:
        _tell(options, name, added, seconds)
        found = await _embed(options, name, model or "") if wants_vectors else None
        if found is not None and found.pieces:
            click.echo(f"{name}: {told(found)}")
        return code
    found, fault = None, None
    try:
        found = await _embed(options, name, model or "") if wants_vectors else None
    except MmosError as error:  # the documents are there, and the document says so
        from mmos.cli.main import exit_code

        fault, code = error, exit_code(error)
        click.echo(f"mmos: {error}", err=True)
    print_json(_document(name, added, seconds, found, fault))
    return code


def _wait() -> None:
    click.echo("mmos: another process writes this collection. Waiting for it.", err=True)


async def _embed(options: Options, name: str, model: str) -> Embedded | None:
    """Make the vectors that are missing, if the collection has some, or is to have some."""
    async with library_with_hosts(options) as library:
        rag = options.source().orchestration.rag
        keys = next(
            (one for one in (rag.collections.get(name), rag) if one is not None and "embedding_model" in one.model_fields_set), None
        )
        configured = keys.embedding_model if keys is not None else ""
        if not (wanted := model or (await library.about(name)).embedding.get("model", "") or configured):
            return None
        return await make_vectors(library, name, wanted)


# ---------------------------------------------------------------- what is said of it


def _code(given: Given, added: Added) -> int:
    return int(not _is_something(added) or (given.jsonl and bool(added.passed_over)))


def _is_something(added: Added) -> bool:
    return bool(added.sources or added.unchanged or added.deleted)


def _document(name: str, added: Added, seconds: float, found: Embedded | None, fault: MmosError | None) -> dict[str, Any]:
    return {
        "version": 1, "collection": name, "sources": added.sources, "pieces": added.pieces, "unchanged": added.unchanged,
        "deleted": added.deleted, "passed_over": _documents(added.passed_over), "seconds": round(seconds, 3),
        "vectors": asdict(found) if found is not None else None,
        "reason": {"code": fault.code, "message": fault.message, "next": fault.next_step or None} if fault is not None else None,
    }  # fmt: skip


def _tell(options: Options, name: str, added: Added, seconds: float) -> None:
    _tell_passed_over(added.passed_over, everything=bool(options.verbose))
    if not _is_something(added):
        click.echo("Nothing could be read." if added.passed_over else "There is nothing to read.", err=True)
        return
    more = [
        f"{counted(number, 'source')} {what}"
        for number, what in ((added.unchanged, "unchanged"), (added.deleted, "no longer there"), (len(added.passed_over), "passed over"))
        if number
    ]
    read = f"{counted(added.sources, 'source')} read ({counted(added.pieces, 'piece')}) in {whole_seconds(seconds)}"
    click.echo(f"{name}: {', '.join([read, *more])}. It can be searched now.")


def _tell_passed_over(passed_over: Sequence[PassedOver], *, everything: bool) -> None:
    shown = passed_over if everything else passed_over[:TOLD]
    for one in shown:
        click.echo(f"passed over: {flat(one.path)}: {flat(one.why)}", err=True)
    if left := len(passed_over) - len(shown):
        click.echo(f"… and {left:,} more. -v shows all.", err=True)


def _documents(passed_over: Sequence[PassedOver]) -> list[dict[str, str]]:
    return [{"path": one.path, "why": one.why} for one in passed_over]


def _tell_plan(options: Options, name: str, sources: Sequence[Source]) -> int:
    """What would be read. Whether a file has changed is not looked at."""
    from mmos.library.finding import Found, PassedOver

    passed = [one for one in sources if isinstance(one, PassedOver)]
    names = [one.path if isinstance(one, Found) else one.source for one in sources if not isinstance(one, PassedOver)]
    if options.json:
        print_json({"version": 1, "collection": name, "would_read": names, "passed_over": _documents(passed)})
        return int(not names)
    for one in names:
        click.echo(flat(one))
    _tell_passed_over(passed, everything=bool(options.verbose))
    click.echo(f"Would read {counted(len(names), 'source')} into {name}.", err=True)
    return int(not names)
