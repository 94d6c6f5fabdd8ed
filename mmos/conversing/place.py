"""Defines the place of a talk in a run: what has been said, and how those who take part are asked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from mmos.context import Answer, Context, Question
from mmos.conversing.terms import Terms
from mmos.messages import Message
from mmos.scope import Scope
from mmos.talk_events import TalkOpened
from mmos.views.talks import Said, Talk

HISTORY = 0.4
"""The most of a window that the user's thread takes."""
FEW_TURNS = 3
"""Turns of the arbiter for one decision: it may correct a call that does not fit."""


@dataclass(frozen=True)
class Place:
    """One talk, as the call that opened it sees it."""

    context: Context
    terms: Terms
    opened: TalkOpened

    @property
    def scope(self) -> Scope:
        return self.context.scope

    @property
    def talk(self) -> Talk:
        """What has been said so far."""
        return self.scope.view.talks.by_id[self.opened.talk]

    @property
    def memory(self) -> str:
        """What all who take part remember: their own exchanges in this talk."""
        return f"conversation:{self.context.effect_id}"

    @property
    def turns_left(self) -> int:
        """How many messages may still be written."""
        return max(0, self.opened.max_turns - len(self.talk.sent))

    def history(self, name: str) -> str:
        """What was said in the user's thread before, for a participant. Empty: nothing, or the talk goes on without it."""
        if not self.opened.history:
            return ""
        from mmos.retelling import history_for  # few talks have it

        return history_for(self.scope, self.terms.templates, tokens=HISTORY * self.terms.windows[name])

    def said(self, number: int) -> Said:
        return Said(self.talk.sent[number], self.talk.reviews.get(number))

    def written(self, answer: Answer) -> str:
        """What somebody wrote in an answer. Of one that a limit stopped, only its own words count."""
        if answer.complete:
            return answer.text.strip()
        lane = self.scope.conversation.lanes.get((self.scope.run, answer.lane))
        return lane.newest_text().strip() if lane is not None else ""

    def begun(self, keys: Collection[str]) -> list[str]:
        """Those of these questions that have been asked already, in the order in which that began."""
        opened = (one.key.partition("~")[0].partition("@")[0] for one in self.scope.view.lanes.get(self.context.call, ()))
        return [key for key in dict.fromkeys(opened) if key in keys]

    async def ask(self, question: Question) -> Answer:
        """Ask somebody who takes part. Unless the question says otherwise, the memory is that of the talk."""
        return await self.context.put(question if question.memory else replace(question, memory=self.memory))

    def to_arbiter(self, text: str, key: str, *tools: object, memory: str = "none") -> Question:
        """A question to the arbiter, which has few turns for it. With tools, it must call one of them."""
        message = Message("user", text)
        return Question(self.terms.arbiter, message, key, memory=memory, tools=tools, must_call=bool(tools), turns=FEW_TURNS)
