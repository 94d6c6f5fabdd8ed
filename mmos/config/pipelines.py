"""Says which patterns are pipelines: sequences, and whatever a file of Camus calls a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mmos.config.load import Config
from mmos.config.patterns_schema import Pattern, PatternMember
from mmos.config.roles import ResolvedRole
from mmos.names import pattern_named

STRATEGY: tuple[str, ...] = ("defaults", "strategy")


@dataclass(frozen=True)
class Step:
    """A backend of a pipeline: a model, a role or another pattern."""

    name: str
    member: PatternMember
    role: ResolvedRole | None
    """The model, and where it runs. None: it is another pattern."""


def pipelines_of(config: Config) -> Mapping[str, Pattern]:
    every = config.orchestration.patterns
    theirs = {name for name in every if config.document.origins.get(("orchestration", "patterns", name), ())[:1] == ("pipelines",)}
    return {name: pattern for name, pattern in every.items() if pattern.pattern == "sequential" or name in theirs}


def steps_of(config: Config, name: str) -> list[Step]:
    pattern, roles = config.orchestration.patterns[name], config.roles()
    asked = {one.name: one for one in config.members()}
    steps = []
    for member in pattern.models:
        spelled = member.name or member.role or member.model or ""
        if member.role is not None:
            steps.append(Step(spelled, member, roles[member.role]))
        elif member.model is not None and pattern_named(member.model):
            steps.append(Step(spelled, member, None))
        else:
            steps.append(Step(spelled, member, asked.get(f"{name}/{spelled}")))
    return steps


def default_of(config: Config) -> str:
    """The pattern that answers a run that does not say who does. Empty: the arbiter, or whoever fits."""
    defaults, patterns = config.orchestration.defaults, config.orchestration.patterns
    if defaults.strategy is not None:
        return defaults.strategy if defaults.strategy in patterns else ""
    return defaults.pattern or ""


def place_of_strategy(config: Config) -> tuple[str, ...]:
    """The keys of `defaults.strategy` in the file. Empty: MMOS cannot write it there."""
    if not config.document.tool:
        return ("orchestration", *STRATEGY)
    return STRATEGY if config.document.tool == "Camus" else ()


def spelled_in_file(config: Config, pattern: str) -> str:
    """The name of a pattern as the file has it."""
    origin = config.document.origins.get(("orchestration", "patterns", pattern))
    return str(origin[-1]) if origin else pattern
