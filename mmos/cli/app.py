"""Builds the App from the options: with the configuration that is named or found, or this machine's Ollama, or a rehearsal."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mmos.app import App
    from mmos.cli.options import Options
    from mmos.config.load import Config
    from mmos.config.survey import HostSurvey

Note = Callable[[str], None]
Offer = Callable[[str, str], Awaitable[bool]]
"""Asks a yes-or-no question. The second text is the default answer."""

EMBEDDED = "There is no configuration, and no Ollama answers at {url}. Talk with the embedded model? It is a tiny real model."
FOUND = "No orchestration.yaml: using the models of {url}. `mmos config init` writes a file for them."
EMPTY = "No orchestration.yaml, and {url} has no model that can chat: the built-in configuration is used. Fetch a model: ollama pull qwen2.5:14b"
NOBODY = "No orchestration.yaml, and no Ollama answers at {url}: the built-in configuration is used. `mmos config init HOST` writes one."
REHEARSAL_TIME_SCALE = 20.0


@asynccontextmanager
async def app_of(options: Options, note: Note | None = None, offer: Offer | None = None) -> AsyncIterator[App]:
    """Open the App for these options."""
    from mmos.app import open_app

    async with config_of(options, note, offer) as config:
        config = await ask_for_trust(options, config, offer)
        patience = None if options.timeout is None else options.patience()
        async with open_app(config, state=options.state_folder(config.path), rehearsed=options.rehearse, patience=patience) as app:
            yield app


@asynccontextmanager
async def config_of(options: Options, note: Note | None = None, offer: Offer | None = None) -> AsyncIterator[Config]:
    """Load the configuration for these options. In a rehearsal, serve its hosts while it is used."""
    if options.rehearse:
        async with _rehearsed(options) as config:
            yield config
    elif has_no_file(options):
        yield await _of_this_machine(options, note or _on_stderr(options), offer)
    else:
        yield options.source()


async def ask_for_trust(options: Options, config: Config, offer: Offer | None = None, *, runs: bool = True, ask: bool = True) -> Config:
    """The configuration, when the user agrees to what it asks for: because it was named, earlier, by --trust, or now."""
    from mmos.app import checks, trust
    from mmos.errors import ConfigError

    consent = trust.pending(config, os.environ, runs=runs)
    if consent is not None:
        if runs and checks.problems(config):
            return config  # it cannot run, and that is said first
        if not options.trust and not (ask and await _consents(options, consent.text, offer)):
            raise consent.refusal
        _remember(consent.remember)
    elif runs and not config.found:
        with suppress(OSError, ConfigError):  # a run that is resumed names its file only in its record
            if (named := trust.consent_of(config, os.environ)) is not None and not named.is_given:
                named.remember()
    return replace(config, found=False)


def _remember(remember: Callable[[], None]) -> None:
    try:
        remember()
    except OSError as error:
        click.echo(f"mmos: warning: That you trust it cannot be kept: {(error.strerror or str(error)).lower()}.", err=True)


async def _consents(options: Options, text: str, offer: Offer | None) -> bool:
    question = f"{options.file().path}: {text}\nDo you trust it?"
    if offer is not None:
        return await offer(question, "no")
    from mmos.cli.questions import says_yes

    return not options.json and says_yes(question)


def has_no_file(options: Options) -> bool:
    return not (options.rehearse or options.embedded) and options.file().path is None


def _on_stderr(options: Options) -> Note:
    def note(line: str) -> None:
        if not options.json:
            click.echo(f"mmos: {line}", err=True)

    return note


# ---------------------------------------------------------------- without a file


async def _of_this_machine(options: Options, note: Note, offer: Offer | None) -> Config:
    """Make the configuration that `mmos config init` would write for this machine's Ollama. Without an Ollama, take the built-in one."""
    from mmos.config.load import load
    from mmos.config.sources import EMBEDDED as EMBEDDED_SOURCE
    from mmos.config.sources import local_address
    from mmos.config.survey import candidates
    from mmos.config.wording import masked

    survey = await _survey(local_address(os.environ))
    url = masked(local_address(os.environ))
    if survey is not None and candidates([survey], [survey.name]):
        note(FOUND.format(url=url))
        return _proposed(survey, f"discovered at {url}")
    if survey is None and offer is not None and _can_embed() and await offer(EMBEDDED.format(url=url), "yes"):
        return load(EMBEDDED_SOURCE, environ=os.environ)
    note((NOBODY if survey is None else EMPTY).format(url=url))
    return options.source()


async def _survey(url: str) -> HostSurvey | None:
    """Ask this machine's Ollama for its models. None if it does not answer."""
    from mmos.cli.survey import ask_hosts

    (survey,) = await ask_hosts((url,))
    return survey if survey.reachable else None


def _proposed(survey: HostSurvey, name: str) -> Config:
    import yaml

    from mmos.config.init import propose
    from mmos.config.load import from_mapping

    return from_mapping(yaml.safe_load(propose([survey])), environ=os.environ, name=name)


def _can_embed() -> bool:
    from mmos.hosts.embedded.files import built_in_file, has_engine

    return has_engine() and built_in_file() is not None


# ---------------------------------------------------------------- rehearsal


@asynccontextmanager
async def _rehearsed(options: Options) -> AsyncIterator[Config]:
    """Load the configuration and rehearse its servers. Without a configuration, use the default rehearsal fleet."""
    scale = options.time_scale or REHEARSAL_TIME_SCALE
    if options.file().path is None:
        from mmos.config.load import from_mapping
        from mmos.rehearsal.fleet import default_fleet

        async with default_fleet(time_scale=scale) as fleet:
            tree = fleet.orchestration()
            for server in tree["orchestration"]["servers"].values():
                server["time_scale"] = scale
            yield from_mapping(tree, environ=os.environ, name="rehearsal fleet")
        return
    config = options.source()
    from mmos.simulation.playing import played

    async with played(config, scale) as playing:
        yield playing
