"""`mmos config add-host`: asks hosts what they are, and adds them to the configuration file. Comments and layout stay."""

from __future__ import annotations

import contextlib
import difflib
import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.survey import addresses, ask_hosts, key_of, report

if TYPE_CHECKING:
    from mmos.config.inserting import Servers
    from mmos.config.load import Config, Source
    from mmos.config.survey import HostSurvey


@click.command("add-host")
@click.argument("hosts", nargs=-1, required=True)
@click.option("--name", metavar="NAME", help="The host's name in the file. Default: its name or address in the network.")
@click.option("--api-key-env", metavar="VARIABLE", help="The environment variable with the API key of the one HOST.")
@click.option("--dry-run", is_flag=True, help="Print the change as a diff, but write nothing.")
@click.option("--force", is_flag=True, help="Also add hosts that do not answer.")
@shared_options
def add_host(options: Options, hosts: tuple[str, ...], name: str | None, api_key_env: str | None, dry_run: bool, force: bool) -> int:
    """Add HOSTS to the configuration file. Its comments and layout stay as they are.

    A host is a URL, or a name or address (then the port is 11434). MMOS asks each host whether it is an Ollama or an OpenAI-shaped server.

    \b
    mmos config add-host gpu3
    mmos config add-host http://studio:1234/v1 --name lab --dry-run
    mmos config add-host https://models.example.org/v1 --api-key-env CLOUD_KEY
    """
    if options.rehearse or options.embedded:
        raise click.UsageError("add-host changes your configuration file: leave out --rehearse and --embedded.")
    key = key_of(api_key_env, hosts)
    _check_name(name, hosts)
    source, config = _file(options)
    _check_new(config, [(_named(found, name), url) for found, url in addresses(hosts)])
    surveys = [replace(survey, name=_named(survey.name, name)) for survey in run_to_end(lambda: ask_hosts(hosts, key))]
    report(surveys, "mmos config add-host")
    additions = [survey for survey in surveys if survey.reachable or force]
    _check_new(config, [(survey.name, survey.url) for survey in additions])
    diff = _add(source, config, additions, dry_run=dry_run) if additions else ""
    _print_change(options, source, surveys, additions, diff, dry_run=dry_run)
    return 0 if len(additions) == len(surveys) else 1 if additions else 4


def _check_name(name: str | None, hosts: Sequence[str]) -> None:
    if name is not None and len(hosts) != 1:
        raise click.UsageError("--name needs exactly one HOST.")
    if name is not None and _named(name, None) != name:
        raise click.UsageError(f"{name!r} cannot be a server's name. Allowed: letters, digits, '.', '_' and '-'.")


def _named(found: str, name: str | None) -> str:
    from mmos.config.init import valid_name

    return name or valid_name(found)


def _file(options: Options) -> tuple[Source, Config]:
    """Find the file in effect. Refuse the built-in configuration, which is not the user's."""
    from mmos.config.load import load
    from mmos.config.sources import find

    source = find(options.config, os.environ, Path.cwd())
    if source.path is None:
        raise click.UsageError("There is no configuration file yet. Write one with: mmos config init HOST …")
    config = load(source, environ=os.environ)
    if tool := config.document.tool:
        raise click.UsageError(
            f"{source.name} is a file of {tool}. Write one that MMOS can add to: mmos config migrate {source.name} --write"
        )
    return source, config


def _check_new(config: Config, hosts: Sequence[tuple[str, str]]) -> None:
    """Refuse names and addresses that the file has already: MMOS would take one server with two names for two machines."""
    from mmos.config.wording import masked

    for name, url in hosts:
        if name in config.defined:
            where = config.document.where(("orchestration", "servers", name))
            known = f"{where} already has a server {name!r}: {masked(config.defined[name].url)}."
            raise click.UsageError(f"{known} Choose another name: mmos config add-host {masked(url)} --name NAME")
        for other, server in config.defined.items():
            if _plain(server.url) == _plain(url):
                where = config.document.where(("orchestration", "servers", other))
                raise click.UsageError(f"{where} already has this address, as {other!r}: {masked(url)}. Change its name there.")


def _plain(url: str) -> str:
    """Normalise an address for comparison."""
    return url.rstrip("/").casefold().replace("//localhost", "//127.0.0.1")


def _add(source: Source, config: Config, surveys: Sequence[HostSurvey], *, dry_run: bool) -> str:
    """Change the file, and return the change as a diff. The file is read again, because asking the hosts took time."""
    from mmos.config.inserting import with_servers
    from mmos.config.load import from_text
    from mmos.config.wording import masked

    path = source.path or Path()
    before = path.read_bytes().decode("utf-8")
    after = with_servers(before, _servers(config, surveys), source.name)
    from_text(after, source.name, os.environ)  # write nothing that does not load
    if not dry_run:
        replace_file(path, after.encode("utf-8"))
    diff = diff_of(before, after, source.name)
    for survey in surveys:
        diff = diff.replace(survey.url, masked(survey.url))
    return diff


def _servers(config: Config, surveys: Sequence[HostSurvey]) -> Servers:
    """List the new servers. A file without servers uses this machine's Ollama: add it too, so that it still serves."""
    from mmos.config.init import entry
    from mmos.config.survey import HostSurvey

    named = {survey.name: entry(survey) for survey in surveys}
    local = config.implicit["local"].url if not config.defined and "local" in config.implicit and not _is_named(config, "local") else ""
    if not local or _plain(local) in {_plain(survey.url) for survey in surveys}:
        return named
    name = "local" if "local" not in named else "this-machine"
    click.echo(f"The file named no server, so MMOS used {local}. MMOS adds it too, as {name!r}, so that it still serves.", err=True)
    return {name: entry(HostSurvey(name, local, True)), **named}


def _is_named(config: Config, server: str) -> bool:
    return any(server in role.servers for role in config.roles().values())


def diff_of(before: str, after: str, name: str) -> str:
    """Make a diff of the new lines only: the lines around them may hold secrets."""
    lines = difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), name, name, n=0)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def replace_file(path: Path, content: bytes) -> None:
    """Replace the content atomically. Links, permissions and owner stay."""
    target = path.resolve()
    fresh = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        known = target.stat()
        with fresh.open("xb") as file:
            fresh.chmod(stat.S_IMODE(known.st_mode))
            with contextlib.suppress(PermissionError):
                os.chown(fresh, known.st_uid, known.st_gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {(error.strerror or str(error)).lower()}. Nothing was changed.") from None
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def _print_change(
    options: Options, source: Source, surveys: Sequence[HostSurvey], additions: Sequence[HostSurvey], diff: str, *, dry_run: bool
) -> None:
    from mmos.config.wording import masked

    if options.json:
        rows = [
            {"name": one.name, "url": masked(one.url), "kind": one.kind, "models": len(one.models) if one.reachable else None}
            for one in additions
        ]
        failed = [{"host": one.name, "url": masked(one.url), "message": one.error} for one in surveys if not one.reachable]
        print_json(
            {
                "version": 1,
                "file": str(source.path),
                "written": bool(additions) and not dry_run,
                "added": rows,
                "failed": failed,
                "diff": diff,
            }
        )
        return
    sys.stdout.write(diff)
    if not additions:
        click.echo(f"Nothing was added to {source.name}. --force adds a host that does not answer.", err=True)
    elif dry_run:
        click.echo(f"Nothing was written. Without --dry-run, MMOS writes this change to {source.name}.", err=True)
    else:
        click.echo(f"Wrote {source.name}. Next: name the new hosts as `server:` of your roles, then run: mmos config check", err=True)
