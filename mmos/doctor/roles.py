"""Checks whether a model suits its role: by its capabilities, its size and its fitness card from `mmos models test`."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from mmos.config.roles import ResolvedRole
from mmos.config.survey import billions
from mmos.doctor.facts import Facts
from mmos.doctor.findings import Finding, error, info, warning
from mmos.doctor.tools import holds_tools
from mmos.fitness.card import FIT_ARBITER, FIT_INTERPRETER, Card, Marks
from mmos.fleet.survey import HostState

INTERPRETER = "interpreter"
_SMALL_BILLIONS = 3.0
"""Below it models hold several tools badly."""


def suitable(facts: Facts) -> Iterator[Finding]:
    for role in facts.choices:
        able = facts.capabilities(role)
        if able is None:
            continue
        if "completion" not in able:
            what = "makes embeddings and does not answer" if "embedding" in able else "is no model that answers"
            yield error("model_cannot_chat", role.name, f"{role.model} {what}.", f"Name another model for {role.name}; mmos models list shows what each can do.")  # fmt: skip
            continue
        yield from _calls(role, able)
        yield from _thinks(facts, role, able)


def _calls(role: ResolvedRole, able: frozenset[str]) -> Iterator[Finding]:
    if role.channel == "tools" and "tools" not in able:
        yield error("model_lacks_tools", role.name, f"Its channel is tools, and {role.model} cannot be offered any.", f"Leave channel out for {role.name}, or write channel: schema.")  # fmt: skip
    elif role.name == "arbiter" and "tools" not in able and role.channel is None:
        yield info("role_led_by_schema", role.name, f"{role.model} cannot use tools, so MMOS uses a JSON schema. This works, but short answers are a little slower.", "A model whose capabilities include tools is more reliable: mmos models list")  # fmt: skip


def _thinks(facts: Facts, role: ResolvedRole, able: frozenset[str]) -> Iterator[Finding]:
    if role.think and "thinking" not in able:
        yield error(
            "model_lacks_thinking", role.name, f"`think` is set, but {role.model} cannot think.", f"Leave think out for {role.name}."
        )
    if "thinking" not in able or role.think is not None:
        return
    if facts.channel(role) == "schema" or role.name == INTERPRETER:
        yield warning("role_thinks", role.name, f"{role.model} thinks before each answer by default. With a schema this costs a second pass, and answers may be empty.", f"Write think: false for {role.name}.")  # fmt: skip
    elif role.name == "arbiter":
        yield info("role_thinks", role.name, f"{role.model} thinks before each turn by default. This is slower, and seldom needed to choose a tool.", "Write think: false for the arbiter if it takes too long.")  # fmt: skip


def sized(facts: Facts) -> Iterator[Finding]:
    for role in facts.roles.values():
        if "functiongemma" in role.model.lower() and role.name != INTERPRETER:
            yield warning("interpreter_misplaced", role.name, f"{role.model} is made for one simple call at a time. It cannot hold a conversation or explain anything.", f"Give {role.name} a model that chats, and {role.model} the role interpreter.")  # fmt: skip
        elif role.name == "arbiter" and (size := _billions(facts, role)) and size < _SMALL_BILLIONS:
            yield (info if role.channel == "schema" else warning)("role_too_small", role.name, f"{role.model} has {size:.2g} billion parameters: models below {_SMALL_BILLIONS:g} billion are bad at choosing among several tools.", _larger(role))  # fmt: skip


def _larger(role: ResolvedRole) -> str:
    best = "A model of 7 to 14 billion suits the arbiter best"
    return f"{best}." if role.channel == "schema" else f"{best}. Or write consult: one and channel: schema for it."


def _billions(facts: Facts, role: ResolvedRole) -> float:
    """The parameters that the first host reports. 0: no host does."""
    return next(filter(None, (billions(found.parameters) for _, found in facts.listed(role))), 0.0)


# ---------------------------------------------------------------- fitness cards

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
    verdict = facts.verdict(role)
    if role.channel is None and verdict is not None and verdict.channel != facts.able(role):
        yield info(
            "channel_measured", role.name,
            f"{role.model} is offered tools by {_WORDS[verdict.channel]}: {verdict.why}.",
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
