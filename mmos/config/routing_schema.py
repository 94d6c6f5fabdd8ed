"""Defines the keys of `routing`: the rules, what they do, and classes of tasks of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from mmos.config.class_schema import TaskClass
from mmos.config.patterns_schema import PatternName
from mmos.config.section import Section
from mmos.config.values import ClassName, Condition, Flag, ModelName, RoleName, one_of

Answering = Literal["single", "intelligent"]
"""Who answers: one model alone, or whoever fits the task."""
ANSWERING: tuple[Answering, ...] = get_args(Answering)


def answering(strategy: str | None) -> Answering | None:
    """Who answers. None: a pattern does, or nobody said it."""
    return next((word for word in ANSWERING if word == strategy), None)


Strategy = Annotated[Answering, one_of(*ANSWERING)]


class Rule(Section):
    condition: Condition = Field(description="When the rule is true, like task.complexity > 7 and task.type == 'bug_fixing'.")
    specialist: RoleName | None = Field(default=None, description="The specialist that the arbiter should consult first.")
    prefer: list[RoleName] = Field(
        default=[], description="Several specialists: the arbiter should consult the first that a host can serve."
    )
    model: ModelName | None = Field(default=None, description="The model that answers the user, in place of the arbiter's own.")
    strategy: Strategy | None = Field(
        default=None, description="Who answers: single (the arbiter's model alone) or intelligent (whoever fits the task)."
    )
    pattern: PatternName | None = Field(
        default=None, description="The pattern that works on the task: as advice, that the arbiter should use it."
    )
    enforce: Flag | None = Field(default=None, description="Whether MMOS acts on this rule itself. Default: as routing.enforce says.")


class Routing(Section):
    enforce: Flag = Field(
        default=False, description="Whether MMOS acts on the rule that a task meets. If false, the rule is advice that the arbiter reads."
    )
    rules: list[Rule] = Field(default=[], description="Rules that say who should work on a task; the first true rule counts.")
    classes: dict[ClassName, TaskClass] = Field(
        default={}, description="Your own classes of tasks by name, each with examples. Rules may compare task.type with them."
    )
