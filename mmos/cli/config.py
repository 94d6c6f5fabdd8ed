"""`mmos config`: writes, checks, shows and describes the configuration."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.config_add_host import add_host
from mmos.cli.config_migrate import migrate
from mmos.cli.hints import HintingGroup
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.styles import style
from mmos.cli.survey import ask_hosts, key_of, report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmos.config.survey import HostSurvey


@click.group(cls=HintingGroup)
def config() -> None:
    """Write, check, show and describe the configuration.

    \b
    mmos config init
    mmos config add-host gpu3
    mmos config check
    """


config.add_command(add_host)
config.add_command(migrate)


@config.command()
@click.argument("file", required=False)
@click.option("--offline", is_flag=True, help="Do not ask the hosts whether they answer and have the models. No network.")
@shared_options
def check(options: Options, file: str | None, offline: bool) -> int:
    """Check the configuration, or FILE, and show every error with its place and how to fix it.

    A problem that would stop `mmos run` is an error, and the exit code is 2. A host that does not answer, or lacks a model, is a warning.
    MMOS asks all hosts at once, for three seconds at most. It looks for your functions in their files, but does not run them.

    \b
    mmos config check
    mmos config check other.yaml --json
    mmos config check --offline
    """
    return run_to_end(lambda: _check(_of_file(options, file), offline=offline))


async def _check(options: Options, *, offline: bool) -> int:
    from mmos.app import checks, trust
    from mmos.app.wiring import templates_of
    from mmos.cli.app import ask_for_trust, config_of
    from mmos.doctor.checkup import absent
    from mmos.errors import ConfigError

    try:
        async with config_of(options) as config:
            wrong = checks.problems(config)
            if options.trust and not wrong:
                config = await ask_for_trust(options, config)
            pending = None if wrong else trust.pending(config, os.environ)
            quiet = offline or wrong or trust.pending(config, os.environ, runs=False)
            missed = [] if quiet else await absent(config)
    except ConfigError as error:
        return _print_findings(options, error.problems, ())
    untrusted, texts = [pending.warning] if pending else [], templates_of(config)
    return _print_findings(
        options,
        wrong,
        (*untrusted, *config.warnings, *checks.doubts(config), *texts.unused(), *texts.lacking(), *missed),
        config.document.name,
    )


def _print_findings(options: Options, errors: Any, warnings: Any, name: str = "") -> int:
    if options.json:
        rows = [
            {"level": level, "where": p.where, "key": p.key, "message": p.message}
            for level, found in (("error", errors), ("warning", warnings))
            for p in found
        ]
        print_json({"version": 1, "ok": not errors, "findings": rows})
    else:
        for problem in errors:
            click.echo(f"{style('error', 'error')}: {problem}", err=True)
        for problem in warnings:
            click.echo(f"{style('warning', 'warning')}: {problem}", err=True)
        if not errors:
            click.echo(f"{name or 'The configuration'} is valid.")
    return 2 if errors else 0


@config.command()
@click.argument("file", required=False)
@shared_options
def show(options: Options, file: str | None) -> None:
    """Show the configuration in effect, or FILE, and where each value comes from. Secrets stay hidden.

    \b
    mmos config show
    mmos config show other.yaml --json
    """
    run_to_end(lambda: _show(_of_file(options, file)))


def _of_file(options: Options, file: str | None) -> Options:
    """The file as an argument means the same as --config."""
    if file is None:
        return options
    if options.config is not None or options.embedded:
        raise click.UsageError(f"FILE and {'--embedded' if options.embedded else '--config'} cannot be used together. Give one of them.")
    return replace(options, config=file)


async def _show(options: Options) -> None:
    from mmos.cli.app import config_of
    from mmos.cli.cards import channels_of
    from mmos.config.show import as_dict, describe

    async with config_of(options) as config:
        channels = {} if options.rehearse else channels_of(options, config)
        if options.json:
            print_json({"version": 1, **as_dict(config, channels)})
        else:
            sys.stdout.write(describe(config, channels))


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
@click.option("-o", "--output", default="orchestration.yaml", show_default=True, metavar="FILE", help="The file to write. `-` is stdout.")
@click.option("--api-key-env", metavar="VARIABLE", help="The environment variable with the API key of the one HOST.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def init(hosts: tuple[str, ...], output: str, api_key_env: str | None, force: bool) -> int:
    """Ask HOSTS what models they have, and write a configuration that fits them.

    A host is a URL, or a name or address (then the port is 11434). Without HOSTS, MMOS asks this machine. It recognises
    OpenAI-shaped servers (LM Studio, vLLM, llama-server): write their URL with its port.

    \b
    mmos config init
    mmos config init ollama01 192.168.1.20 http://studio:1234/v1
    """
    from mmos.config.init import propose

    path = None if output == "-" else Path(output)
    if path is not None and os.path.lexists(path) and not force:
        raise click.UsageError(
            f"{path} exists already. `mmos config add-host HOST` adds to it, --force overwrites it, --output names another file."
        )
    key = key_of(api_key_env, hosts)
    surveys = run_to_end(lambda: ask_hosts(hosts or (_local(),), key))
    reachable = any(survey.reachable for survey in surveys)
    report(surveys, "mmos config add-host" if reachable else "mmos config init")
    if not reachable:
        if not any(survey.needs_key for survey in surveys):
            click.echo("Start Ollama (`ollama serve`), or name your hosts: mmos config init HOST …", err=True)
        click.echo("No host listed its models, so nothing was written.", err=True)
        return 4
    text = propose(surveys, scores=_scores(path, surveys))
    if path is None:
        sys.stdout.write(text)
    else:
        _write(path, text)
        click.echo(f'Wrote {path}. Next: mmos config check, then: mmos run "Explain what you can do"', err=True)
    return 0 if any(survey.models for survey in surveys) else 4


def _scores(path: Path | None, surveys: Sequence[HostSurvey]) -> dict[tuple[str, str], float]:
    """Read the scores of earlier tests on these hosts from the state folder beside the file, if the models are the same."""
    from mmos.fitness.shelf import Shelf
    from mmos.names import same_model

    cards = Shelf.of_state((path.parent if path else Path()) / ".mmos").cards()
    return {
        (survey.name, model.name): card.score
        for survey in surveys
        for model in survey.models
        for card in cards
        if card.channel and card.host == survey.name and same_model(card.model, model.name) and card.is_of(model.digest)
    }


def _local() -> str:
    from mmos.config.sources import local_address

    return local_address(os.environ)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from None
