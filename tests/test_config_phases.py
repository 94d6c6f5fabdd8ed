"""The key `phases`: what is refused, what is warned of, and how it is shown."""

from __future__ import annotations

import pytest
import yaml

from mmos.app.checks import problems
from mmos.config.load import from_text
from mmos.config.phases import Phases
from mmos.config.show import describe
from mmos.errors import ConfigError

FILE = "orchestration:\n  arbiter: {model: m}\n  specialists: {coding: {model: m}}\n  phases: "
AT = "o.yaml:4: orchestration.phases"
PHASE_NAME = "a name of at most 40 small letters, digits and '_' that begins with a letter"


def refused(phases: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        from_text(f"{FILE}{phases}\n", "o.yaml", {})
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ("{initial: plna, plan: {}}", '.initial: found "plna" (a string), allowed: the name of a phase: plan; did you mean \'plan\'?'),
        ("{initial: 3, plan: {}}", ".initial: found 3 (a whole number), allowed: the name of a phase: plan"),
        ("{initial: done, plan: {}}", '.initial: found "done" (a string), allowed: the name of a phase: plan'),
        ("{plan: {next: [wrok]}, work: {}}", ".plan.next[0]: found \"wrok\" (a string), allowed: plan, work, done; did you mean 'work'?"),
        ("{plan: {next: work}, work: {}}", '.plan.next: found "work" (a string), allowed: a list'),
        ("{plan: {nxt: []}}", ".plan.nxt: 'nxt' is not a key here; did you mean 'next'? Allowed: next, instructions, tools"),
        ("{plan: work, work: {}}", '.plan: found "work" (a string), allowed: a mapping of keys: next, instructions, tools'),
        ("{plan: 3}", ".plan: found 3 (a whole number), allowed: a mapping of keys"),
        ("{plan: {}, done: {}}", ".done: 'done' is the end of the work and has no keys; name it under 'next' of another phase"),
        ("{Plan: {}}", f".Plan: 'Plan' cannot be a name here, allowed: {PHASE_NAME}"),
        ("{plan: {tools: {ask: [x]}}}", ".plan.tools.ask: 'ask' is not a key here. Allowed: allow, deny"),
    ],
)  # fmt: skip
def test_a_wrong_phase_is_refused_with_its_place(phases: str, expected: str) -> None:
    assert f"{AT}{expected}" in refused(phases)


def test_a_first_phase_alone_is_no_phase() -> None:
    assert f"{AT}: there is no phase; write one below 'phases', like plan: {{next: [work]}}" in refused("{initial: plan}")


def test_a_phase_that_no_run_reaches_is_a_warning() -> None:
    config = from_text(f"{FILE}{{initial: work, plan: {{next: [work]}}, work: {{next: [done]}}}}\n", "o.yaml", {})
    assert [str(warning) for warning in config.warnings] == [
        f"{AT}.plan: no phase leads to 'plan' from 'work'; name it under 'next' of another phase"
    ]


@pytest.mark.parametrize(
    ("tools", "place"), [("[lok]", "tools[0]"), ("{allow: [lok]}", "tools.allow[0]"), ("{deny: [lok]}", "tools.deny[0]")]
)
def test_a_tool_that_does_not_exist_is_refused(tools: str, place: str) -> None:
    config = from_text(f"{FILE}{{plan: {{tools: {tools}}}}}\n", "o.yaml", {})
    assert str(problems(config)[0]).startswith(f"{AT}.plan.{place}: 'lok' matches no tool")


def test_a_value_from_the_environment_may_name_the_first_phase() -> None:
    config = from_text(f'{FILE}{{initial: "${{FIRST}}", plan: {{}}, work: {{next: [plan]}}}}\n', "o.yaml", {"FIRST": "work"})
    assert Phases.of(config.orchestration.phases).initial == "work"


def test_what_is_shown_loads_as_the_same() -> None:
    text = f'{FILE}{{initial: plan, plan: {{next: [done], instructions: "Plan: first.", tools: ["consult_*"]}}}}\n'
    shown = describe(from_text(text, "o.yaml", {}))
    assert 'tools:\n        allow: ["consult_*"]  # o.yaml:4' in shown
    assert yaml.safe_load(shown)["orchestration"]["phases"]["initial"] == "plan"
    assert from_text(shown, "p.yaml", {}).orchestration.phases == from_text(text, "o.yaml", {}).orchestration.phases
