"""Holds a talk in which the participants write to each other: first each alone, then in rounds of critique."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from mmos.context import Halt
from mmos.conversing.closing import concluded, own_verdict
from mmos.conversing.deciding import chosen
from mmos.conversing.order import addressed, agree, has_progress
from mmos.conversing.reading import message_line, notes, unread
from mmos.conversing.speaking import Speech, speech_of
from mmos.conversing.spending import is_spent
from mmos.conversing.table import Table
from mmos.conversing.terms import FAULTS
from mmos.fences import Fenced
from mmos.messages import Message
from mmos.talk_events import ConclusionProposed, Ended, TalkClosed


@dataclass
class Direct:
    """A talk in direct mode while it goes on."""

    table: Table
    active: list[str]
    """Who still takes part."""
    accepted: ConclusionProposed | None = field(default=None, init=False)
    """The verdict with which it ends."""

    @classmethod
    async def hold(cls, table: Table) -> TalkClosed:
        """Hold the talk from its beginning, or go on with it."""
        talk = cls(table, list(table.opened.participants))
        own = await talk._answer_alone()
        if not talk.active:
            return table.close(TalkClosed(table.opened.talk, "failed", own_verdict=own))
        ended = await talk._criticise()
        return table.close(await concluded(table, ended, own, talk.accepted))

    # ---------------------------------------------------------------- round 0

    async def _answer_alone(self) -> str:
        """Let everybody answer before reading the others. Returns the verdict of the arbiter, which has read nothing either."""
        table = self.table
        texts = {name: self._first_words(name) for name in self.active}
        own, *speeches = await side_by_side(own_verdict(table), *(self._speech(name, text, 0) for name, text in texts.items()))
        for name, speech in zip(texts, speeches, strict=True):
            if speech is None:
                self.active.remove(name)
            else:
                await self._pass_on(name, speech, 0)
        return str(own)

    def _first_words(self, name: str) -> Message:
        table, templates = self.table, self.table.terms.texts_for(name)
        others = ", ".join(other for other in table.opened.participants if other != name)
        goal = Fenced(templates.fill("talk_goal", goal=table.opened.goal) + "\n") if table.opened.goal else ""
        text = templates.fill("talk_first", name=name, others=others, task=table.context.told.content, topic=table.opened.topic, goal=goal)
        return Message("user", "\n\n".join(filter(None, (table.history(name), text))), files=table.context.told.files)

    # ---------------------------------------------------------------- rounds of critique

    async def _criticise(self) -> Ended:
        """Let everybody criticise the others, in a limited number of rounds. Returns why it ended."""
        table = self.table
        for round_ in range(1, table.opened.max_rounds + 1):
            if len(self.active) < 2:
                break
            if not await self._round(round_):
                return "verdict" if self.accepted else "budget"
            if agree(table.talk, self.active, round_):
                return "agreement"
            if not has_progress(table.talk, round_, table.scope.view.finished_calls.values()):
                return "no_progress"
        return "verdict"

    async def _round(self, round_: int) -> bool:
        """Give everybody a turn. False: the talk ended before."""
        waiting = list(self.active)
        begun = [key.rpartition("-")[0] for key in self.table.begun({f"{name}-{round_}" for name in waiting})]
        while waiting:
            known = next((name for name in begun if name in waiting), None)  # a talk that goes on keeps its order
            if known is None and (not self.table.turns_left or is_spent(self.table.scope, 2)):
                return False
            name = known or await self._next(waiting, round_)
            waiting.remove(name)
            await self._turn(name, round_)
            if self.accepted:
                return False
        return True

    async def _next(self, waiting: list[str], round_: int) -> str:
        """By address. If several are addressed, the arbiter chooses. If nobody is, each round goes the other way than the one before: the model that wrote last is still in memory."""
        names = addressed(self.table.talk, waiting, round_) or [waiting[-1 if round_ % 2 else 0]]
        if len(names) < 2:
            return names[0]
        return await chosen(self.table, names, f"next-{round_}-{len(waiting)}")

    async def _turn(self, name: str, round_: int) -> None:
        speech = await self._speech(name, Message("user", self._words(name)), round_)
        if speech is None:
            self.active.remove(name)
        else:
            await self._pass_on(name, speech, round_)

    def _words(self, name: str) -> str:
        """What a participant reads before its next message. The topic comes last, because a small model forgets what is far above."""
        table, templates = self.table, self.table.terms.texts_for(name)
        lines = [message_line(templates, said) for said in unread(table, name)] or [Fenced(templates.fill("talk_no_message"))]
        read = Fenced("\n\n".join([*lines, *notes(table, name)]))
        return templates.fill("talk_next", messages=read, topic=table.opened.topic)

    # ---------------------------------------------------------------- both

    async def _speech(self, name: str, message: Message, round_: int) -> Speech | None:
        """What a participant writes. None: it cannot go on, and the talk goes on without it."""
        try:
            return await speech_of(self.table, name, message, round_)
        except FAULTS as error:
            self.table.scope.warn_once(f"{name} leaves the conversation", error.message)
            return None

    async def _pass_on(self, name: str, speech: Speech, round_: int) -> None:
        """Send what a participant wrote. A conclusion that does not end the talk is a message to all."""
        table, conclusion = self.table, speech.conclusion
        if conclusion is not None and round_:
            proposed = await table.propose(name, conclusion.verdict, conclusion.reasons, conclusion.dissent)
            self.accepted = proposed if proposed.accepted else None
        if self.accepted is None:
            await table.send(speech.message)


async def side_by_side(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    """The results of all. What ends or pauses the run is raised when all of them are done, so that nothing is lost."""
    results = await asyncio.gather(*work, return_exceptions=True)
    faults = [result for result in results if isinstance(result, BaseException)]
    for fault in sorted(faults, key=lambda one: not isinstance(one, Halt)):
        raise fault
    return list(results)
