"""Gives a run its patterns: what carries them out, and who takes part when a pattern alone answers."""

from __future__ import annotations

from dataclasses import replace

from mmos.app import wiring
from mmos.app.lifecycle import RunOptions
from mmos.app.patterns import Patterns, own_name
from mmos.app.system_texts import MODEL
from mmos.config.load import Config
from mmos.config.roles import ResolvedRole
from mmos.participant.cast import Member
from mmos.patterns.insight import Insight
from mmos.patterns.standing import Standing
from mmos.prompting.templates import Templates
from mmos.toolbox import Toolbox


def patterns_of(options: RunOptions, config: Config, templates: Templates) -> Patterns:
    """The patterns that a run may use, with its own models for roles."""
    own = {} if isinstance(options.pattern, str) or options.pattern is None else options.pattern
    return Patterns(config, wiring.roles_of(config, options.roles, options.sampling, gpu=options.gpu), templates, own, options.gpu)


def standing_of(options: RunOptions, config: Config, templates: Templates, insight: Insight) -> Standing:
    return Standing(replace(patterns_of(options, config, templates), insight=insight))


def cast_of_pattern(options: RunOptions, config: Config, tools: Toolbox, templates: Templates) -> dict[str, Member]:
    """A pattern alone, with the roles that take part in it. Its acting model stands where a model alone would."""
    patterns = patterns_of(options, config, templates)
    plan = patterns.plan(own_name(patterns.own) if patterns.own else str(options.pattern))
    role = patterns.acting(plan.name)
    alone = ResolvedRole(MODEL, role.model, role.servers, role.window, options=dict(role.options), think=role.think, pattern=plan.name)
    names = patterns.roles_in(plan.name)
    roles = wiring.cast_of(patterns.roles, tools, templates, "") if names else {}
    taking = {
        name: member for role_name in names for name, member in wiring.taking_part(roles, role_name, wiring.interpreter_of(config)).items()
    }
    return {**taking, MODEL: Member(alone, options.system, Toolbox(), templates)}
