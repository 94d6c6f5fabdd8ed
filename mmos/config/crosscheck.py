"""Checks keys of a configuration against each other, on the data as written, so that one report has every problem."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmos.config import rule_actions
from mmos.config.document import Document
from mmos.config.model_checks import entries
from mmos.config.pattern_checks import findings as patterns
from mmos.config.pattern_checks import key_of, members_in
from mmos.config.phases import DONE, INITIAL
from mmos.config.rule_checks import conditions, taken_names
from mmos.config.wording import FromEnvironment, Place, listed, mapping, perhaps, with_type
from mmos.errors import Problem
from mmos.names import is_cloud, pattern_named

Findings = Iterator[tuple[Place, str]]

EACH_THREAD = "each_thread"
"""The name of the quota that each thread has for itself."""
USUAL_ADVISER = "reasoning"
"""The role that `recovery.role` names if the file does not say."""
WEIGHTS = ("quality", "speed", "fit", "cost")
"""What `selection.weights` weighs."""
LIMITS = ("gpu_seconds_per_hour", "models", "vram_percent")
"""What a quota can limit."""

_TOP = "orchestration"


def crosscheck(data: Any, document: Document) -> list[Problem]:
    """Problems between keys. `data` may be wrong in any way; other modules report that."""
    orchestration = mapping(data, _TOP)
    checks = (
        _reserved(orchestration),
        rule_actions.findings(mapping(orchestration, "routing").get("rules"), mapping(orchestration, "specialists")),
        conditions(mapping(orchestration, "routing")),
        taken_names(mapping(orchestration, "routing")),
        _options(orchestration),
        _memories(orchestration),
        _instructions(orchestration),
        _servers(orchestration),
        _embedded(orchestration),
        _quotas(orchestration),
        _phases(orchestration),
        _cloud(orchestration),
        _recovery(orchestration),
        _weights(orchestration),
        entries(orchestration),
        patterns(orchestration),
    )
    return [document.problem((_TOP, *place), message) for check in checks for place, message in check]


def roles_in(orchestration: Any) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The roles as the file has them, with their places."""
    yield ("arbiter",), mapping(orchestration, "arbiter")
    for name in mapping(orchestration, "specialists"):
        yield ("specialists", name), mapping(orchestration, "specialists", name)


def _reserved(orchestration: dict[str, Any]) -> Findings:
    if "arbiter" in mapping(orchestration, "specialists"):
        yield ("specialists", "arbiter"), "a specialist cannot be named 'arbiter'; write the arbiter beside 'specialists'"


def _options(orchestration: dict[str, Any]) -> Findings:
    for place, role in roles_in(orchestration):
        if "num_ctx" in mapping(role, "options"):
            yield (*place, "options", "num_ctx"), "'num_ctx' is not allowed here; write 'context_window' beside 'model' instead"
        if role.get("gpu_id") is not None and role.get("gpu_ids"):
            yield (*place, "gpu_id"), "write 'gpu_id' for one GPU or 'gpu_ids' for several, not both"


def _memories(orchestration: dict[str, Any]) -> Findings:
    for name in ("interpreter", "synthesizer"):
        if mapping(orchestration, "specialists", name).get("memory", "thread") != "thread":  # `config show` writes the default, too
            yield ("specialists", name, "memory"), f"'memory' is for roles that are consulted, and nobody consults '{name}'; remove it"


def _instructions(orchestration: dict[str, Any]) -> Findings:
    """The interpreter's model reads nothing but what it was trained with."""
    for key in ("expertise", "detail", "constraints"):
        if mapping(orchestration, "specialists", "interpreter").get(key):
            yield ("specialists", "interpreter", key), f"the interpreter reads no '{key}'; write what it should know under 'system'"


def _servers(orchestration: dict[str, Any]) -> Findings:
    for name in mapping(orchestration, "servers"):
        server = mapping(orchestration, "servers", name)
        kind = server.get("kind", "ollama")
        if kind == "embedded" and "url" in server:
            yield ("servers", name, "url"), "an embedded server runs in a process of MMOS and has no address; remove 'url'"
        if kind in ("ollama", "openai", "rehearsal") and "url" not in server:
            yield ("servers", name, "url"), f"'url' is missing; a server of kind {kind} needs one, like http://{name}:11434"
        if kind in ("ollama", "openai", "rehearsal") and server.get("models"):
            yield ("servers", name, "models"), f"'models' belongs to kind: embedded; MMOS asks a server of kind {kind} for its models"


def _quotas(orchestration: dict[str, Any]) -> Findings:
    names = ["arbiter", *mapping(orchestration, "specialists"), "synthesizer", EACH_THREAD]
    for name in mapping(orchestration, "fleet", "quotas"):
        if name not in names:
            yield ("fleet", "quotas", name), f"'{name}' is no role, allowed: {listed(names)}{perhaps(name, names)}"
        if not any(mapping(orchestration, "fleet", "quotas", name).get(limit) is not None for limit in LIMITS):
            yield ("fleet", "quotas", name), f"the quota limits nothing; give it one of: {', '.join(LIMITS)}"


def _phases(orchestration: dict[str, Any]) -> Findings:
    entries = mapping(orchestration, "phases")
    names = [name for name in entries if name not in (INITIAL, DONE)]
    if entries and not names:
        yield ("phases",), "there is no phase; write one below 'phases', like plan: {next: [work]}"
    for name, entry in entries.items():
        place = ("phases", name)
        if name == DONE:
            yield place, f"'{DONE}' is the end of the work and has no keys; name it under 'next' of another phase"
        elif name == INITIAL and (not isinstance(entry, str) or entry not in names):
            near = perhaps(entry, names) if isinstance(entry, str) and not isinstance(entry, FromEnvironment) else ""
            yield place, f"found {with_type(entry)}, allowed: the name of a phase: {listed(names)}{near}"
        elif name != INITIAL and isinstance(entry, str):
            yield place, f"found {with_type(entry)}, allowed: a mapping of keys: next, instructions, tools"
        elif name != INITIAL:
            yield from _following(entry, place, [*names, DONE])


def _following(phase: Any, place: Place, names: list[str]) -> Findings:
    following = phase.get("next") if isinstance(phase, dict) else None
    for index, other in enumerate(following if isinstance(following, list) else []):
        if isinstance(other, str) and other not in names:
            near = "" if isinstance(other, FromEnvironment) else perhaps(other, names)
            yield (*place, "next", index), f"found {with_type(other)}, allowed: {listed(names)}{near}"


def _recovery(orchestration: dict[str, Any]) -> Findings:
    """The usual adviser need not be there, also when the file names it."""
    names, name = ["arbiter", *mapping(orchestration, "specialists")], mapping(orchestration, "recovery").get("role")
    if isinstance(name, str) and name not in (*names, USUAL_ADVISER):
        near = "" if isinstance(name, FromEnvironment) else perhaps(name, names)
        yield ("recovery", "role"), f"found {with_type(name)}, allowed: the name of a role: {listed(names)}{near}"


def _weights(orchestration: dict[str, Any]) -> Findings:
    weights = dict.fromkeys(WEIGHTS, 1) | mapping(orchestration, "selection", "weights")
    if not any(weights.values()):
        yield ("selection", "weights"), "all weights are 0, so nothing would tell candidates apart; give one of them a larger value"


def _cloud(orchestration: dict[str, Any]) -> Findings:
    servers = mapping(orchestration, "servers")
    for place, role in (*roles_in(orchestration), *members_in(orchestration)):
        named = role.get("server", list(servers))
        hosts = [mapping(servers, name) for name in (named if isinstance(named, list) else [named]) if isinstance(name, str)]
        if mapping(orchestration, "fleet").get("allow_cloud") or any(
            host.get("allow_cloud") or host.get("kind") == "openai" for host in hosts
        ):
            continue
        for step, model in _models(role, orchestration):
            if is_cloud(model):
                cure = "write allow_cloud: true for its server or under 'fleet', or name another model"
                yield (
                    (*place, *key_of(orchestration, place), *step),
                    f"found {with_type(model)}, which runs in a cloud, so its prompts would leave the house; {cure}",
                )


def _embedded(orchestration: dict[str, Any]) -> Findings:
    for place, role in (*roles_in(orchestration), *members_in(orchestration)):
        server = role.get("server")
        definition = mapping(orchestration, "servers", server) if isinstance(server, str) else {}
        models = mapping(definition, "models")
        if definition.get("kind") != "embedded" or not models:
            continue
        for step, model in _models(role, orchestration):
            if model not in models:
                yield (*place, *key_of(orchestration, place), *step), f"found {with_type(model)}, allowed on '{server}': {listed(models)}"


def _models(role: dict[str, Any], orchestration: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    """The models of a role by their own names, each with its place below the role's `model`."""
    found = role.get("model")
    for step, model in [((index,), model) for index, model in enumerate(found)] if isinstance(found, list) else [((), found)]:
        if isinstance(model, str) and not pattern_named(model):
            own = mapping(orchestration, "models", model).get("model", model)
            yield step, own if isinstance(own, str) else model
