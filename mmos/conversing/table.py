"""Defines the table of a talk: the only way to write into it. Each message is reviewed before anybody reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from mmos.context import Context
from mmos.conversing.deciding import decided
from mmos.conversing.guards import RULES, stopped
from mmos.conversing.health import found
from mmos.conversing.knowing import secrets_of, shares
from mmos.conversing.place import Place
from mmos.conversing.reviewing import reviewed
from mmos.conversing.terms import Terms
from mmos.talk_events import ConclusionProposed, MessageReviewed, MessageSent, TalkClosed, TalkOpened
from mmos.views.talks import Said


@dataclass(frozen=True)
class Table(Place):
    """One talk while it goes on. After a crash it records nothing that the journal has."""

    _one_by_one: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False, compare=False)

    @classmethod
    def open(cls, context: Context, terms: Terms, opened: TalkOpened) -> Table:
        """The table of the talk that this call opens. Its id is that of the call."""
        scope = context.scope
        opened = replace(opened, talk=context.effect_id.partition("/")[2], lane=scope.lane, call=context.call, arbiter=terms.arbiter.name)
        if opened.talk not in scope.view.talks.by_id:
            scope.record(opened)
        return cls(context, terms, scope.view.talks.by_id[opened.talk].opened)

    async def send(self, draft: MessageSent) -> Said:
        """Let rules and the arbiter review a message, and pass it on. The draft has no number yet."""
        async with self._one_by_one:
            sent = self._sent(draft)
            self._review_by_rules(sent)
            self._notice()
            if self.terms.reviews_all:
                await self._review_by_arbiter(self.said(sent.number))
            return self.said(sent.number)

    async def _review_by_arbiter(self, said: Said) -> None:
        """Let the arbiter review a message, also what rules left of it: a passage that they cut out hides nothing that stands beside it."""
        review = said.review
        if review is None:
            self.scope.record(await reviewed(self, said.sent))
        elif (review.by, review.action) == (RULES, "modify"):
            again = await reviewed(self, replace(said.sent, text=said.text, claims=said.claims))
            if again.action in ("modify", "drop"):  # otherwise the words that rules left stay as they are
                self.scope.record(again)

    def _sent(self, draft: MessageSent) -> MessageSent:
        """The message in the journal. One from the same lane with the same text is the same message."""
        for one in self.talk.sent.values():
            if (one.lane, one.sender, one.text) == (draft.lane, draft.sender, draft.text):
                return one
        sent = replace(draft, talk=self.opened.talk, number=max(self.talk.sent, default=0) + 1)
        self.scope.record(sent)
        return sent

    def _review_by_rules(self, sent: MessageSent) -> None:
        if sent.number in self.talk.reviews:
            return
        if (review := self._by_rules(sent)) is not None:
            self.scope.record(review)

    def _by_rules(self, sent: MessageSent) -> MessageReviewed | None:
        secrets = secrets_of(self, sent.sender, sent.lane)
        return stopped(self.talk, sent, roles=self.terms.participants, secrets=secrets, templates=self.terms.templates)

    def _notice(self) -> None:
        """Record what rules find in the talk. Who is asked next reads it."""
        for finding in found(self.talk, self.terms.templates, shares=shares(self)):
            self.scope.record(finding)

    async def propose(self, by: str, verdict: str, reasons: Iterable[str] = (), dissent: str = "") -> ConclusionProposed:
        """Let the arbiter decide whether the talk ends with a verdict. One that rules would stop as a message does not reach it."""
        earlier = next((one for one in self.talk.proposals if (one.by, one.verdict) == (by, verdict)), None)
        if earlier is not None:
            return earlier
        proposed = ConclusionProposed(self.opened.talk, by, verdict, tuple(reasons), dissent)
        draft = MessageSent(self.opened.talk, sender=by, text=verdict, claims=(*proposed.reasons, dissent))
        if (review := self._by_rules(draft)) is not None:
            proposed = replace(proposed, reason=review.reason)
        else:
            proposed = await decided(self, proposed)
        self.scope.record(proposed)
        return proposed

    def close(self, closed: TalkClosed) -> TalkClosed:
        """End the talk. It ends once."""
        if self.talk.closed is None:
            self.scope.record(replace(closed, talk=self.opened.talk))
        return self.talk.closed or closed
