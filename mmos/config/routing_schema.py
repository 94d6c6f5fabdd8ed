"""Defines the keys of `routing`: the rules."""

from __future__ import annotations

from pydantic import Field

from mmos.config.section import Section
from mmos.config.values import Condition, RoleName


class Rule(Section):
    condition: Condition = Field(description="When the rule is true, like task.complexity > 7 and task.type == 'bug_fixing'.")
    specialist: RoleName = Field(description="The specialist that the rule names.")


class Routing(Section):
    rules: list[Rule] = Field(default=[], description="Rules that name a specialist; the first true rule counts.")
