"""Checks the roles' models against their fitness cards from `mmos models test`."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from mmos.config.roles import ResolvedRole
from mmos.doctor.facts import Facts
from mmos.doctor.findings import Finding, info, warning
from mmos.doctor.probe import holds_tools
from mmos.doctor.roles import INTERPRETER
from mmos.fitness.card import FIT_ARBITER, FIT_INTERPRETER, Card, Marks
from mmos.fleet.survey import HostState

_WORDS = {"tools": "the host's own tool calls", "schema": "schema mode"}


def marked(facts: Facts) -> Iterator[Finding]:
    for path in facts.damaged_cards:
        yield warning("card_damaged", str(path), "This fitness card cannot be read, so it decides nothing.", "Try the model again: mmos models test MODEL. Or remove what is damaged: mmos models test --forget --all")  # fmt: skip
    for role in filter(holds_tools, facts.roles.values()):
        yield from _measured(facts, role)
        for state in facts.serving(role):
            trial = facts.trial(state, role.model)
            if trial is not None:
                yield from _unfit(state, role, trial.channels.get(facts.channel(role), Marks()))
                yield from _channel(state, role, trial)


def _measured(facts: Facts, role: ResolvedRole) -> Iterator[Finding]:
    """A trial that has changed how the model is spoken to."""
    tried = facts.verdict(role)
    if role.channel is None and tried is not None and tried.channel != facts.able(role):
        yield info(
            "channel_measured", role.name,
            f"{role.model} is offered tools by {_WORDS[tried.channel]}: {tried.why}.",
            f"To undo it: mmos models test --forget {quote(role.model)}, or write channel: {facts.able(role)} for {role.name}.",
        )  # fmt: skip


def _unfit(state: HostState, role: ResolvedRole, marks: Marks) -> Iterator[Finding]:
    """Its marks in the channel that it has."""
    if not marks.judged:
        return
    if role.name == "arbiter" and marks.score < FIT_ARBITER:
        yield warning(
            "model_unfit", role.name,
            f"In its trial on {state.name}, {role.model} did {marks.score:.0%} of the cases right; an arbiter should do {FIT_ARBITER:.0%}.",
            "Name another model for the arbiter; mmos models test MODEL shows how one would do.",
        )  # fmt: skip
    elif role.name == INTERPRETER and (share := marks.right / marks.cases) < FIT_INTERPRETER:
        yield info(
            "model_unfit", role.name,
            f"In its trial on {state.name}, {role.model} made {share:.0%} of the calls right; an interpreter should make {FIT_INTERPRETER:.0%}.",
            "Name another model for the interpreter; mmos models test MODEL shows how one would do.",
        )  # fmt: skip


def _channel(state: HostState, role: ResolvedRole, trial: Card) -> Iterator[Finding]:
    """A channel that the configuration insists on, though the other one served the model better."""
    if role.channel is None or trial.channel in (None, role.channel):
        return
    other = str(trial.channel)
    here, there = trial.channels.get(role.channel, Marks()), trial.channels[other]
    if here.judged and there.is_clearly_better(here):
        yield warning(
            "channel_worse", role.name,
            f"Its channel is {role.channel}, and in its trial on {state.name}, {role.model} did better by {_WORDS[other]}: {there.score:.0%} of the cases right, not {here.score:.0%}.",
            f"Write channel: {other} for {role.name}, or leave channel out.",
        )  # fmt: skip
