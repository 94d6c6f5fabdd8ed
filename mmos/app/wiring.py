"""Builds the fleet, the tools and the participants of a run from the configuration."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmos.app.system_texts import ARBITER, INTERPRETER, MODEL, SMALL, SYNTHESIZER, completed, purpose_of, system_as_member, texts_of
from mmos.calls.tool_choice import ToolChoice
from mmos.config.load import Config
from mmos.config.model_keys import named
from mmos.config.moments import moment_of
from mmos.config.phases import CHANGE_PHASE, Phases
from mmos.config.roles import Changes, Guidance, Need, ResolvedRole, first_of, meeting, roles_in, servers_of
from mmos.config.rules import compile_rule
from mmos.config.schema import Toolrules
from mmos.config.sources import expanded
from mmos.config.windows import DEFAULT_WINDOW
from mmos.config.wording import perhaps
from mmos.errors import UsageError
from mmos.participant.cast import Cast, Member
from mmos.participant.ladder import Ladder
from mmos.prompting.templates import Templates, set_of
from mmos.recovery.cure import Terms
from mmos.recovery.recovering import Recovery
from mmos.scope import Limits
from mmos.toolbox import Tool, Toolbox
from mmos.tools.change_phase import change_phase
from mmos.tools.consult import Consultation, Specialist, for_all, for_one
from mmos.tools.escalate import escalate_to_user
from mmos.tools.hand_over import HAND_OVER, hand_over
from mmos.tools.interpret import reinterpret_with_functiongemma
from mmos.tools.mediate import mediate
from mmos.tools.reconsider import Find, Found, reconsider_with_larger_model
from mmos.tools.reinterpret import reinterpret_response
from mmos.tools.remembering import Remembering
from mmos.tools.synthesize import synthesize_responses

if TYPE_CHECKING:  # few configurations have patterns
    from mmos.app.patterns import LookUps

DIAGNOSIS = "diagnosis"
"""The role that explains failures. A configuration may have it; otherwise it is made of another role."""


def limits_of(config: Config) -> Limits:
    limits = config.orchestration.limits
    return Limits(**{spec.name: getattr(limits, spec.name) for spec in fields(Limits)})


def phases_of(config: Config, box: Toolbox) -> Phases:
    """The phases of a run, which limit the tools of this box."""
    return limiting(Phases.of(config.orchestration.phases), box)


def limiting(phases: Phases, box: Toolbox) -> Phases:
    """The phases, which limit the tools of this box and those that they limit already."""
    groups = {tool.name: tool.group for tool in box if tool.group}
    return replace(phases, limited=frozenset({*(phases.limited or ()), *box.names}), groups={**phases.groups, **groups})


def templates_of(config: Config) -> Templates:
    prompts = config.orchestration.prompts
    if prompts == SMALL:
        return Templates(set_of(SMALL))
    folder = (config.folder or Path()) / expanded(prompts, os.environ) if prompts else None
    return Templates(folder, roles=tuple(config.orchestration.specialists))


def roles_of(
    config: Config, changes: Mapping[str, str] | None, sampling: Mapping[str, Any] | None = None, *, gpu: int | None = None
) -> dict[str, ResolvedRole]:
    """The roles, with the models (`MODEL` or `MODEL@HOST`), the sampling options and the GPU that the run sets."""
    roles = config.roles(_changes(config, changes), gpu=gpu)
    if SYNTHESIZER not in roles:
        roles[SYNTHESIZER] = replace(
            roles[ARBITER], name=SYNTHESIZER, system=None, description=None, channel=None, guidance=Guidance.of(config.orchestration)
        )
    for key, value in (sampling or {}).items():
        _sample(roles, key, value)
    return roles


def window_of(config: Config, changes: Mapping[str, str] | None, model: str, servers: Collection[str]) -> int:
    """The window of a model on these servers in a run with these changes; for participants that no role describes."""
    for host in servers:
        if host not in config.servers():
            raise UsageError(f"There is no host {host!r}; hosts: {', '.join(config.servers())}.")
    return config.windows(_changes(config, changes)).of(model, servers)


def _changes(config: Config, models: Mapping[str, str] | None) -> Changes:
    """The changes of a run: for each role, its model and the servers of this model."""
    roles, changes = roles_in(config.orchestration), {}
    for name, spelling in (models or {}).items():
        if name not in roles:
            raise UsageError(f"There is no role {name!r}; roles: {', '.join(roles)}.", next_step="Use --role ROLE=MODEL[@HOST].")
        model, servers = _model_and_servers(config, spelling)
        changes[name] = (model or first_of(roles[name]), servers or servers_of(roles[name]))
    return changes


def _model_and_servers(config: Config, spelling: str) -> tuple[str, tuple[str, ...]]:
    """Split `MODEL` or `MODEL@HOST` into model and servers."""
    model, _, host = spelling.partition("@")
    if host and host not in config.servers():
        raise UsageError(f"There is no host {host!r}; hosts: {', '.join(config.servers())}.")
    return model, (host,) if host else ()


def model_alone(
    config: Config, spelling: str, system: str, sampling: Mapping[str, Any] | None, templates: Templates, *, gpu: int | None = None
) -> dict[str, Member]:
    """One model alone, with no text but the user's and no tools."""
    model, servers = _model_and_servers(config, spelling)
    if not model:
        raise UsageError(f"{spelling!r} names no model.", next_step="Write MODEL or MODEL@HOST.")
    (one,) = named(model, config.orchestration.models)
    windows = filter(None, (config.windows().known(one.model, servers), one.entry.context_window if one.entry else None))
    window, need = max(windows, default=DEFAULT_WINDOW), Need() if gpu is None else Need(frozenset({gpu}))
    where = meeting(config.orchestration, servers, need) or servers
    roles = {MODEL: ResolvedRole(MODEL, one.model, where, window, options=one.options({}), think=one.think(None))}
    for key, value in (sampling or {}).items():
        _sample(roles, key, value)
    return {MODEL: Member(roles[MODEL], system, Toolbox(), templates)}


def arbiter_alone(arbiter: ResolvedRole, system: str, templates: Templates) -> dict[str, Member]:
    """The arbiter's model alone, with no text but the user's and no tools."""
    role = replace(arbiter, name=MODEL, system=None, tools=Toolrules(), consult_first=0)
    return {MODEL: Member(role, system, Toolbox(), templates, others=role.choices[1:])}


def check_gpu(config: Config, cast: Cast, gpu: int) -> None:
    """Raise if no role that takes part may run on a server with this GPU."""
    named = {name: server.gpus for name, server in config.servers().items() if server.gpus}
    if not named:
        raise UsageError(
            "No server of the configuration names its GPUs.",
            next_step="Write gpus: [0] for each server. `mmos hosts serve` runs a server for each GPU, and prints these lines.",
        )
    known = "; ".join(f"{name}: {', '.join(map(str, gpus))}" for name, gpus in named.items())
    if not any(gpu in gpus for gpus in named.values()):
        raise UsageError(f"No server has GPU {gpu}.", next_step=f"GPUs of the servers: {known}.")
    if not any(member.role.servers and all(gpu in named.get(name, ()) for name in member.role.servers) for member in cast.values()):
        raise UsageError(f"No role that takes part may run on a server with GPU {gpu}.", next_step=f"GPUs of the servers: {known}.")


def _sample(roles: dict[str, ResolvedRole], key: str, value: Any) -> None:
    """Set a sampling option for one role or for all."""
    name, _, option = key.rpartition(".")
    if name and name not in roles:
        raise UsageError(f"There is no role {name!r}; roles: {', '.join(roles)}.")
    for role in [name] if name else list(roles):
        roles[role] = roles[role].sampled(option, value)


def _reconsidered(config: Config, roles: Mapping[str, ResolvedRole]) -> list[str]:
    """The roles that a larger model may serve, by the configuration alone: the tools of a role must not depend on what hosts have."""
    able = [role for role in roles.values() if role.consultable]
    if config.orchestration.selection.larger:
        return [role.name for role in able]
    entries = [(entry.model, entry.capabilities) for entry in config.orchestration.models.values()]
    others = {role.name: [*entries, *((choice.model, ()) for choice in role.choices[1:])] for role in able}
    return [role.name for role in able if others[role.name] and _has_larger(role.model, others[role.name])]


def _has_larger(model: str, others: Iterable[tuple[str, Iterable[str]]]) -> bool:
    """Whether one of these models, each with its capabilities, is larger than a model."""
    from mmos.catalog.known import KnownModel  # most configurations name one model for each role
    from mmos.selection.larger import is_larger

    return any(is_larger(KnownModel(other, frozenset(capabilities)), KnownModel(model)) for other, capabilities in others)


async def nobody(_role: str, _changed: str) -> Found:
    """Where no tool runs, nobody looks for a larger model."""
    return {"model": "", "servers": [], "why": ""}


def tools_of_house(
    config: Config, roles: Mapping[str, ResolvedRole], templates: Templates, find: Find = nobody, look_ups: LookUps | None = None
) -> list[Tool]:
    """The built-in tools: the specialists, those that combine or interpret answers, and the user.

    `find`: finds larger models. `look_ups`: gives patterns passages of the library.
    """
    specialists = [Specialist(role.name, purpose_of(role, templates)) for role in roles.values() if role.consultable]
    consultation = Consultation(templates, config.orchestration.limits.answer_chars, _remembering(config, roles))
    tools = [for_one(specialist, consultation) for specialist in specialists]
    if specialists:
        tools += [for_all(specialists, consultation), synthesize_responses(SYNTHESIZER, templates), hand_over(specialists, consultation)]
    talks = config.orchestration.conversation
    if min(len(specialists), talks.max_models_per_conversation, talks.max_turns) > 1:
        tools.append(_talking(config, roles, specialists, templates))
    if reconsidered := _reconsidered(config, roles):
        tools.append(reconsider_with_larger_model(reconsidered, find, consultation))
    if (interpreter := interpreter_of(config)) in roles:
        tools.append(reinterpret_with_functiongemma(templates))
        if len(specialists) > 1:
            others = [role.name for role in roles.values() if role.name not in (interpreter, SYNTHESIZER)]
            tools.append(mediate(others, SYNTHESIZER, templates))
    if any(pattern.enabled for pattern in config.orchestration.patterns.values()):
        from mmos.app.patterns import tool_of_patterns  # few configurations have some

        tools.append(tool_of_patterns(config, roles, templates, look_ups))
    if phases := Phases.of(config.orchestration.phases):
        tools.append(change_phase(phases, templates))
    adviser = config.orchestration.recovery.role
    if interpreter in roles or adviser in roles:
        tools.append(reinterpret_response(adviser if adviser in roles else "", templates))
    return [*tools, escalate_to_user(templates)]


def _talking(config: Config, roles: Mapping[str, ResolvedRole], specialists: Iterable[Specialist], templates: Templates) -> Tool:
    from mmos.app.talking import terms_of  # only where at least two can talk
    from mmos.conversing.starting import start_multi_model_conversation

    purposes = {one.name: one.purpose for one in specialists}
    return start_multi_model_conversation(terms_of(config, roles, purposes, templates))


def _remembering(config: Config, roles: Mapping[str, ResolvedRole]) -> Remembering:
    """What roles remember, and are told, when they are consulted."""
    memories, windows = {role.name: role.memory for role in roles.values()}, {role.name: role.window for role in roles.values()}
    return Remembering(memories, config.orchestration.conversation.include_full_history, windows)


def interpreter_of(config: Config) -> str:
    """The role that says what an unclear call means: the specialist of a rule for it. Without such a rule, the role `interpreter`."""
    for rule in config.orchestration.routing.rules:
        if rule.specialist and moment_of(compile_rule(rule.condition), rule.specialist) == "unclear":
            return rule.specialist
    return INTERPRETER


def ladder_of(config: Config, cast: Cast, ladder: Ladder) -> Ladder:
    interpreter = cast.get(interpreter_of(config))
    return replace(ladder, interpreters=[choice.role for choice in interpreter.choices] if interpreter else ())


def is_validated(config: Config, wanted: bool | None) -> bool:
    """Whether the answer of a run is validated. `wanted`: by the user; None: the user does not say."""
    validation = config.orchestration.quality.validation
    if wanted and validation == "never":
        raise UsageError(
            "The configuration forbids validation: quality.validation is never.",
            next_step="Write `on_request` there, or leave --validate out.",
        )
    return validation == "always" if wanted is None else wanted


def recovery_of(config: Config, templates: Templates) -> Recovery | None:
    """What recovers failures. None: the configuration does not want it."""
    keys = config.orchestration.recovery
    if not keys.enabled:
        return None
    return Recovery(Terms(keys.attempts, (keys.role, ARBITER), frozenset(keys.ask_before), templates))


def cast_of(
    roles: Mapping[str, ResolvedRole], box: Toolbox, templates: Templates, text: str, answering: str = ARBITER, consult: str = ""
) -> dict[str, Member]:
    """Every role with its system text and tools. The system text of the role that answers the user ends with the run's own `text`.

    `consult`: the role that it must consult before it answers.
    """
    if answering not in roles:
        names = ", ".join(roles)
        raise UsageError(f"There is no role {answering!r}{perhaps(answering, roles) or '.'}", next_step=f"There are: {names}.")
    first = roles[answering]
    roles = {**roles, answering: replace(first, system="\n\n".join(filter(None, (first.system, text))))}
    return {
        name: Member(
            role,
            system_as_member(role, roles, templates),
            own := _box_of(role, box, answering, consult),
            texts_of(role, templates),
            _must(consult, own) if consult and role.name == answering else _first(role, own),
            _consults(role, roles, own),
            role.choices[1:],
            role.tools.model_dump(),
            _most_calls(role),
        )
        for name, role in roles.items()
    }


def explaining(config: Config, roles: Mapping[str, ResolvedRole], tools: Iterable[Tool], templates: Templates, text: str) -> Cast:
    """The role that explains failures, alone and with these tools: the model is that of `diagnosis`, of the role for failures, or of the arbiter."""
    base = next(roles[name] for name in (DIAGNOSIS, config.orchestration.recovery.role, ARBITER) if name in roles)
    own, guidance = (base.system, base.guidance) if base.name == DIAGNOSIS else ("", Guidance.of(config.orchestration))
    role = replace(base, name=DIAGNOSIS, system=own, guidance=guidance)
    system = completed(templates.fill("diagnosis"), replace(role, system="\n\n".join(filter(None, (own, text)))), templates)
    return {DIAGNOSIS: Member(role, system, Toolbox.of(tools), templates, others=role.choices[1:])}


def taking_part(cast: Cast, answering: str, interpreter: str) -> Cast:
    """The roles that may work when this role answers. The run needs no host for the others."""
    if answering == ARBITER:
        return cast
    names = [answering]
    for name in names:
        names += [other for other in cast[name].consults if other not in names]
    if len(names) > 1:
        names.append(SYNTHESIZER)
    if cast[answering].box:
        names.append(interpreter)
    return {name: one for name, one in cast.items() if name in names}


def _consults(role: ResolvedRole, roles: Mapping[str, ResolvedRole], box: Toolbox) -> tuple[str, ...]:
    """The roles that it can consult with its tools."""
    others = [other.name for other in roles.values() if other.consultable and other.name != role.name]
    return tuple(name for name in others if "consult_specialist" in box or f"consult_{name}_specialist" in box)


def _first(role: ResolvedRole, box: Toolbox) -> ToolChoice | None:
    """The tools that a role must call before it answers. None: it need not or cannot consult."""
    consulting = frozenset(box.permitted(["consult_specialist", "consult_*_specialist"], []).names)
    if not role.consult_first or not consulting:
        return None
    return ToolChoice(consulting, least=role.consult_first)


def _must(consult: str, box: Toolbox) -> ToolChoice:
    """The choice of a role that must consult another one before it answers."""
    name = f"consult_{consult}_specialist"
    if name not in box:
        known = [other.removeprefix("consult_").removesuffix("_specialist") for other in box.names if other.endswith("_specialist")]
        known = [other for other in known if other != "consult"]
        raise UsageError(
            f"The arbiter cannot consult {consult!r}{perhaps(consult, known) or '.'}", next_step=f"It can: {', '.join(known)}."
        )
    return ToolChoice(frozenset({name}), least=1, most=1)


def _box_of(role: ResolvedRole, box: Toolbox, answering: str, consult: str) -> Toolbox:
    """The tools of a role: the arbiter has all, a specialist those that its `tools` names. No role can consult itself. Only the role that answers the user changes the phase or hands the task over."""
    allow, deny = role.tools.allow, list(role.tools.deny)
    if role.name == ARBITER:
        kind = "both" if role.consult == "one" and consult else role.consult  # only a tool of its own can be required
        deny += {"each": ["consult_specialist"], "one": ["consult_*_specialist"], "both": []}[kind]
    elif allow is None:
        allow = []
    if role.name != answering:
        deny += [CHANGE_PHASE, HAND_OVER]
    elif allow is not None:
        allow = [*allow, CHANGE_PHASE]
    return box.permitted(allow, [*deny, f"consult_{role.name}_specialist"]).asking(role.tools.ask)


def _most_calls(role: ResolvedRole) -> Callable[[str], int | None]:
    """How many calls each model of a role may make in one reply: as the configuration says, or as helps such models."""
    configured = {choice.model: choice.calls_at_once for choice in role.choices}

    def most(model: str) -> int | None:
        from mmos.catalog.profiles import calls_at_once  # few models are asked in a way that needs it

        return configured.get(model) or calls_at_once(model)

    return most
