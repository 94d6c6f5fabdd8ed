"""Keeps what a fleet has learned of its hosts in the state folder, so that the next run need not learn it again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from mmos.errors import StateError, UsageError
from mmos.files import content
from mmos.fleet.keeping import hour
from mmos.fleet.seats import Seat
from mmos.journal.folder import make, write
from mmos.logs import logger
from mmos.placement.engine import Engine
from mmos.placement.facts import Standstill
from mmos.placement.habits import MOST_MODELS

VERSION = 1
NAME = "fleet.json"
MOST_BYTES = 4 << 20
MOST_HOSTS = 200
"""Hosts in the file. Those that were not used for longest are forgotten."""
PAUSE = 300.0
"""Seconds between two times that it is written."""
BELIEVED = 3600.0
"""Seconds for which a host counts as stuck that an earlier run left like that."""

_log = logger("mmos.fleet")
Hosts = dict[str, dict[str, Any]]


class Learned:
    """The file. Several processes may write it: each replaces only the models that it has learned something of."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._path = folder / NAME
        self._clock = clock
        self._wall = wall
        self._written = clock()
        self._kept: Hosts | None = None
        self._recalled: dict[tuple[str, str], dict[str, Any]] = {}
        """What is in the file of each host and model, as far as this process knows."""
        self._stuck: dict[str, Standstill | None] = {}
        """The same for hosts that load no more."""

    def recall(self, seat: Seat, engine: Engine, now: float) -> None:
        """A host has listed its models: tell the engine what is known of those that are still the same."""
        kept = self._hosts(engine).get(_key(seat), {})
        if seat.name not in self._stuck:
            halt = self._stuck[seat.name] = self._standstill(kept)
            if halt is not None:
                engine.stuck.recall(seat.name, halt.model, now - halt.seconds * seat.time_scale)
        listed, models = seat.installed or {}, _mapping(kept.get("models"))
        new = {
            model: models[model]
            for model, installed in listed.items()
            if (seat.name, model) not in self._recalled and _mapping(models.get(model)).get("digest") == installed.digest
        }
        if new or not any(host == seat.name for host, _ in self._recalled):
            engine.estimates.recall(seat.name, kept.get("memory"), new)
        for model in listed:
            self._recalled.setdefault((seat.name, model), engine.estimates.of_model(seat.name, model))

    def stuck(self, seats: Iterable[Seat]) -> dict[str, Standstill]:
        """The hosts that load no more, by the file."""
        hosts, _ = self._read()
        found = {seat.name: self._standstill(hosts.get(_key(seat), {})) for seat in seats}
        return {name: halt for name, halt in found.items() if halt is not None}

    def _standstill(self, kept: Mapping[str, Any]) -> Standstill | None:
        """What is kept of a host. It is not believed for long: somebody may have restarted the host."""
        told = _mapping(kept.get("stuck"))
        model, since = told.get("model"), told.get("since")
        seconds = self._wall() - since if isinstance(since, int) else math.inf
        return Standstill(model, seconds) if isinstance(model, str) and 0 <= seconds < BELIEVED else None

    def write_now_and_then(self, seats: list[Seat], engine: Engine) -> None:
        if self._clock() - self._written > PAUSE or ((engine.stuck.hosts or any(self._stuck.values())) and self._turned(seats, engine)):
            self.write(seats, engine)

    def write(self, seats: list[Seat], engine: Engine) -> None:
        """Add what was learned to the file. A folder that cannot be written costs only what was learned."""
        self._written = self._clock()
        turned = self._turned(seats, engine)
        news = {_key(seat): (seat, models) for seat in seats if (models := self._news(seat, engine)) or seat.name in turned}
        if not news:
            return
        hosts, habits = self._read()
        moment = hour(self._wall())
        for model in {model: None for _, models in news.values() for model in models}:
            engine.habits.asked(model, moment)
            habits.pop(model, None)
            habits[model] = engine.habits.of_model(model)
        for key, (seat, models) in news.items():
            kept = hosts.pop(key, {})
            models = {**_mapping(kept.get("models")), **models}
            hosts[key] = {**kept, "used": int(self._wall()), "memory": engine.estimates.of_host(seat.name), "models": models}
            if seat.name in turned:
                halt = self._stuck[seat.name] = turned[seat.name]
                hosts[key]["stuck"] = halt and {"model": halt.model, "since": int(self._wall() - halt.seconds)}
        document = {"version": VERSION, "hosts": _newest(hosts, MOST_HOSTS), "habits": _newest(habits, MOST_MODELS)}
        try:
            make(self._path.parent)
            write(self._path, document)
        except (OSError, StateError) as error:
            _log.warning("fleet_file_not_written", file=str(self._path), error=str(error))

    def _turned(self, seats: list[Seat], engine: Engine) -> dict[str, Standstill | None]:
        """The hosts that got stuck or went on since the file was written."""
        known = engine.stuck.models
        turned = {seat.name: known.get(seat.name) for seat in seats if bool(self._stuck.get(seat.name)) != (seat.name in known)}
        return {name: Standstill(model, 0.0) if model else None for name, model in turned.items()}

    def _news(self, seat: Seat, engine: Engine) -> dict[str, Any]:
        """The models of a host of which something was learned since the last time."""
        news = {}
        for model, installed in (seat.installed or {}).items():
            known = engine.estimates.of_model(seat.name, model)
            if known and known != self._recalled.get((seat.name, model)):
                self._recalled[seat.name, model] = known
                news[model] = {"digest": installed.digest, **known}
        return news

    def _hosts(self, engine: Engine) -> Hosts:
        """What the file said at first. The engine is told what is asked when."""
        if self._kept is None:
            self._kept, habits = self._read()
            for model, kept in habits.items():
                engine.habits.recall(model, _mapping(kept))
        return self._kept

    def _read(self) -> tuple[Hosts, dict[str, Any]]:
        """The hosts in the file, the one that was used last at the end, and what is asked when. A file that this version does not understand counts as empty."""
        try:
            document = orjson.loads(content(self._path, MOST_BYTES, follow=False))
        except FileNotFoundError:
            return {}, {}
        except (OSError, ValueError, UsageError):
            document = None
        hosts = document.get("hosts") if isinstance(document, dict) and document.get("version") == VERSION else None
        if not isinstance(document, dict) or not isinstance(hosts, dict):
            _log.warning("fleet_file_ignored", file=str(self._path), cure="MMOS writes a new one")
            return {}, {}
        return {key: kept for key, kept in hosts.items() if isinstance(kept, dict)}, _mapping(document.get("habits"))


def _newest(mapping: dict[str, Any], most: int) -> dict[str, Any]:
    return dict(list(mapping.items())[-most:])


def _key(seat: Seat) -> str:
    """A host is the same when its name and its address are. The address may contain a password, so it is not written."""
    return f"{seat.name}@{blake2b(seat.host.url.encode(), digest_size=8).hexdigest()}"


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
