"""Replays runs with the configuration of an app."""

from __future__ import annotations

from functools import partial

from mmos.app import wiring
from mmos.app.lifecycle import whole_answer
from mmos.config.load import Config
from mmos.events import ModelLearned
from mmos.journal import Journal
from mmos.participant.loop import Participants
from mmos.prompting.templates import Templates
from mmos.replay import kept
from mmos.replay.present import Present, PresentOf
from mmos.replay.report import KINDS, Comparison, Kind, Replay
from mmos.replay.state import RunState, around
from mmos.replay.walk import Walk
from mmos.scope import Limits


async def replay(journal: Journal, run: str, present_of: PresentOf, kinds: tuple[Kind, ...] = KINDS) -> Replay:
    """Compare the steps of a run with today. `kinds`: only steps of these kinds."""
    learned = await journal.read(kinds=(ModelLearned.kind,))
    return await Walk(RunState(run, journal), present_of, learned, frozenset(kinds)).through(await around(journal, run))


async def as_it_was(journal: Journal, run: str, participants: Participants) -> Participants:
    """The participants with what a run has kept of each of them."""
    return kept.as_it_was(participants, RunState(run, journal), await around(journal, run))


async def changed(journal: Journal, run: str, present_of: PresentOf) -> str:
    """A warning, if a role that a run has asked would be asked in other words today. Empty if not."""
    found: dict[str, list[Comparison]] = {}
    for step in (await replay(journal, run, present_of, ("request",))).comparisons:
        if step.unknown:
            continue
        earlier = found.setdefault(step.role, [])
        if not any(_of_frame(one.part) for one in step.differences):
            earlier.clear()  # a run that was resumed may have asked in today's words
        else:
            earlier.append(step)
    told = [_told(steps[0]) for steps in found.values() if steps]
    if not told:
        return ""
    return f"Models are now asked in other words than before in this run. {'; '.join(told)}. `mmos runs resume {run} --as-it-was` keeps those from before."


def _told(step: Comparison) -> str:
    """Which role, since which turn, and what: the parts, without repetition."""
    parts = dict.fromkeys(one.part for one in step.differences if _of_frame(one.part))
    return f"{step.role}, since turn {step.turn} ({step.ask}): {', '.join(parts)}"


def _of_frame(part: str) -> bool:
    """Whether a part is the same in each turn."""
    return part != "request" and not part.startswith("message")


def present(config: Config, participants: Participants, limits: Limits) -> Present:
    """What a run with these participants would have today."""
    house = [tool.name for tool in wiring.tools_of_house(config, wiring.roles_of(config, None), Templates())]
    return Present.of(participants, limits, house, partial(whole_answer, participants.shape))
