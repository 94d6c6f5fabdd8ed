"""Gives a run its patterns: what carries them out, and who takes part when a pattern alone answers."""

from __future__ import annotations

from dataclasses import replace

from mmos.app import wiring
from mmos.app.lifecycle import RunOptions
from mmos.app.patterns import LookUps, Patterns, own_name
from mmos.app.system_texts import MODEL
from mmos.config.library_schema import PatternRag
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


def standing_of(options: RunOptions, config: Config, templates: Templates, insight: Insight, look_ups: LookUps | None = None) -> Standing:
    return Standing(replace(patterns_of(options, config, templates), insight=insight, look_ups=look_ups))


def rag_of(options: RunOptions, config: Config, templates: Templates) -> PatternRag | None:
    """What the pattern reads of the library that answers the task of a run. None: no pattern does, or it reads nothing of its own."""
    patterns = patterns_of(options, config, templates)
    name = own_name(patterns.own) if patterns.own else options.pattern or ""
    if not options.pattern and not options.is_model_alone and options.answering in patterns.roles:
        name = patterns.roles[options.answering].pattern
    return patterns.rag(str(name)) if name else None


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
