"""The phases of a run: which may follow which, what each allows, and how a change is recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from mmos.config.phase_schema import Phase, PhaseTools
from mmos.config.phases import Phases
from mmos.errors import ToolDenied
from mmos.events import PhaseChanged
from mmos.journal import Journal, new_id
from mmos.phases import begin, change
from mmos.prompting.templates import Templates
from mmos.scope import Limits, Scope
from mmos.views.conversation import Conversation
from mmos.views.run import RunView

TEXTS = Templates()


def phases(**entries: Any) -> Phases:
    return Phases.of({name: entry if isinstance(entry, str) else Phase(**entry) for name, entry in entries.items()})


USUAL = phases(initial="plan", plan={"next": ["work"]}, work={"next": ["review", "plan"]}, review={"next": ["work", "done"]})


@pytest.fixture
async def scope() -> AsyncIterator[Scope]:
    async with await Journal.open(None) as journal:
        yield Scope(journal, RunView(), Conversation(), new_id(), new_id(), lambda: 0.0, lane="arbiter", role="arbiter", phases=USUAL)


# ---------------------------------------------------------------- what is configured


def test_the_first_phase_of_the_file_is_the_first_of_a_run_unless_the_file_says_another() -> None:
    assert phases(plan={"next": ["work"]}, work={}).initial == "plan"
    assert phases(plan={}, initial="work", work={}).initial == "work"


def test_without_phases_nothing_is_limited() -> None:
    assert (bool(Phases()), Phases().names, Phases().permits("", "write_file"), "done" in Phases()) == (False, (), True, False)


def test_done_is_among_the_names_only_if_a_phase_leads_to_it() -> None:
    assert USUAL.names == ("plan", "work", "review", "done")
    assert phases(plan={"next": ["work"]}, work={}).names == ("plan", "work")


@pytest.mark.parametrize(
    ("tools", "permitted"),
    [
        ({}, ["read_file", "write_file", "consult_coding_specialist"]),
        ({"allow": ["read_*", "consult_*"]}, ["read_file", "consult_coding_specialist"]),
        ({"deny": ["write_file"]}, ["read_file", "consult_coding_specialist"]),
        ({"allow": ["*_file"], "deny": ["write_*"]}, ["read_file"]),
        ({"allow": []}, []),
    ],
)
def test_a_phase_allows_tools_by_name_and_pattern(tools: Mapping[str, Any], permitted: list[str]) -> None:
    here = phases(plan={"tools": PhaseTools(**tools)})
    assert [name for name in ("read_file", "write_file", "consult_coding_specialist") if here.permits("plan", name)] == permitted
    assert here.permits("plan", "change_phase")


def test_the_last_phase_has_no_tools_and_an_unknown_one_limits_nothing() -> None:
    assert not USUAL.permits("done", "change_phase")
    assert USUAL.permits("of_an_older_file", "write_file")


# ---------------------------------------------------------------- a run begins and goes on


async def test_a_run_begins_in_the_first_phase_once(scope: Scope) -> None:
    begin(scope)
    begin(scope)
    assert scope.view.phase_changes == [PhaseChanged("plan", "", "start", "", "arbiter", "arbiter")]


async def test_a_run_without_phases_has_none(scope: Scope) -> None:
    begin(scope.bind(phases=Phases()))
    assert (scope.view.phase, scope.view.phases) == ("", [])


async def test_a_phase_that_the_configuration_no_longer_has_gives_way_to_the_first_one(scope: Scope) -> None:
    begin(scope)
    begin(scope.bind(phases=phases(draft={})))
    assert (scope.view.phase, scope.view.phase_changes[-1].before) == ("draft", "plan")
    assert "no phase plan any more" in scope.view.phase_changes[-1].reason


async def test_a_change_that_may_follow_is_recorded(scope: Scope) -> None:
    begin(scope)
    assert change(scope, " Work", "The plan is ready.", TEXTS, call="c1") == "The phase is work now."
    assert scope.view.phase_changes[-1] == PhaseChanged("work", "The plan is ready.", "model", "plan", "arbiter", "arbiter", "c1")
    assert scope.view.phases == ["plan", "work"]


@pytest.mark.parametrize(
    ("phase", "fault"),
    [
        ("review", "review may not follow plan. Change the phase with change_phase when plan is finished. Next can be: work."),
        ("plan", "plan may not follow plan. Change the phase with change_phase when plan is finished. Next can be: work."),
        ("done", "done may not follow plan. Change the phase with change_phase when plan is finished. Next can be: work."),
        ("deploy", "There is no phase named deploy. Change the phase with change_phase when plan is finished. Next can be: work."),
    ],
)
async def test_a_change_that_may_not_follow_says_what_may(scope: Scope, phase: str, fault: str) -> None:
    begin(scope)
    with pytest.raises(ToolDenied) as caught:
        change(scope, phase, "", TEXTS)
    assert (str(caught.value), scope.view.phases) == (fault, ["plan"])


async def test_after_the_last_phase_no_phase_follows(scope: Scope) -> None:
    begin(scope)
    for phase in ("work", "review"):
        change(scope, phase, "", TEXTS)
    assert "Answer the user now" in change(scope, "done", "", TEXTS)
    with pytest.raises(ToolDenied, match="No phase follows done"):
        change(scope, "work", "", TEXTS)


async def test_a_call_that_a_crash_cut_off_changes_the_phase_once(scope: Scope) -> None:
    begin(scope)
    assert change(scope, "work", "", TEXTS, call="c1") == change(scope, "work", "", TEXTS, call="c1")
    assert scope.view.phases == ["plan", "work"]


async def test_the_same_change_is_made_only_so_often_whatever_its_reason(scope: Scope) -> None:
    scope = scope.bind(limits=Limits(repeats=2))
    begin(scope)
    for number in range(2):
        change(scope, "work", f"Attempt {number}.", TEXTS)
        change(scope, "plan", "Not yet.", TEXTS, "recovery")
    with pytest.raises(ToolDenied, match="from plan to work 2 times already"):
        change(scope, "work", "Attempt 3.", TEXTS)
    assert [one.by for one in scope.view.phase_changes] == ["start", "model", "recovery", "model", "recovery"]
