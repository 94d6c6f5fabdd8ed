"""Who answers where one talks: the configured fleet; without a configuration this machine's Ollama as it is, else the embedded model."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmos.app import App
    from mmos.cli.setting import Setting
    from mmos.config.survey import HostSurvey

Offer = Callable[[str], Awaitable[bool]]
"""Puts a question that is answered by yes or no."""

EMBEDDED = "There is no configuration, and no Ollama answers at {url}. Talk with the embedded model? It is real, and tiny."


@asynccontextmanager
async def wired(config: Setting, note: Callable[[str], None], offer: Offer | None = None) -> AsyncIterator[App]:
    """The App for these options. Where nobody has configured anything, what is there is used, and that is said."""
    if not nothing_configured(config):
        async with config.app() as app:
            yield app
        return
    from mmos.cli.surveying import ask_hosts
    from mmos.config.sources import local_address
    from mmos.config.survey import candidates
    from mmos.config.wording import masked

    (survey,) = await ask_hosts((local_address(os.environ),))
    if candidates([survey], [survey.name]):
        note(f"No orchestration.yaml: these are the models of {masked(survey.url)}. `mmos config init` writes them down.")
        async with _found(config, survey) as app:
            yield app
        return
    if not survey.reachable and offer is not None and _can_embed() and await offer(EMBEDDED.format(url=masked(survey.url))):
        config = replace(config, embedded=True)
    async with config.app() as app:
        yield app


def nothing_configured(config: Setting) -> bool:
    from mmos.config.sources import find

    return not (config.rehearse or config.embedded) and find(config.config, os.environ, Path.cwd()).path is None


def _can_embed() -> bool:
    from mmos.hosts.embedded.files import built_in_file, has_engine

    return has_engine() and built_in_file() is not None


@asynccontextmanager
async def _found(config: Setting, survey: HostSurvey) -> AsyncIterator[App]:
    """What `mmos config init` would propose, without a file."""
    import yaml

    from mmos.app import open_app
    from mmos.config.init import propose
    from mmos.config.load import from_mapping

    made = from_mapping(yaml.safe_load(propose([survey])), environ=os.environ)
    async with open_app(made, state=config.state_folder(None)) as app:
        yield app
