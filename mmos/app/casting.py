"""Makes the cast of a run: every role with its model, its system text and its tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmos.app import wiring
from mmos.app.lifecycle import RunOptions
from mmos.app.system_texts import ARBITER
from mmos.calls.tool_choice import ToolChoice
from mmos.config.load import Config
from mmos.config.roles import ResolvedRole
from mmos.names import canonical
from mmos.participant.cast import Cast, Member, PlainRole
from mmos.prompting.mistakes import known
from mmos.prompting.relevance import FIND_TOOLS, Shortlist
from mmos.prompting.templates import Templates
from mmos.toolbox import Toolbox
from mmos.tools.find_tools import find_tools
from mmos.tools.log import Logs, log_tools


def cast_key(options: RunOptions) -> tuple[Any, ...]:
    """Runs with the same key have the same cast."""
    changes = tuple((options.roles or {}).items()), tuple((options.sampling or {}).items())
    return (
        *changes,
        options.system,
        options.role_only,
        options.model,
        repr(options.pattern),
        options.gpu,
        options.is_model_alone,
        options.consult,
        tuple(options.stand_ins or ()),
        tuple(options.tools or ()),
        options.folder,
        tuple((model, tuple(found)) for model, found in (options.mistakes or {}).items()),
    )


def cast_for(options: RunOptions, config: Config, tools: Toolbox, templates: Templates, logs: Logs) -> Cast:
    """The cast of a run with these options. `logs`: those that a role that explains failures may look into."""
    if options.pattern:
        from mmos.app.pattern_runs import cast_of_pattern  # few runs have one

        cast: Cast = cast_of_pattern(options, config, tools, templates)
    elif options.model:
        cast = wiring.model_alone(config, options.model, options.system, options.sampling, templates, gpu=options.gpu)
    else:
        roles = _reminded(wiring.roles_of(config, options.roles, options.sampling, gpu=options.gpu), options, tools)
        if options.role_only == wiring.DIAGNOSIS:
            return wiring.explaining(config, roles, log_tools(templates, logs), templates, options.system)
        if options.is_model_alone:
            cast = wiring.arbiter_alone(roles[ARBITER], options.system, templates)
        else:
            cast = wiring.cast_of(roles, tools, templates, options.system, options.answering, options.consult)
            cast = _equipped(cast, options, config, tools)
            taking = wiring.taking_part(cast, options.answering, wiring.interpreter_of(config))
            cast = cast if any(one.role.pattern for one in taking.values()) else taking  # any role may be a member of a pattern
            cast = _shortened(cast, config, roles) if len(tools) > config.orchestration.limits.tools else cast
    if options.is_model_alone:
        cast = _equipped(cast, options, config, tools)
    if options.stand_ins:
        cast = {
            **cast,
            options.answering: _with_stand_ins(cast[options.answering], wiring.roles_of(config, options.roles), options.stand_ins),
        }
    if options.gpu is not None:
        wiring.check_gpu(config, cast, options.gpu)
    return cast


def _equipped(cast: Cast, options: RunOptions, config: Config, tools: Toolbox) -> Cast:
    """The cast, in which the member that answers has the tools that the run names, too."""
    if not options.tools:
        return cast
    from mmos.app.ready import FINDING, ready_for_run

    member, alone = cast[options.answering], FINDING in options.tools
    more = ready_for_run(options.tools, options.folder, config, tools, member.templates)
    more = more.permitted(None, member.rules.get("deny", ())).asking(member.rules.get("ask", ()))
    if alone:  # it finds files and does nothing else
        role = replace(member.role, pattern="") if isinstance(member.role, ResolvedRole) else member.role  # of a pattern, the acting model
        return {**cast, options.answering: replace(member, role=role, box=more, first=ToolChoice(least=1))}
    return {**cast, options.answering: replace(member, box=Toolbox.of([*member.box, *more]))}


def _reminded(roles: dict[str, ResolvedRole], options: RunOptions, tools: Toolbox) -> dict[str, ResolvedRole]:
    """The roles, with the mistakes that their first models made in earlier runs."""
    if not options.mistakes:
        return roles
    found = {name: known(options.mistakes, role.model, tools.names) for name, role in roles.items()}
    return {name: replace(role, guidance=replace(role.guidance, mistakes=found[name])) for name, role in roles.items()}


def _shortened(cast: Cast, config: Config, roles: Mapping[str, ResolvedRole]) -> Cast:
    """The cast, in which the prompts of roles with too many tools offer only those that fit the task, and a tool that finds the others."""
    house, limit = {tool.name for tool in wiring.tools_of_house(config, roles, Templates())}, config.orchestration.limits.tools
    shortened = {}
    for name, member in cast.items():
        own = [tool.spec for tool in member.box if tool.name not in house]
        if len(own) > limit and FIND_TOOLS not in member.box:  # the user may have a tool of this name
            shortlist = Shortlist(own, limit)
            box = Toolbox.of([*member.box, find_tools(shortlist, member.templates)])
            shortened[name] = replace(member, box=box, shortlist=shortlist)
    return {**cast, **shortened}


def _with_stand_ins(member: Member, roles: Mapping[str, ResolvedRole], names: Sequence[str]) -> Member:
    """The member, for which models of these roles answer when no host can serve its own."""
    own = member.role
    others = [
        PlainRole(
            own.name, choice.model, choice.servers, choice.window, choice.channel, own.options, choice.think, choice.keep_alive,
            own.timeout, own.system,
        )
        for name in names
        if name in roles
        for choice in roles[name].choices
    ]  # fmt: skip
    known = {canonical(choice.role.model) for choice in member.choices}
    return replace(member, others=(*member.others, *(other for other in others if canonical(other.model) not in known)))
