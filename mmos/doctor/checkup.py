"""Examines an installation: gathers the facts at once, and runs every check on them."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mmos.app import checks
from mmos.app.catalog import Evidence, of_states
from mmos.app.system_texts import ARBITER
from mmos.config.load import Config
from mmos.config.pattern_models import asked_models
from mmos.config.roles import ResolvedRole
from mmos.config.sources import expanded, is_file
from mmos.config.wording import Place, perhaps
from mmos.diagnosis.knowledge import pull
from mmos.doctor import catalog, hosts, library, machine, models, patterns, ready, roles, tools
from mmos.doctor.facts import Facts
from mmos.doctor.findings import FAMILIES, Finding, error, warning
from mmos.doctor.hosts import skew
from mmos.doctor.machine import look_at_state, packages
from mmos.doctor.models import lacking
from mmos.doctor.patterns import evaluated
from mmos.doctor.tools import Probing, rendered
from mmos.errors import ConfigError, HostError, Problem
from mmos.fitness.history import History
from mmos.fitness.shelf import Shelf
from mmos.fleet.fleet import Fleet
from mmos.fleet.survey import HostState, survey
from mmos.hosts.face import Card
from mmos.names import canonical

PATIENCE = 1.2
"""With the start of Python the whole examination of dead hosts takes no more than two seconds."""


@dataclass(frozen=True)
class Circumstances:
    """What an examination depends on beside the configuration."""

    state: Path
    environ: Mapping[str, str]
    probing: Probing = "idle"
    note: Callable[[str], None] = lambda _text: None
    """Gets a line about what takes long."""
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
    evidence = Evidence(History.of_state(around.state).newest(), cards=shelf.cards())
    facts = Facts(
        config,
        unusable=tuple(checks.problems(config)),
        states=states,
        cards=cards,
        trials={(card.host, canonical(card.model)): card for card in evidence.cards},
        damaged_cards=tuple(shelf.damaged()),
        skews=skews,
        unset_keys={name: server.api_key_env for name, server in servers.items() if server.api_key_env and not around.environ.get(server.api_key_env)},
        missing_files=dict(_missing_files(config, around.environ)),
        known=of_states(config, states, evidence),
        evaluations=await evaluated(config, state),
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
    models = {
        (seat.name, canonical(role.model)): role.model
        for role in config.asked()
        for seat in fleet.seats
        if not role.servers or seat.name in role.servers
    }
    cards = await asyncio.gather(*(_card(fleet, host, model, around.patience) for (host, _), model in models.items()))
    return {place: card for place, card in zip(models, cards, strict=True) if card is not None}


async def _card(fleet: Fleet, host: str, model: str, patience: float) -> Card | None:
    try:
        async with asyncio.timeout(patience):
            return await fleet.host(host).show(model)
    except (HostError, TimeoutError):
        return None  # that it is down or lacks the model shows elsewhere


async def _skews(fleet: Fleet, around: Circumstances) -> dict[str, float]:
    names = [seat.name for seat in fleet.seats if seat.host.url]
    skews = await asyncio.gather(*(skew(fleet.host(name).url, around.patience, around.wall) for name in names))
    return {name: seconds for name, seconds in zip(names, skews, strict=True) if seconds is not None}


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
        if missing := tuple(model for model, found in there.items() if not found):
            yield name, missing


# ---------------------------------------------------------------- what a configuration names and no host has

ABSENT_PATIENCE = 3.0
"""Seconds that each host has for its answer; all are asked at once."""


async def absent(config: Config, *, patience: float = ABSENT_PATIENCE) -> list[Problem]:
    async with Fleet.open(config) as fleet:
        facts = Facts(config, states=await survey(fleet, config.servers(), patience=patience))
    found = [*_absent_hosts(config, facts), *_absent_models(config, facts)]
    if all(state.reachable for state in facts.states):  # otherwise a silent host may have what the others lack
        found += [*_absent_judge(config, facts), *_absent_rule_models(config, facts)]
    return found


def _absent_hosts(config: Config, facts: Facts) -> Iterator[Problem]:
    for state in facts.states:
        if state.error is not None and not _lacks_key(config, state):
            yield config.document.problem(_place_of_host(config, state.name), f"{state.error.message} {state.error.next_step}".strip())


def _lacks_key(config: Config, state: HostState) -> bool:
    """That its key is not set is a warning already."""
    variable = config.servers()[state.name].api_key_env
    return variable is not None and not os.environ.get(variable) and state.error is not None and state.error.code == "unauthorized"


def _absent_models(config: Config, facts: Facts) -> Iterator[Problem]:
    for role in facts.asked:
        for state in lacking(facts, role):
            cure = f"fetch it: {pull(role.model, state.name)}" if state.abilities.pulls else "load it there, or name another"
            yield config.document.problem(_place_of_model(config, role), f"{state.name} does not have {role.model}; {cure}")


def _absent_judge(config: Config, facts: Facts) -> Iterator[Problem]:
    """A judge that is no role and that no host has."""
    judge, roles = config.orchestration.quality.judge, config.roles()
    if judge and judge not in roles and _is_absent(config, facts, judge):
        near = perhaps(judge, [*roles, *_installed(facts)])
        message = f"no role has the name {judge}, and no host has such a model{near or '.'} Without it, no answer can be verified."
        yield config.document.problem(("orchestration", "quality", "judge"), message)


def _absent_rule_models(config: Config, facts: Facts) -> Iterator[Problem]:
    """Models that routing rules name and that no host has."""
    for index, rule in enumerate(config.orchestration.routing.rules):
        if rule.model and _is_absent(config, facts, rule.model):
            near = perhaps(rule.model, [*config.orchestration.models, *_installed(facts)])
            message = f"no host has the model {rule.model}{near or '.'} A run that meets this rule goes on without it."
            yield config.document.problem(("orchestration", "routing", "rules", index, "model"), message)


def _is_absent(config: Config, facts: Facts, spelling: str) -> bool:
    model = config.named(spelling)
    return not any(state.has(model) for state in facts.states)


def _installed(facts: Facts) -> list[str]:
    return [found.name for state in facts.states for found in state.installed]


def _place_of_host(config: Config, host: str) -> Place:
    """Where a host is defined, or the first role that names it."""
    if host in config.orchestration.servers:
        return ("orchestration", "servers", host)
    naming = (role for role in config.users() if host in role.servers)
    role = next(naming, None)
    return ("orchestration",) if role is None else (*_place_of_role(role), "server")


def _place_of_model(config: Config, role: ResolvedRole) -> Place:
    """Where the model of a role, or of a member of a pattern, is named."""
    asked = (one for one in asked_models(config.orchestration) if f"{one.pattern}/{one.name}" == role.name)
    one = next(asked, None)
    return (*_place_of_role(role), "model") if one is None else ("orchestration", *one.place, *one.key)


def _place_of_role(role: ResolvedRole) -> Place:
    if "/" in role.name:  # a member of a pattern
        return ("orchestration", "patterns", role.name.partition("/")[0])
    return ("orchestration", role.name) if role.name == ARBITER else ("orchestration", "specialists", role.name)


# ---------------------------------------------------------------- the checks

_ELSEWHERE = re.compile(r"orchestration\.servers\.[^.]+\.(api_key_env|kind|models\..*)$")
"""Keys of which other checks say more."""


def configuration(facts: Facts) -> Iterator[Finding]:
    for problem in facts.problems:
        yield error("config_invalid", _subject(problem), problem.message, facts.cure or "Correct it, then: mmos config check")
    for problem in facts.unusable:
        yield error("config_unusable", _subject(problem), problem.message, "Correct it, then: mmos config check")
    for problem in facts.config.warnings if facts.config else ():
        if not _ELSEWHERE.match(problem.key):
            yield warning("config_warning", _subject(problem), problem.message, "mmos config show tells where every value comes from")


def _subject(problem: Problem) -> str:
    return ": ".join(part for part in (problem.where, problem.key) if part) or "configuration"


Check = Callable[[Facts], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    configuration,
    hosts.reachable,
    hosts.keys,
    hosts.open_roads,
    hosts.same_versions,
    hosts.versions,
    hosts.clocks,
    hosts.stuck,
    patterns.winning,
    library.collections,
    library.models,
    models.present,
    models.remote,
    models.alike,
    models.stuck,
    catalog.entries,
    catalog.disputed,
    machine.needed_packages,
    models.gpus,
    models.windows,
    models.spilled,
    tools.tools,
    ready.permissions,
    roles.suitable,
    roles.sized,
    roles.marked,
    catalog.ruled,
    machine.state_folder,
    machine.disk,
    machine.slow_packages,
)
_LEVELS = ("error", "warning", "info")


def diagnose(facts: Facts) -> list[Finding]:
    """Every finding, family by family, the worst first."""
    found = [finding for check in CHECKS for finding in check(facts)]
    return sorted(found, key=lambda finding: (FAMILIES.index(finding.family), _LEVELS.index(finding.level)))


def is_well(findings: Sequence[Finding]) -> bool:
    return all(finding.level != "error" for finding in findings)
