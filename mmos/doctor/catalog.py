"""Checks what the configuration says of models against hosts and measurements, and whether specialists are good at what rules send them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from shlex import quote
from typing import Any

from mmos.catalog.known import KnownModel
from mmos.config.roles import ResolvedRole
from mmos.config.rules import compile_rule
from mmos.diagnosis.knowledge import pull
from mmos.doctor.facts import Facts
from mmos.doctor.findings import Finding, info, warning
from mmos.names import canonical, same_model

_NEEDS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("VISION", {"needs_vision": True}),
    ("SECURITY_FOCUSED", {"type": "security_review"}),
    *(("CODE_SPECIALIZED", {"type": kind}) for kind in ("code_generation", "code_analysis", "refactoring", "bug_fixing")),
    ("FAST_INFERENCE", {"requires_speed": True}),
)
"""What tasks need of a model, each with the facts of such a task."""


def entries(facts: Facts) -> Iterator[Finding]:
    """Models under `models` that are on no host, and keys that are also the name of an installed model."""
    models = facts.config.orchestration.models if facts.config else {}
    silent = [state.name for state in facts.states if not state.reachable]
    used = {canonical(role.model) for role in facts.asked}
    for key, entry in models.items():
        if not silent and canonical(entry.model) not in used and not any(state.has(entry.model) for state in facts.states):
            yield info("model_entry_unused", f"models.{key}", f"No host has {entry.model}.", f"Fetch it: {pull(entry.model)}. Or remove {key} from models.")  # fmt: skip
        having = [state.name for state in facts.states if state.has(key)]
        if having and not same_model(key, entry.model):
            yield warning(
                "model_key_shadows", f"models.{key}",
                f"{' and '.join(having)} {'has' if len(having) == 1 else 'have'} a model with the name {key}. The key means {entry.model}, so roles cannot name that model.",
                f"Choose another key for {entry.model}, or name the other model {key}:latest.",
            )  # fmt: skip


def disputed(facts: Facts) -> Iterator[Finding]:
    """The word of the user counts, and a measurement says otherwise."""
    for model in facts.known:
        for capability, measured in sorted(model.disputed.items()):
            claim = "has" if capability in model.capabilities else "lacks"
            keys = " and ".join(f"models.{key}" for key in model.keys)
            yield info(
                "model_disputed", model.name, f"The configuration says that it {claim} {capability}, and a measurement says otherwise: {measured}.",
                f"Change {keys}, or measure again: mmos models test {quote(model.name)}",
            )  # fmt: skip


def ruled(facts: Facts) -> Iterator[Finding]:
    """Specialists that rules name for tasks that their models are not good at, where another model of the fleet is."""
    roles, told = facts.roles, set[tuple[str, str]]()
    for rule in facts.config.orchestration.routing.rules if facts.config else ():
        condition = compile_rule(rule.condition)
        for capability, task in _NEEDS:
            if not condition.evaluate({"task": task}) or condition.evaluate({}):
                continue
            for role in [roles[name] for name in ([rule.specialist] if rule.specialist else rule.prefer[:1]) if name in roles]:
                better = _better(facts, role, capability)
                if better is not None and (role.name, capability) not in told:
                    told.add((role.name, capability))
                    yield _unsuited(role, rule.condition, capability, better)


def _better(facts: Facts, role: ResolvedRole, capability: str) -> KnownModel | None:
    """A model that is good at it. None: the role's own is, nobody knows it, or no other is either."""
    known = {canonical(model.name): model for model in facts.known}
    own = [known.get(canonical(choice.model)) for choice in role.choices]
    if any(model is None or not model.hosts or capability in model.capabilities for model in own):
        return None
    if capability == "VISION" and facts.capabilities(role) is None:
        return None  # an older host does not say it
    return next((model for model in facts.known if model.hosts and model.is_chat and capability in model.capabilities), None)


def _unsuited(role: ResolvedRole, condition: str, capability: str, better: KnownModel) -> Finding:
    level = warning if capability == "VISION" else info
    return level(
        "role_lacks_capability", role.name, f"A rule sends it tasks with {condition}, and {role.model} does not have {capability}.",
        f"{better.name} has it: give it this role, or add {capability} to the capabilities of {role.model} under models.",
    )  # fmt: skip
