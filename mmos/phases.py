"""Begins and changes the phase of a run, refuses a phase that may not follow, and says what models read about it."""

from __future__ import annotations

from collections.abc import Collection

from mmos.config.phases import CHANGE_PHASE, DONE
from mmos.errors import ToolDenied
from mmos.events import PhaseChanged, PhaseChanger
from mmos.plurals import counted
from mmos.prompting.templates import Templates
from mmos.scope import Scope


def begin(scope: Scope) -> None:
    """Put a run into its first phase, unless it is in one already. A resumed run stays in its phase as long as the configuration has it."""
    phases, phase = scope.phases, scope.view.phase
    if not phases or phase in phases:
        return
    reason = f"The configuration has no phase {phase} any more." if phase else ""
    scope.record(PhaseChanged(phases.initial, reason, "start", phase, scope.lane, scope.role))


def change(scope: Scope, phase: str, reason: str, templates: Templates, by: PhaseChanger = "model", call: str = "") -> str:
    """Record that the run goes on in another phase, and return what the model reads. Raises `ToolDenied` if that phase may not follow.

    `call`: the tool call that changes it. A call that a crash cut off changes the phase once.
    """
    phase, own = phase.strip().lower(), next((one for one in scope.view.phase_changes if call and one.call == call), None)
    before = own.before if own else scope.view.phase
    following = next_phases(scope, before, templates)
    if phase not in scope.phases:
        raise ToolDenied(templates.fill("unknown_phase", phase=phase, next=following))
    if phase not in scope.phases.after(before):
        raise ToolDenied(templates.fill("barred_phase", before=before, phase=phase, next=following))
    times = sum((one.before, one.phase) == (before, phase) and one is not own for one in scope.view.phase_changes)
    if times >= scope.limits.repeats:
        raise ToolDenied(templates.fill("repeated_phase", before=before, phase=phase, times=counted(times, "time")))
    if own is None:
        scope.record(PhaseChanged(phase, reason, by, before, scope.lane, scope.role, call))
    return templates.fill("done_phase", phase=phase) if phase == DONE else templates.fill("entered_phase", phase=phase)


def line(scope: Scope, tools: Collection[str], templates: Templates) -> str:
    """What a model with these tools reads about the phase before the last message of the user. Empty: nothing."""
    phases, phase = scope.phases, scope.view.phase
    if phase not in phases:
        return ""
    if phase == DONE and not scope.depth:
        return templates.fill("done_phase", phase=phase)
    permitted = [name for name in tools if phases.permits(phase, name)]
    limits = templates.fill("phase_tools", tools=", ".join(permitted) or templates.fill("none")) if len(permitted) < len(tools) else ""
    if scope.depth:
        return templates.fill("consulted_phase", phase=phase, rest=limits) if limits else ""
    following = next_phases(scope, phase, templates) if CHANGE_PHASE in tools else ""
    return templates.fill("phase", phase=phase, rest=" ".join(filter(None, (phases.instructions(phase), limits, following))))


def next_phases(scope: Scope, phase: str, templates: Templates) -> str:
    """The sentence that names the phases that may follow."""
    following = scope.phases.after(phase)
    return templates.fill("next_phases", phase=phase, next=", ".join(following)) if following else templates.fill("last_phase", phase=phase)
