"""`mmos config`: write, check, show and describe the configuration."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from mmos.cli.output import print_json
from mmos.cli.setting import Setting, run_to_end, setting
from mmos.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmos.config.survey import HostSurvey
    from mmos.hosts.face import Installed
    from mmos.hosts.ollama import OllamaHost

ASKING_SECONDS = 5.0


@click.group()
def config() -> None:
    """Write, check, show and describe the configuration.

    \b
    mmos config init
    mmos config check
    """


@config.command()
@click.option("--offline", is_flag=True, help="Do not ask the hosts whether they answer and have the models.")
@setting
def check(config: Setting, offline: bool) -> int:
    """Check the configuration: every error at once, each with its place and its cure.

    What keeps a run from beginning is an error, and the exit code is 2. A host that does not answer, or lacks a model, is a warning.
    The hosts are asked all at once, for three seconds at most. Functions of yours are looked for in their files; they are not run.

    \b
    mmos config check
    mmos config check -c other.yaml --json
    mmos config check --offline
    """
    return run_to_end(lambda: _check(config, offline=offline))


async def _check(config: Setting, *, offline: bool) -> int:
    from mmos.app import checks
    from mmos.app.wiring import templates_of
    from mmos.doctor.absent import absent
    from mmos.errors import ConfigError

    try:
        loaded = config.source()
    except ConfigError as error:
        return _found(config, error.problems, ())
    wrong = checks.problems(loaded)
    missed = [] if offline or wrong else await absent(loaded)
    return _found(config, wrong, (*loaded.warnings, *templates_of(loaded).unused(), *missed), loaded.document.name)


def _found(config: Setting, errors: Any, warnings: Any, name: str = "") -> int:
    if config.json:
        rows = [
            {"level": level, "where": p.where, "key": p.key, "message": p.message}
            for level, found in (("error", errors), ("warning", warnings))
            for p in found
        ]
        print_json({"version": 1, "ok": not errors, "findings": rows})
    else:
        for problem in errors:
            click.echo(f"{click.style('error', fg='red')}: {problem}", err=True)
        for problem in warnings:
            click.echo(f"{click.style('warning', fg='yellow')}: {problem}", err=True)
        if not errors:
            click.echo(f"{name or 'The configuration'} is valid.")
    return 2 if errors else 0


@config.command()
@setting
def show(config: Setting) -> None:
    """Show the configuration in effect, each value with where it comes from; secrets stay hidden.

    \b
    mmos config show
    mmos config show --json
    """
    from mmos.cli.cards import measured
    from mmos.config.show import as_dict, describe

    loaded = config.source()
    channels = measured(config, loaded)
    if config.json:
        print_json({"version": 1, **as_dict(loaded, channels)})
    else:
        sys.stdout.write(describe(loaded, channels))


@config.command()
def schema() -> None:
    """Print the JSON Schema of orchestration.yaml, for editors.

    \b
    mmos config schema > orchestration.schema.json
    """
    from mmos.config.json_schema import json_schema_text

    sys.stdout.write(json_schema_text())


@config.command()
@click.argument("hosts", nargs=-1)
@click.option("-o", "--output", default="orchestration.yaml", show_default=True, metavar="FILE", help="Where to write it; - is stdout.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def init(hosts: tuple[str, ...], output: str, force: bool) -> int:
    """Ask HOSTS what models they have, and write a configuration that fits them.

    A host is a URL, or a name or address whose port is 11434. Without any, this machine is asked.

    \b
    mmos config init
    mmos config init ollama01 192.168.1.20 http://studio:11434
    """
    from mmos.config.init import propose

    path = None if output == "-" else Path(output)
    if path is not None and path.exists() and not force:
        raise click.UsageError(f"{path} is there already; --force writes over it, --output names another file.")
    surveys = run_to_end(lambda: ask_hosts(hosts or (_local(),)))
    for survey in surveys:
        said = f"{counted(len(survey.models), 'model')}, version {survey.version}" if survey.reachable else survey.error
        click.echo(f"{survey.name} ({survey.url}): {said}", err=True)
    text = propose(surveys, scores=_scores(path, surveys))
    if not any(survey.reachable for survey in surveys):
        click.echo(
            "No host answered, so nothing was written. Start Ollama (`ollama serve`), or name your hosts: mmos config init HOST …", err=True
        )
        return 4
    if path is None:
        sys.stdout.write(text)
    else:
        _write(path, text)
        click.echo(f'Wrote {path}. Next: mmos config check, then: mmos run "Explain what you can do"', err=True)
    return 0 if any(survey.models for survey in surveys) else 4


def _scores(path: Path | None, surveys: Sequence[HostSurvey]) -> dict[tuple[str, str], float]:
    """Scores of earlier tests on these hosts, from the state folder beside the file, as long as the models are the same."""
    from mmos.fitness.shelf import Shelf
    from mmos.hosts.names import same_model

    cards = Shelf.of_state((path.parent if path else Path()) / ".mmos").cards()
    return {
        (survey.name, model.name): card.score
        for survey in surveys
        for model in survey.models
        for card in cards
        if card.channel and card.host == survey.name and same_model(card.model, model.name) and card.is_of(model.digest)
    }


async def _capable(host: OllamaHost, model: Installed) -> Installed:
    """Older servers tell what a model can do only when asked about it alone."""
    if model.capabilities is not None:
        return model
    card = await host.show(model.name)
    return replace(model, capabilities=card.capabilities, context_length=card.context_length or model.context_length)


def _local() -> str:
    from mmos.config.sources import local_address

    return local_address(os.environ)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from None


async def ask_hosts(hosts: tuple[str, ...]) -> list[HostSurvey]:
    """What each has, all asked at once; one that does not answer is told of, not waited for."""
    return list(await asyncio.gather(*(_ask(name, url) for name, url in _named(hosts))))


def _named(hosts: tuple[str, ...]) -> list[tuple[str, str]]:
    named: dict[str, str] = {}
    for host in hosts:
        url = host if "://" in host else f"http://{host}"
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            raise click.BadParameter(f"{host!r} is no address of a host", param_hint="HOSTS") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise click.BadParameter(f"{host!r} is no address of a host; give a name, an address or a URL", param_hint="HOSTS")
        if port is None and parts.scheme == "http":
            url = f"{url.rstrip('/')}:11434"
        name = "local" if parts.hostname in ("localhost", "127.0.0.1", "::1") else parts.hostname.replace(".", "-")
        while name in named and named[name] != url:
            name += "-2"
        named[name] = url
    return list(named.items())


async def _ask(name: str, url: str) -> HostSurvey:
    from mmos.config.survey import HostSurvey, SurveyedModel
    from mmos.errors import HostError
    from mmos.hosts.ollama import OllamaHost

    host = OllamaHost(name, url)
    try:
        async with asyncio.timeout(ASKING_SECONDS):
            version, tags = await asyncio.gather(host.version(), host.tags())
            tags = await asyncio.gather(*(_capable(host, model) for model in tags))
    except (HostError, TimeoutError) as error:
        return HostSurvey(name, url, False, "", (), str(error) or f"no answer within {ASKING_SECONDS:g} s")
    finally:
        await host.close()
    models = tuple(
        SurveyedModel(
            model.name, model.size, model.parameters, model.family, model.capabilities, model.context_length, model.remote, model.digest
        )
        for model in tags
    )
    return HostSurvey(name, url, True, version, models, "")
