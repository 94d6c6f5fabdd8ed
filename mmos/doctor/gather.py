"""Gathers all facts at once: hosts, clocks, cards, state folder, packages; a dead host costs only a short wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mmos.app import checks
from mmos.config.load import Config
from mmos.config.sources import expanded, is_file
from mmos.doctor.clocks import skew
from mmos.doctor.facts import Facts
from mmos.doctor.packages import packages
from mmos.doctor.probe import Probing, rendered
from mmos.doctor.state import look_at_state
from mmos.errors import ConfigError, HostError
from mmos.fitness.shelf import Shelf
from mmos.fleet.fleet import Fleet
from mmos.fleet.survey import survey
from mmos.hosts.face import Card
from mmos.names import canonical

PATIENCE = 1.2
"""With the start of Python the whole examination of dead hosts takes no more than two seconds."""


@dataclass(frozen=True)
class Circumstances:
    """Where the doctor has been called to."""

    state: Path
    environ: Mapping[str, str]
    probing: Probing = "idle"
    note: Callable[[str], None] = lambda _text: None
    """Told what takes long."""
    patience: float = PATIENCE
    """Seconds for each question."""
    wall: Callable[[], float] = time.time


async def examine(config: Config, fleet: Fleet, around: Circumstances) -> Facts:
    """All facts about a configuration that loads."""
    servers = config.servers()
    states, cards, skews, state = await asyncio.gather(
        survey(fleet, servers, patience=around.patience), _cards(config, fleet, around), _skews(fleet, around), look_at_state(around.state)
    )
    shelf = Shelf.of_state(around.state)
    facts = Facts(
        config,
        unusable=tuple(checks.problems(config)),
        states=states,
        cards=cards,
        trials={(card.host, canonical(card.model)): card for card in shelf.cards()},
        damaged_cards=tuple(shelf.damaged()),
        skews=skews,
        unset_keys={name: server.api_key_env for name, server in servers.items() if server.api_key_env and not around.environ.get(server.api_key_env)},
        missing_files=dict(_missing_files(config, around.environ)),
        state=state,
        packages=packages(config),
        now=around.wall(),
    )  # fmt: skip
    return replace(facts, rendered=await rendered(facts, fleet, around.probing, around.note))


async def examine_without(error: ConfigError, around: Circumstances) -> Facts:
    """What can be said where the configuration cannot be read."""
    cure = "" if error.next_step == ConfigError.next_step else error.next_step
    return Facts(problems=error.problems, cure=cure, state=await look_at_state(around.state), packages=packages(None), now=around.wall())


async def _cards(config: Config, fleet: Fleet, around: Circumstances) -> dict[tuple[str, str], Card]:
    """What each host tells of the models that roles use there."""
    wanted = {
        (seat.name, canonical(role.model)): role.model
        for role in config.roles().values()
        for seat in fleet.seats
        if not role.servers or seat.name in role.servers
    }
    told = await asyncio.gather(*(_card(fleet, host, model, around.patience) for (host, _), model in wanted.items()))
    return {place: card for place, card in zip(wanted, told, strict=True) if card is not None}


async def _card(fleet: Fleet, host: str, model: str, patience: float) -> Card | None:
    try:
        async with asyncio.timeout(patience):
            return await fleet.host(host).show(model)
    except (HostError, TimeoutError):
        return None  # that it is down or lacks the model shows elsewhere


async def _skews(fleet: Fleet, around: Circumstances) -> dict[str, float]:
    names = [seat.name for seat in fleet.seats if seat.host.url]
    told = await asyncio.gather(*(skew(fleet.host(name).url, around.patience, around.wall) for name in names))
    return {name: seconds for name, seconds in zip(names, told, strict=True) if seconds is not None}


def _missing_files(config: Config, environ: Mapping[str, str]) -> Iterable[tuple[str, tuple[str, ...]]]:
    from mmos.hosts.embedded.files import BUILT_IN, built_in_file

    for name, server in config.servers().items():
        if server.kind != "embedded":
            continue
        models = server.models or {"the built-in model": BUILT_IN}
        folder = config.folder or Path.cwd()
        there = {
            model: built_in_file() is not None if path == BUILT_IN else is_file(folder / expanded(path, environ))
            for model, path in models.items()
        }
        if gone := tuple(model for model, found in there.items() if not found):
            yield name, gone
