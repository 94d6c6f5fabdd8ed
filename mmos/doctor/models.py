"""Checks models: missing on a host, different under one name, served by a cloud, or stuck in memory."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from mmos.config.roles import ResolvedRole
from mmos.config.wording import nearest
from mmos.doctor.facts import Facts
from mmos.doctor.findings import Finding, Pull, error, info, warning
from mmos.fleet.residents import stays
from mmos.fleet.survey import HostState
from mmos.names import canonical
from mmos.plurals import counted

STUCK_SECONDS = 600.0
"""A model whose time ran out so long ago is at work for very long, or hangs."""


def present(facts: Facts) -> Iterator[Finding]:
    """Each lack once, with all the roles that feel it."""
    lacks: dict[tuple[str, str], list[str]] = {}
    for role in facts.roles.values():
        for state in lacking(facts, role):
            lacks.setdefault((state.name, canonical(role.model)), []).append(role.name)
    for (host, _), names in lacks.items():
        role = facts.roles[names[0]]
        state = next(state for state in facts.states if state.name == host)
        served = all(facts.serving(facts.roles[name]) for name in names)
        yield _missing(state, role.model, names, served=served)


def lacking(facts: Facts, role: ResolvedRole) -> list[HostState]:
    """The hosts that should have a role's model: all that it names; of any host, the one with most room, where none has it."""
    answering = [state for state in facts.places(role) if state.reachable and not state.has(role.model)]
    if role.servers:
        return answering
    if facts.serving(role) or not answering:
        return []
    return [max(answering, key=lambda state: (state.abilities.pulls, state.vram_gb or 0.0))]


def _missing(state: HostState, model: str, roles: list[str], *, served: bool) -> Finding:
    near = nearest(model, [found.name for found in state.installed])
    hint = f" It has {near}: is that meant?" if near else ""
    message = f"It does not have {model}, which {' and '.join(roles)} need{'s' if len(roles) == 1 else ''}.{hint}"
    pulls = state.abilities.pulls
    cure = (
        f"mmos models pull {quote(model)} --host {state.name}"
        if pulls
        else f"Load {model} on {state.name} by its own means, or name one that it has."
    )
    fix = Pull(state.name, model) if pulls else None
    return (warning if served else error)("model_missing", state.name, message, cure, fix)


def remote(facts: Facts) -> Iterator[Finding]:
    for role in facts.roles.values():
        hosts = [state.name for state, found in facts.listed(role) if found.remote]
        if hosts:
            yield warning(
                "model_remote", role.name,
                f"{role.model} on {hosts[0]} is a stub: it sends the prompts of this role to a cloud.",
                "Name a model that the host has itself. OLLAMA_NO_CLOUD=1 on the host turns the cloud off.",
            )  # fmt: skip


def alike(facts: Facts) -> Iterator[Finding]:
    """One name should be one model wherever a role may go."""
    for role in facts.roles.values():
        digests = {state.name: found.digest for state, found in facts.listed(role) if found.digest}
        if len({*digests.values()}) > 1:
            told = ", ".join(f"{host} {digest[:12]}" for host, digest in digests.items())
            last = list(digests)[-1]
            yield warning(
                "model_differs", role.name, f"{role.model} is not the same model on all its hosts ({told}): answers depend on where it runs.",
                f"mmos models pull {quote(role.model)} --host {last}, and on the others: the newest is then everywhere",
            )  # fmt: skip


def stuck(facts: Facts) -> Iterator[Finding]:
    for state in facts.states:
        ahead = facts.skews.get(state.name, 0.0)
        for loaded in state.loaded:
            left = stays(loaded, facts.now + ahead)
            if left is not None and left < -STUCK_SECONDS:
                yield info(
                    "model_stuck", state.name,
                    f"{loaded.name} should have left its memory {counted(round(-left / 60), 'minute')} ago: it is very busy, or it hangs.",
                    f"When nobody waits for it: mmos models unload {quote(loaded.name)} --host {state.name}; if that does not help, restart Ollama there",
                )  # fmt: skip
