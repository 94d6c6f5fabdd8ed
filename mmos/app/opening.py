"""Opens an app: reads its configuration, and opens its journal and its fleet."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmos.app.app import App
from mmos.config.load import Config, from_mapping, load
from mmos.config.sources import find
from mmos.fitness.card import Card
from mmos.fitness.shelf import Shelf
from mmos.fleet.fleet import Fleet
from mmos.journal import Journal
from mmos.journal.connect import DEFAULTS
from mmos.logs import logger
from mmos.toolbox import Tool

_log = logger("mmos.app")


@asynccontextmanager
async def open_app(
    config: str | Path | Mapping[str, Any] | Config | None = None,
    *,
    state: str | Path | None = None,
    tools: Iterable[Callable[..., Any] | Tool] = (),
    rehearsed: bool = False,
    patience: float | None = None,
) -> AsyncIterator[App]:
    """Open an app for `async with`.

    Args:
        config: A configuration file, or a mapping with the same keys. None: the file that `mmos run` would use.
        state: The folder in which MMOS keeps runs and threads. None: MMOS keeps nothing.
        tools: Your functions that the models may call.
        rehearsed: Marks the runs as rehearsed.
        patience: Seconds to wait while another process keeps the journal locked. None: 30, or less if the configuration allows a run less.

    Example::

        async with mmos.open("orchestration.yaml", state=".mmos") as app:
            answer = await app.run("What is a mutex?")
    """
    source = _configuration(config)
    if patience is None:
        patience = min(source.orchestration.limits.seconds or DEFAULTS.patience, DEFAULTS.patience)
    opening = Journal.open(Path(state) if state is not None else None, tuning=replace(DEFAULTS, patience=patience))
    async with await opening as journal, Fleet.open(source, state=None if rehearsed else state) as fleet:
        app = App(source, fleet, journal, tools=tools, trials=() if rehearsed else _trials(state), rehearsed=rehearsed)
        try:
            yield app
        finally:
            await app.close()


def _trials(state: str | Path | None) -> list[Card]:
    """The fitness cards of the state folder. A card that cannot be read is ignored and logged."""
    if state is None:
        return []
    shelf = Shelf.of_state(Path(state))
    for path in shelf.damaged():
        _log.warning("fitness_card_damaged", file=str(path), cure="mmos models test writes a new one")
    return shelf.cards()


def _configuration(config: str | Path | Mapping[str, Any] | Config | None) -> Config:
    if isinstance(config, Config):
        return config
    if isinstance(config, Mapping):
        return from_mapping(config, environ=os.environ)
    return load(find(str(config) if config else None, os.environ, Path.cwd()), environ=os.environ)
