"""`mmos config migrate`: writes the orchestration.yaml that does the same as a file of another tool."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json

if TYPE_CHECKING:
    from mmos.config.load import Config

OWN = "orchestration.yaml"


@click.command()
@click.argument("file", required=False)
@click.option("-o", "--out", metavar="FILE", help="The file to write. Default: MMOS prints it.")
@click.option("--write", is_flag=True, help=f"Write {OWN} into the folder that FILE is for.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@shared_options
def migrate(options: Options, file: str | None, out: str | None, write: bool, force: bool) -> int:
    """Print the orchestration.yaml that does the same as FILE of another tool, with comments on what changed.

    FILE is a configuration of Camus (.camus/config.yml) or OpenCode (opencode.toml). Without FILE, MMOS takes the one in this folder.
    FILE stays as it is. What has no equivalent stands at the end of the new file, and on stderr.

    \b
    mmos config migrate .camus/config.yml
    mmos config migrate opencode.toml --write
    """
    if options.rehearse or options.embedded:
        raise click.UsageError("migrate reads your file: leave out --rehearse and --embedded.")
    if out and write:
        raise click.UsageError("--out and --write cannot be used together. Give one of them.")
    if file and options.config:
        raise click.UsageError("FILE and --config cannot be used together. Give one of them.")
    return run_to_end(lambda: _migrate(options, file or options.config, Path(out) if out else None, write=write, force=force))


async def _migrate(options: Options, file: str | None, out: Path | None, *, write: bool, force: bool) -> int:
    from mmos.config.foreign.migrating import migrated
    from mmos.config.sources import home_of

    config = _config(file)
    text, source = migrated(config.document), config.path or Path()
    target = home_of(source) / OWN if write else out
    if target is not None:
        _write(target, text, source, force=force)
    if options.json:
        notes = [{"where": note.where, "key": note.key, "message": note.message} for note in config.document.notes]
        print_json(
            {
                "version": 1,
                "file": str(source),
                "tool": config.document.tool,
                "written": str(target) if target else None,
                "text": text,
                "notes": notes,
            }
        )
        return 0
    if target is None:
        sys.stdout.write(text)
    for note in config.document.notes:
        click.echo(f"warning: {note}", err=True)
    if target is not None:
        click.echo(f"Wrote {target}. Next: mmos config check {target}", err=True)
    return 0


def _config(file: str | None) -> Config:
    """Load the file that is named, or the one of another tool in this folder."""
    from mmos.config.load import Source, find, load
    from mmos.config.sources import OF_OTHER_TOOLS, is_file

    found = next((name for name in OF_OTHER_TOOLS if is_file(Path(name))), None)
    if file is None and found is None:
        raise click.UsageError(f"There is no file of another tool here: {', '.join(OF_OTHER_TOOLS)}. Name one: mmos config migrate FILE")
    source = find(file, os.environ, Path.cwd()) if file else Source(Path.cwd() / str(found), str(found))
    config = load(source, environ=os.environ)
    if not config.document.tool:
        raise click.UsageError(f"{source.name} has the keys of MMOS already. There is nothing to migrate.")
    return config


def _write(target: Path, text: str, source: Path, *, force: bool) -> None:
    if os.path.lexists(target) and not force:
        raise click.UsageError(f"{target} exists already. --force overwrites it, --out names another file.")
    if target.exists() and target.samefile(source):
        raise click.UsageError(f"{target} is the file to migrate, and MMOS does not change it. Name another one with --out.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{target} cannot be written: {(error.strerror or str(error)).lower()}.") from None
