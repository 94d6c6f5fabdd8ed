"""The facts that the checks read; they are gathered before the first check, so each check is a plain function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmos.catalog.known import KnownModel
from mmos.config.load import Config
from mmos.config.roles import ResolvedRole, each_choice
from mmos.config.schema import Server
from mmos.errors import Problem, StateError
from mmos.fitness.card import Card as Trial
from mmos.fitness.verdict import Verdict, verdict
from mmos.fleet.survey import HostState
from mmos.hosts.face import Card, Installed
from mmos.names import canonical
from mmos.pattern_events import PatternEvaluated


@dataclass(frozen=True)
class Rendering:
    """What a host made of a probe: a request with a tool, a call and its result."""

    text: str | None
    """None: it could not be looked at."""
    why: str = ""


@dataclass(frozen=True)
class StateFolder:
    """Where runs are kept, and the disk under it."""

    path: Path
    exists: bool
    fault: StateError | None = None
    """Why it cannot be used."""
    free_bytes: int | None = None
    journal_bytes: int = 0
    file_system: str = ""


@dataclass(frozen=True)
class Packages:
    """What is installed beside us, as far as it matters."""

    missing: Mapping[str, str] = field(default_factory=dict)
    """Packages that the configuration needs, each with what needs it."""
    redirector: Path | None = None
    """A file of the old pynvml, which runs at every start of Python."""


@dataclass(frozen=True)
class Facts:
    """Everything that the checks know."""

    config: Config | None = None
    """None: it is wrong, and `problems` say how."""
    problems: tuple[Problem, ...] = ()
    """Errors of the configuration."""
    cure: str = ""
    """What helps against them, where it is not the file that has to change."""
    unusable: tuple[Problem, ...] = ()
    """What is written rightly, and stops every run all the same."""
    states: tuple[HostState, ...] = ()
    cards: Mapping[tuple[str, str], Card] = field(default_factory=dict)
    """By host and model."""
    rendered: Mapping[tuple[str, str], Rendering] = field(default_factory=dict)
    trials: Mapping[tuple[str, str], Trial] = field(default_factory=dict)
    """Fitness cards by host and model, as they are kept."""
    damaged_cards: tuple[Path, ...] = ()
    """Files among them that cannot be read."""
    skews: Mapping[str, float] = field(default_factory=dict)
    """Seconds that a host's clock is ahead of ours."""
    unset_keys: Mapping[str, str] = field(default_factory=dict)
    """Hosts whose key is not in the environment, with the variable that should hold it."""
    missing_files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Embedded hosts with models whose files are not there."""
    known: tuple[KnownModel, ...] = ()
    """The catalog of models."""
    evaluations: Mapping[str, PatternEvaluated] = field(default_factory=dict)
    """The newest evaluation of each pattern, if it is as it was then."""
    state: StateFolder | None = None
    packages: Packages = Packages()
    now: float = 0.0

    @property
    def roles(self) -> Mapping[str, ResolvedRole]:
        return self.config.roles() if self.config else {}

    @property
    def choices(self) -> list[ResolvedRole]:
        """The roles, each once for each of its models."""
        return each_choice(self.roles)

    @property
    def asked(self) -> list[ResolvedRole]:
        """The same, and the members of patterns."""
        return self.config.asked() if self.config else []

    @property
    def servers(self) -> Mapping[str, Server]:
        return self.config.servers() if self.config else {}

    def allows_cloud(self, host: str) -> bool:
        """Whether MMOS may ask models of a host that run in a cloud."""
        everywhere = self.config is not None and self.config.orchestration.fleet.allow_cloud
        return everywhere or (host in self.servers and self.servers[host].allow_cloud)

    def places(self, role: ResolvedRole) -> list[HostState]:
        """The hosts where a role may run."""
        return [state for state in self.states if not role.servers or state.name in role.servers]

    def serving(self, role: ResolvedRole) -> list[HostState]:
        """Those of them that answer and have its model."""
        return [state for state in self.places(role) if state.has(role.model)]

    def listed(self, role: ResolvedRole) -> Iterator[tuple[HostState, Installed]]:
        """The role's model as each host lists it."""
        for state in self.serving(role):
            found = state.has(role.model)
            if found is not None:
                yield state, found

    def card(self, host: str, model: str) -> Card | None:
        return self.cards.get((host, canonical(model)))

    def trial(self, state: HostState, model: str) -> Trial | None:
        """The fitness card of a model on a host, unless the model is another one by now."""
        found, listed = self.trials.get((state.name, canonical(model))), state.has(model)
        if found is None or listed is None or not found.is_of(listed.digest):
            return None
        return found

    def verdict(self, role: ResolvedRole) -> Verdict | None:
        """What the trials of a role's model say of its channel."""
        serving = self.serving(role)
        cards = [trial for state in serving if (trial := self.trial(state, role.model))]
        return verdict(role.model, [state.name for state in serving], cards)

    def capabilities(self, role: ResolvedRole) -> frozenset[str] | None:
        """What the role's model can do, as the first host that tells says; None where no one does."""
        for state, found in self.listed(role):
            if found.capabilities is not None:
                return found.capabilities
            card = self.card(state.name, role.model)
            if card is not None and card.capabilities:
                return card.capabilities
        return None

    def able(self, role: ResolvedRole) -> str:
        """The channel that the hosts' own word on the model leads to."""
        able = self.capabilities(role)
        return "tools" if able is None or "tools" in able else "schema"

    def channel(self, role: ResolvedRole) -> str:
        """How the role's model calls tools."""
        verdict = self.verdict(role)
        return role.channel or (verdict.channel if verdict else self.able(role))
