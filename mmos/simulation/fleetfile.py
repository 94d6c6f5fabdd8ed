"""Reads a fleet file, as strictly as a configuration, and describes its hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from mmos.config.crosscheck import crosscheck, roles_in
from mmos.config.document import Document, in_order, read_file
from mmos.config.pattern_checks import members_in
from mmos.config.translate import translate
from mmos.config.wording import Place, perhaps, with_type
from mmos.errors import ConfigError, Problem
from mmos.names import canonical, same_model
from mmos.rehearsal.decoding import read_keep_alive
from mmos.rehearsal.faults import Fault
from mmos.rehearsal.fleet import PERSONAS
from mmos.rehearsal.host import Host
from mmos.rehearsal.personas import Model
from mmos.rehearsal.reader import PersonaError, parse_cast, read_cast
from mmos.simulation.schema import FaultSpec, FleetSpec, HostSpec, Persona, as_persona

NEXT_STEP = "Fix the fleet file. docs/simulate.md explains every key."
UNSOUND = Persona()
"""Takes the place of a model with errors, which are reported elsewhere."""
Spec = TypeVar("Spec", bound=BaseModel)
_CARD = (
    *("family", "parameter_size", "quantization", "context_length", "capabilities", "default", "signature"),
    *("path", "template", "system", "named_tools", "broken"),
)
_ARCHITECTURE = ("layers", "heads", "kv_heads", "head_size", "embedding_length")
_SPEED = ("load_seconds", "prefill", "decode")


@dataclass(frozen=True)
class Machine:
    """A simulated host. `host` makes a new one each time."""

    name: str
    models: Sequence[Model]
    traits: Mapping[str, Any] = field(default_factory=dict)
    faults: Sequence[Fault] = ()
    port: int = 0
    time_scale: float | None = None

    def host(self, time_scale: float, *, seed: int = 0, **more: Any) -> Host:
        """Make the host."""
        host = Host(self.name, self.models, time_scale=time_scale, seed=seed, **self.traits, **more)
        for fault in self.faults:
            host.faults.add(fault)
        return host


@dataclass(frozen=True)
class Machines:
    """A simulated fleet, and the roles of its file."""

    name: str
    machines: Sequence[Machine]
    orchestration: Mapping[str, Any] | None = None

    def having(self, model: str) -> list[Machine]:
        return [machine for machine in self.machines if any(same_model(one.name, model) for one in machine.models)]


def built_in() -> Machines:
    """The default fleet of the rehearsal."""
    casts = {path.stem: read_cast(path) for path in sorted(PERSONAS.glob("*.yaml"))}
    return Machines("the default fleet", [Machine(name, cast.models, cast.host) for name, cast in casts.items()])


def read_fleet(path: Path) -> Machines:
    """Read the fleet of a file. Raises `ConfigError` with all problems."""
    document = read_file(path, str(path), next_step="Name a fleet file; docs/simulate.md has an example.")
    spec, problems = None, list(document.problems)
    try:
        spec = FleetSpec.model_validate(document.data)
    except ValidationError as error:
        problems += translate(error, document, {}, FleetSpec)
    checker = _Checker(document, {canonical(model.name): model for machine in built_in().machines for model in machine.models})
    machines = checker.machines(spec or _sound(document.data))
    if isinstance(document.data.get("orchestration"), dict):
        checker.roles(document.data)
        problems += crosscheck(document.data, document)
    problems += checker.problems
    if problems or spec is None:
        raise ConfigError(in_order(problems), next_step=NEXT_STEP)
    return Machines(path.stem, machines, document.data.get("orchestration"))


@dataclass
class _Checker:
    """Makes machines from the file, and notes the problems that the schema cannot find."""

    document: Document
    known: Mapping[str, Model]
    problems: list[Problem] = field(default_factory=list)

    def complain(self, place: Place, message: str) -> None:
        self.problems.append(self.document.problem(place, message))

    def machines(self, spec: FleetSpec) -> list[Machine]:
        machines = []
        ports: dict[int, str] = {}
        for name, host in spec.hosts.items():
            place: Place = ("hosts", name)
            models = list(self._models(host, (*place, "models")))
            faults = list(self._faults(host, (*place, "faults")))
            if host.port is not None and (other := ports.setdefault(host.port, name)) != name:
                self.complain((*place, "port"), f"found {with_type(host.port)}, which '{other}' already uses; each host needs its own port")
            machines.append(Machine(name, models, _traits(host), faults, host.port or 0, host.time_scale or spec.time_scale))
        return machines

    def roles(self, data: Mapping[str, Any]) -> None:
        """Check that the roles use only the hosts of this file."""
        orchestration, hosts = data["orchestration"], data.get("hosts")
        if "servers" in orchestration:
            self.complain(("orchestration", "servers"), "the hosts of this file are the servers; remove 'servers'")
        for place, role in (*roles_in(orchestration), *members_in(orchestration)):
            servers = role.get("server")
            for name in servers if isinstance(servers, list) else [servers]:
                if isinstance(hosts, dict) and isinstance(name, str) and name not in hosts:
                    sentence = f"found {with_type(name)}, allowed: a host of this file: {', '.join(hosts)}{perhaps(name, hosts)}"
                    self.complain(("orchestration", *place, "server"), sentence)

    def _models(self, host: HostSpec, place: Place) -> Iterator[Model]:
        seen: set[str] = set()
        for index, persona in enumerate(host.models):
            model = self._model(persona, host, (*place, index)) if persona != UNSOUND else None
            if model is not None and canonical(model.name) in seen:
                self.complain((*place, index), f"'{model.name}' is here twice; keep one of them")
            if model is not None:
                seen.add(canonical(model.name))
                yield model

    def _model(self, persona: Persona, host: HostSpec, place: Place) -> Model | None:
        base = self._base(persona, place)
        if base is None:
            return None
        card = {key: value for key in _CARD if (value := getattr(persona, key)) is not None}
        if persona.size_gb is not None:
            card["size"] = round(persona.size_gb * 1e9)
        speeds = {key: getattr(persona, key) or getattr(host, key, None) for key in _SPEED}
        if persona.rules is not None:
            card["rules"] = self._rules(persona, (*place, "rules"))
        return replace(
            base,
            name=persona.name or base.name,
            speed=replace(base.speed, **{key: value for key, value in speeds.items() if value is not None}),
            architecture=replace(
                base.architecture, **{key: value for key in _ARCHITECTURE if (value := getattr(persona, key)) is not None}
            ),
            **card,
        )

    def _base(self, persona: Persona, place: Place) -> Model | None:
        """The persona that a model is like. Without one, a model of that name with default figures."""
        if persona.like is None:
            if persona.name is not None:
                return Model(persona.name)
            self.complain((*place, "name"), "'name' is missing; give the model a name, or name a persona with 'like'")
            return None
        known = self.known.get(canonical(persona.like))
        if known is None:
            at = (*place, "like") if isinstance(self.document.at(place), dict) else place
            cure = "write your own model as a mapping like {name: …, size_gb: …}"
            near = perhaps(persona.like, self.known)
            self.complain(at, f"found {with_type(persona.like)}, allowed: a built-in persona ({', '.join(self.known)}){near}; {cure}")
        return known

    def _rules(self, persona: Persona, place: Place) -> Any:
        text = yaml.safe_dump({"models": [{"name": "model", "rules": persona.rules}]}, sort_keys=False)
        try:
            return parse_cast(text, where="").models[0].rules
        except PersonaError as error:
            self.complain(place, re.sub(r"^: models\[0\]\.?(rules)?", "", str(error)).strip(": "))
            return ()

    def _faults(self, host: HostSpec, place: Place) -> Iterator[Fault]:
        rows: Sequence[BaseModel | None] = host.faults
        for index, row in enumerate(rows):
            try:
                if row is not None:
                    yield Fault(**row.model_dump(exclude_unset=True))
            except ValueError as error:
                self.complain((*place, index), str(error))


def _sound(data: Any) -> FleetSpec:
    """The valid parts of a file with errors, so that MMOS can check them too and report all errors at once."""
    hosts = data.get("hosts")
    pairs = hosts.items() if isinstance(hosts, dict) else ()
    return FleetSpec.model_construct(hosts={name: _sound_host(host) for name, host in pairs if isinstance(host, dict)})


def _sound_host(data: Mapping[str, Any]) -> HostSpec:
    models, faults = data.get("models"), data.get("faults")
    return HostSpec.model_construct(
        models=[_valid(Persona, row) or UNSOUND for row in map(as_persona, models if isinstance(models, list) else ())],
        faults=[_valid(FaultSpec, row) for row in (faults if isinstance(faults, list) else ())],
        port=data.get("port") if isinstance(data.get("port"), int) else None,
    )


def _valid(kind: type[Spec], row: Any) -> Spec | None:
    try:
        return kind.model_validate(row)
    except ValidationError:
        return None


def _traits(host: HostSpec) -> dict[str, Any]:
    traits = {
        "vram_gb": host.vram_gb,
        "gpus": tuple(host.gpus) or None,
        "disk_gbps": host.disk_gbps,
        "speed_factor": host.speed,
        "parallel": host.parallel,
        "max_loaded": host.max_loaded,
        "max_queue": host.max_queue,
        "profile": host.profile,
        "keep_alive": read_keep_alive(host.keep_alive),
    }
    return {key: value for key, value in traits.items() if value is not None}
