"""Plans how a task is read in parts: which parts, how long their notes may be, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mmos.chunk_events import TaskDivided, Way
from mmos.chunking.asked import Asked, Text, asked_of, way_of
from mmos.errors import LimitReached
from mmos.messages import Message
from mmos.participant.loop import Exchange
from mmos.plurals import counted
from mmos.prompting.budget import MARGIN, USUAL, count_message, estimate, tokens_of, weigh
from mmos.prompting.chunks import Part, split
from mmos.prompting.compose import REPLY_SHARE
from mmos.prompting.templates import Templates
from mmos.scope import Scope

LEAST_REPLY = 1024
"""A task that leaves less of a large window for the answer counts as too large."""
AROUND_PART = 320
"""Tokens of what MMOS writes around a part, and of the system text."""
CARRIED = 160
"""Tokens of what goes on from one part to the next, when parts are written anew."""
REWRITTEN_SHARE = 0.42
"""The share of the room that a part may have when as much is written. A translation may have more tokens than its original."""
SHOWN_END = 80
"""Tokens of the beginning and of the end of a task that every reader sees, if the task does not say clearly what is wanted."""
LEAST_PART = 48
"""With less room for each part, reading in parts makes no sense."""

Slots = Callable[[str, tuple[str, ...]], int]
"""How many requests for a model its servers serve at the same time."""


@dataclass(frozen=True)
class Piece:
    """What is read at once: a part of one text, or several short texts."""

    number: int
    of: int
    parts: tuple[tuple[str, Part], ...]
    """Each with the name of its text."""

    @property
    def place(self) -> str:
        """`part 3 of 12, section Costs`"""
        path = next((part.path for _, part in self.parts if part.path), ())
        names = ", ".join(dict.fromkeys(name for name, _ in self.parts if name))
        return f"part {self.number} of {self.of}" + (f", {names}" if names else "") + (f", section {' > '.join(path)}" if path else "")

    @property
    def text(self) -> str:
        if len(self.parts) == 1:
            return self.parts[0][1].text
        return "\n\n".join(f"{name}:\n{part.text}" if name else part.text for name, part in self.parts)


@dataclass(frozen=True)
class Sizes:
    """How many tokens there are for what, by the estimate that knows no model."""

    window: float
    around: float
    """What a participant reads beside its task: the system text and the tools."""

    @property
    def reply(self) -> float:
        return self.window * REPLY_SHARE

    @property
    def room(self) -> float:
        """For the message of a part."""
        return (self.window - self.reply) / MARGIN

    @property
    def final(self) -> float:
        """For the message that stands in place of the task."""
        return max(self.window * 0.1, self.room - self.around)

    @property
    def note(self) -> float:
        """For the note on one part: at least two fit side by side."""
        return min(self.reply, self.final) / 2


@dataclass(frozen=True)
class Plan:
    """The parts of a task and their sizes."""

    asked: Asked
    divided: TaskDivided
    sizes: Sizes
    factor: float
    """Tokens of this model for each estimated one."""

    @cached_property
    def pieces(self) -> list[Piece]:
        return pieces_of(self.asked.texts, self.divided.budget)

    def tokens(self, weight: float) -> int:
        return int(weight * self.factor) + 1


def sizes_of(exchange: Exchange) -> Sizes:
    member, experience = exchange.member, exchange.room.experience
    role = member.role
    frame = member.offer("tools", member.box, role.window).frame
    around = tokens_of(USUAL, frame.overhead) + weigh(frame.system)
    return Sizes(experience.window(role.model, role.window) / factor_of(exchange), around)


def factor_of(exchange: Exchange) -> float:
    """The tokens of the role's model for each estimated one, in a text such as the task."""
    counts = count_message(exchange.scope.exchange.messages[0])
    return exchange.room.experience.gauge.tokens(exchange.member.role.model, counts) / max(1.0, tokens_of(USUAL, counts))


def plan_of(exchange: Exchange, *, insist: bool = False) -> Plan | None:
    """How the task of an exchange is read in parts. None: it fits, or parts would not help. `insist`: a host says that it does not fit."""
    scope, role = exchange.scope, exchange.member.role
    sizes, message = sizes_of(exchange), scope.exchange.messages[0]
    factor, weight = factor_of(exchange), weigh(message)
    if not insist and sizes.around + weight <= sizes.window - min(sizes.reply, LEAST_REPLY):
        return None
    found = asked_of(message, sizes.window * 0.2)
    asked = replace(found, request=found.request or unasked(found.texts, exchange.member.templates))
    known = scope.view.divisions.by_lane.get(scope.lane)
    if known is not None:
        return Plan(asked, known.divided, sizes, factor)
    way, why = way_of(found.request, shaped=exchange.shape is not None)
    budget = _budget(way, sizes, asked.request)
    if min(budget, sizes.room - sizes.around - estimate(asked.request)) < LEAST_PART:
        return None
    divided = TaskDivided(scope.lane, role.name, 0, way, why, int(weight * factor), int(sizes.window * factor), round(budget, 1))
    plan = Plan(asked, divided, sizes, factor)
    return None if len(plan.pieces) < 2 else replace(plan, divided=replace(divided, parts=len(plan.pieces)))


def unasked(texts: Sequence[Text], templates: Templates) -> str:
    """The request of a task that is only a text. Readers see how it begins and ends, because it may say there what is wanted."""
    first, last = texts[0].text.strip(), texts[-1].text.strip()
    beginning = first[: int(len(first) * min(1.0, SHOWN_END / (estimate(first) + 1)))]
    end = last[-max(1, int(len(last) * min(1.0, SHOWN_END / (estimate(last) + 1)))) :]
    return templates.fill("part_unasked", beginning=beginning, end=end)


def _budget(way: Way, sizes: Sizes, request: str) -> float:
    """The most tokens of a part, beside the request and what a reader writes."""
    if way == "rewritten":
        return (sizes.window / MARGIN - AROUND_PART - CARRIED - estimate(request)) * REWRITTEN_SHARE
    free = sizes.room - AROUND_PART - estimate(request)
    return free - sizes.note if way == "followed" else free


def pieces_of(texts: Sequence[Text], budget: float) -> list[Piece]:
    """The parts of the texts. Short neighbours are read together."""
    groups: list[list[tuple[str, Part]]] = []
    size = 0.0
    for text in texts:
        for part in split(text.text, budget):
            weight = estimate(part.text) + estimate(text.name) + 4
            if groups and size + weight <= budget and (part.of == 1 or part.number > 1):
                groups[-1].append((text.name, part))
                size += weight
            else:
                groups.append([(text.name, part)])
                size = weight
    return [Piece(number, len(groups), tuple(group)) for number, group in enumerate(groups, 1)]


def check_limits(scope: Scope, plan: Plan) -> None:
    """Raise, before anything is asked, when the limits of the run do not allow to read all parts."""
    parts, limits, view = len(plan.pieces), scope.limits, scope.view
    needed = parts + 1
    about = f"The task has about {counted(plan.divided.tokens, 'token')}, and {scope.role} reads it in {counted(parts, 'part')}."
    if limits.total_turns is not None and limits.total_turns - view.requests < needed:
        total = view.requests + needed + parts // 4
        raise LimitReached(
            f"{about} That takes {counted(needed, 'request')} to models, and the run may send {limits.total_turns - view.requests:,} more.",
            limit="limit_total_turns",
            next_step=f"Allow more with --max-turns {total}, or raise limits.total_turns in the configuration.",
        )
    tokens = plan.tokens(sum(weigh(Message("user", piece.text)) for piece in plan.pieces) + parts * AROUND_PART)
    if limits.tokens is not None and limits.tokens - view.tokens < tokens:
        raise LimitReached(
            f"{about} That takes about {counted(tokens, 'token')}, and the run may use {limits.tokens - view.tokens:,} more.",
            limit="limit_tokens",
            next_step=f"Raise limits.tokens in the configuration to {view.tokens + 2 * tokens}, or give a shorter text.",
        )
