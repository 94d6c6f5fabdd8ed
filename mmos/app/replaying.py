"""Replays runs with the configuration of an app, and lets them go on as they were."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial

from mmos.app import wiring
from mmos.app.lifecycle import whole_answer
from mmos.config.load import Config, from_text
from mmos.config.phases import CHANGE_PHASE, Phases
from mmos.errors import ConfigError
from mmos.events import Entry, ModelAsked, ModelLearned
from mmos.journal import Journal
from mmos.participant.loop import Participants
from mmos.prompting.relevance import FIND_TOOLS
from mmos.prompting.templates import Templates
from mmos.replay import kept
from mmos.replay.present import Present, PresentOf
from mmos.replay.report import Comparison, Replay
from mmos.replay.state import RunState, around
from mmos.replay.walk import Walk
from mmos.scope import Limits
from mmos.toolbox import Tool, Toolbox
from mmos.tools.change_phase import change_phase
from mmos.views.run import CHANGED


async def replay(journal: Journal, run: str, present_of: PresentOf) -> Replay:
    """Compare the steps of a run with today."""
    return await (await _walk(journal, run, present_of)).through(await around(journal, run))


async def _walk(journal: Journal, run: str, present_of: PresentOf, asks: Collection[str] | None = None) -> Walk:
    return Walk(RunState(run, journal), present_of, await journal.read(kinds=(ModelLearned.kind,)), asks)


async def changed(journal: Journal, run: str, entries: Sequence[Entry], present_of: PresentOf) -> str:
    """A warning, if a role that a run has asked would be asked in other words today, or if nobody can tell. Empty if not.

    `entries`: those of its thread. To be fast with a long run, it compares only the first and the newest request with each frame.
    """
    first: dict[tuple[str, str], str] = {}
    newest: dict[tuple[str, str], str] = {}
    for entry in entries:
        if isinstance(event := entry.event, ModelAsked) and entry.run == run and not event.shows:
            first.setdefault((event.role, event.frame), event.ask)
            newest[event.role, event.frame] = event.ask
    walk = await _walk(journal, run, present_of, {*first.values(), *newest.values()})
    steps = {step.ask: step for step in (await walk.through(entries)).comparisons}
    if walk.unusable and newest:
        return f"MMOS cannot tell whether models are now asked in other words than before in this run: {walk.unusable}"
    last: dict[str, Comparison] = {}  # a run that was resumed may have asked in today's words
    since: dict[str, Comparison] = {}
    for (role, frame), ask in sorted(newest.items(), key=lambda one: steps[one[1]].entry.seq):
        if not steps[ask].unknown:
            last[role], since[role] = steps[ask], steps[first[role, frame]]
    told = [_told(since[role], parts) for role, step in last.items() if (parts := _frame_parts(step))]
    if not told:
        return ""
    return f"{CHANGED} {'; '.join(told)}. `mmos runs resume {run} --as-it-was` keeps those from before."


def _told(since: Comparison, parts: Iterable[str]) -> str:
    """Which role, since which turn, and what."""
    return f"{since.role}, since turn {since.turn} ({since.ask}): {', '.join(parts)}"


def _frame_parts(step: Comparison) -> list[str]:
    """The parts that differ and that are the same in each turn, without repetition."""
    return list(dict.fromkeys(one.part for one in step.differences if _of_frame(one.part)))


def _of_frame(part: str) -> bool:
    """Whether a part is the same in each turn."""
    return part != "request" and not part.startswith("message")


def as_it_was(participants: Participants, state: RunState, entries: Sequence[Entry], today: Phases) -> tuple[Participants, Phases]:
    """The participants of a run that goes on as it was, and the phases of the configuration that it has kept."""
    participants = kept.as_it_was(participants, state, entries)
    phases = _phases_then(state.view.config, today)
    if phases and CHANGE_PHASE not in participants.box:
        tool = change_phase(phases, participants.templates)
        boxes = {name: replace(member, box=_with(member.box, tool)) for name, member in participants.cast.items()}
        return replace(participants, cast=boxes, box=Toolbox.of([*participants.box, tool])), phases
    if not phases:
        boxes = {name: replace(member, box=member.box.without([CHANGE_PHASE])) for name, member in participants.cast.items()}
        return replace(participants, cast=boxes), phases
    return participants, phases


def _with(box: Toolbox, tool: Tool) -> Toolbox:
    """The box with this tool in place of one that is no longer there."""
    return Toolbox.of(replace(tool, spec=one.spec) if one.name == tool.name else one for one in box)


def _phases_then(text: str, today: Phases) -> Phases:
    """Those of a configuration that a run has kept. If it cannot be read today, those of today."""
    try:
        config = from_text(text, "", os.environ)
    except ConfigError:
        return today
    return replace(Phases.of(config.orchestration.phases), limited=today.limited, groups=today.groups)


def present(config: Config, participants: Participants, limits: Limits, phases: Phases) -> Present:
    """What a run with these participants would have today."""
    house = [tool.name for tool in wiring.tools_of_house(config, wiring.roles_of(config, None), Templates())]
    house.append(FIND_TOOLS)
    return replace(Present.of(participants, limits, house, partial(whole_answer, participants.shape)), phases=phases)
