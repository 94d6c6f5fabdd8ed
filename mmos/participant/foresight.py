"""Tells the fleet which models will probably be asked next, so that they are loaded meanwhile: the key `fleet.warm_up`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from mmos.config.schema import WarmUp
from mmos.fleet.warmth import Warmth, Wish
from mmos.hosts.face import OnToken
from mmos.messages import ToolCall
from mmos.names import canonical
from mmos.participant.cast import Cast, Member
from mmos.placement.forecasting import Order
from mmos.scope import Scope

CHAT = "chat"
NOTHING: Mapping[str, float] = {}
SURE = 1.0
WRITTEN = 0.9
"""How likely a consultation is whose name the model has written. The call may still be unreadable, or a quotation."""
LIKELY = 0.3
"""A call that is only predicted must be at least so likely. An arbiter that always consults the same specialist once does so after every second reply."""
TAIL = 160
"""Characters of a reply in which a name is looked for. It comes in several pieces."""


class Foresight:
    """What runs and chats know of their next calls."""

    def __init__(self, warmth: Warmth, mode: WarmUp) -> None:
        self._warmth = warmth
        self._mode = mode

    def chat_begins(self, member: Member, cast: Cast) -> asyncio.Task[None] | None:
        """A user sits down and will ask this member. Returns the task that asks the hosts what they hold. None: there is nothing to load."""
        if not self._mode:
            return None
        sure = [*filter(self._warmth.pins, (_wish(other, SURE) for other in cast.values())), _wish(member, SURE)]
        if self._mode == "predict":
            return self._warmth.foresee(CHAT, lambda: [*sure, *self._predicted(member, cast, usual=self._warmth.at_this_hour())])
        return self._warmth.foresee(CHAT, lambda: sure)

    def chat_ends(self) -> None:
        self._warmth.forget(CHAT)

    # ---------------------------------------------------------------- runs

    async def order(self, members: Iterable[Member], joiner: str) -> Order:
        """When a model should be asked that is asked once more when all of these have answered."""
        return await self._warmth.order([_wish(member, SURE) for member in members], joiner)

    @property
    def looks_ahead(self) -> bool:
        return bool(self._mode) and self._warmth.has_choices

    def predicted(self, member: Member, cast: Cast) -> list[Wish]:
        """The roles that will more likely be asked after a member than not."""
        return self._predicted(member, cast) if self._mode == "predict" else []

    def _predicted(self, member: Member, cast: Cast, usual: Mapping[str, float] = NOTHING) -> list[Wish]:
        after = self._warmth.after(member.role.model)
        chances = [(other, canonical(other.role.model)) for other in cast.values() if other is not member]
        wishes = [_wish(other, max(after.get(model, 0.0), usual.get(model, 0.0))) for other, model in chances]
        return [wish for wish in wishes if wish.chance > LIKELY]

    def calls_run(self, scope: Scope, member: Member, cast: Cast, calls: Iterable[ToolCall]) -> None:
        """The calls of a member run. Then it is asked again, and the load of a specialist may have pushed its model out."""
        if not self.looks_ahead:
            return
        asked = [cast[name] for call in calls if (name := _consulted(call)) in cast]
        if all(self._warmth.is_there(_wish(other, SURE)) for other in asked):
            self.expect(scope, [])
        else:
            self._warmth.foresee(_job(scope), lambda: [_wish(member, SURE)])

    def turns(self, scope: Scope, member: Member, cast: Cast) -> Turns | None:
        """What to expect while a member is asked. None: nothing."""
        return Turns(self, scope, member, cast) if member.consults or self._mode == "predict" else None

    def ends(self, scope: Scope) -> None:
        """A member has answered in a lane."""
        self._warmth.forget(_job(scope))

    def expect(self, scope: Scope, wishes: Iterable[Wish]) -> None:
        self._warmth.expect(_job(scope), list(wishes))


@dataclass(frozen=True)
class Turns:
    """The turns of a member in a lane: whom it will consult, as far as that is known before its reply is whole."""

    foresight: Foresight
    scope: Scope
    member: Member
    cast: Cast

    def placed(self) -> None:
        """The model is asked. One that must consult first will ask some of its specialists."""
        if not self.foresight.looks_ahead:
            return
        first = self.member.first
        least, roles = 0 if first is None or self.scope.exchange.turns else first.least, self._specialists
        wishes = [_wish(role, min(SURE, least / len(roles))) for role in roles.values()] if least else []
        self.foresight.expect(self.scope, [*wishes, *self.foresight.predicted(self.member, self.cast)])

    def spotting(self, on_token: OnToken) -> OnToken:
        """Look for consultations in the pieces of a reply: their models can be loaded while the model still writes."""
        roles = self._specialists
        if not roles or not self.foresight.looks_ahead:
            return on_token
        pattern, found, tail = _consultations(tuple(roles)), dict[str, Wish](), ""

        def take(piece: str) -> None:
            nonlocal tail
            on_token(piece)
            tail = (tail + piece)[-TAIL:]
            if "specialist" not in tail:  # nearly always
                return
            for one in pattern.finditer(tail):
                name = one[1] or one[2]
                if name not in found:
                    found[name] = _wish(roles[name], WRITTEN)
                    self.foresight.expect(self.scope, found.values())

        return take

    @cached_property
    def _specialists(self) -> dict[str, Member]:
        return {name: self.cast[name] for name in self.member.consults if name in self.cast}


def _job(scope: Scope) -> str:
    return f"{scope.run}/{scope.lane}"


def _wish(member: Member, chance: float) -> Wish:
    role = member.role
    return Wish(role.model, role.servers, role.window, role.options, chance)


def _consulted(call: ToolCall) -> str:
    """The role that a call consults. Empty: it does something else."""
    argument = {"consult_specialist": "specialist", "hand_over": "role"}.get(call.name, "")
    one = call.arguments.get(argument)
    return one if isinstance(one, str) else call.name.removeprefix("consult_").removesuffix("_specialist")


@lru_cache(maxsize=16)
def _consultations(names: tuple[str, ...]) -> re.Pattern[str]:
    """The calls that consult one of these roles, as models write them."""
    any_of = "|".join(map(re.escape, names))
    return re.compile(rf'consult_({any_of})_specialist|"specialist"\s*:\s*"({any_of})"')
