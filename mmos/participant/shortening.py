"""Makes room in a prompt that does not fit its window, step by step, before anything is left out of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

import orjson

from mmos.errors import WindowExceeded
from mmos.fences import fenced
from mmos.messages import Message
from mmos.participant.cast import Asking
from mmos.participant.composing import Composed, Composer
from mmos.participant.excess import Excess
from mmos.participant.eyes import Sight
from mmos.participant.summarising import summarise
from mmos.prompting.budget import count
from mmos.toolbox import render
from mmos.window_events import Cut, MessagesShortened

SAVED = 0.1
"""A step is taken if it saves at least this share of the window. Each one changes the beginning of the prompt, which the host then reads anew."""
LONG = 800
"""A tool result with more characters becomes a reference."""
SHOWN = 300
"""Characters of such a result that stay in the prompt."""


@dataclass(frozen=True)
class Shortening(Excess):
    """The steps that make a prompt shorter."""

    # ---------------------------------------------------------------- the steps

    async def give_fewer_passages(self) -> bool:
        """Give only the best passages of the library, if the rest fits then. The beginning of the prompt stays as it is."""
        for number in range(self.composer.passages - 1, 0, -1):
            shorter = replace(self, space=self.composer.with_passages(self.space, number))
            if shorter.fits():
                self.composer.give_passages(number)
                return True
        return False

    async def drop_reasoning(self) -> bool:
        """Leave out what specialists thought on the way to their answers."""
        past, current = (_changed(places, _without_reasoning) for places in (self._past(), self._current()))
        return self._take("reasoning", past, current)

    async def refer_to_past_results(self) -> bool:
        return self._refer(self._past(), past=True)

    async def refer_to_own_results(self) -> bool:
        return self._refer(self._current(), past=False)

    async def summarise(self) -> bool:
        return await summarise(self)

    def _past(self) -> list[tuple[int, Message]]:
        """The messages of ended exchanges that are in the prompt, with their places in the history."""
        history = self.lane.history
        start, end = history.place(history.skipped), history.place(self.lane.past)
        return list(enumerate(history.messages[start:end], start))

    def _current(self) -> list[tuple[int, Message]]:
        """The messages of this exchange before the newest calls, with their places. What came after them is needed now."""
        messages = self.lane.messages
        newest = next((place for place in range(len(messages) - 1, -1, -1) if messages[place].calls), 0)
        return list(enumerate(messages[:newest]))

    def _refer(self, places: Iterable[tuple[int, Message]], *, past: bool) -> bool:
        """Keep long results as artifacts, and put references in their place."""
        long = {place: message.content for place, message in places if message.role == "tool" and len(message.content) > LONG}
        saved = sum(self.tokens(count(text[SHOWN:])) for text in long.values())
        if not long or saved < SAVED * self.space.window:
            return False
        texts = {str(place): self._reference(text) for place, text in long.items()}
        return self._take("results", texts if past else {}, {} if past else texts)

    def _reference(self, text: str) -> str:
        artifact, beginning = self.composer.scope.keep("", text), fenced(text[:SHOWN])
        return self.composer.member.templates.fill("old_result", length=f"{len(text):,}", artifact=artifact, beginning=beginning)

    def _take(self, what: Cut, past: dict[str, str], current: dict[str, str]) -> bool:
        """Record the new texts, if they save enough."""
        scope, lane = self.composer.scope, self.lane
        pairs = [(lane.history.messages[int(place)], text) for place, text in past.items()]
        pairs += [(lane.messages[int(place)], text) for place, text in current.items()]
        saved = sum(self.tokens(count(message.content)) - self.tokens(count(text)) for message, text in pairs)
        if not pairs or (what == "reasoning" and saved < SAVED * self.space.window):
            return False
        before = self.length()
        scope.record(MessagesShortened(scope.lane, scope.role, what, past, current, before, int(before - saved)))
        return True


STEPS: tuple[Callable[[Shortening], Awaitable[bool]], ...] = (
    Shortening.give_fewer_passages,
    Shortening.drop_reasoning,
    Shortening.refer_to_past_results,
    Shortening.refer_to_own_results,
    Shortening.summarise,
)
"""What is tried, in this order. If all of it is not enough, the oldest exchanges are left out."""


async def shorten(composer: Composer, room: Asking, channel: str, sight: Sight) -> Composed:
    """The request of a turn whose prompt is too long as it is. Raises `WindowExceeded` if nothing helps."""
    for step in STEPS:
        shortening = Shortening(composer, room, composer.offer(channel, sight).frame, composer.space(sight))
        if await step(shortening) and (composed := _fitting(composer, channel, sight)) is not None:
            return composed
    last = Shortening(composer, room, composer.offer(channel, sight).frame, composer.space(sight))
    composed = _without_passages(last, channel, sight) if composer.passages else composer.compose(channel, sight)
    composer.leave_out(composed.plan)
    return composed


def _without_passages(shortening: Shortening, channel: str, sight: Sight) -> Composed:
    """The request without the oldest exchanges. What the conversation has too much then, passages of the library make room for."""
    composer = shortening.composer
    for number in range(composer.passages, -1, -1):
        plan = replace(shortening, space=composer.with_passages(shortening.space, number)).plan()
        if plan is not None and (not plan.tight or not number):
            composer.give_passages(number)
            break  # if there is none, the prompt is too long without them, and they are not what is wrong
    return composer.compose(channel, sight)


def _fitting(composer: Composer, channel: str, sight: Sight) -> Composed | None:
    try:
        composed = composer.compose(channel, sight)
    except WindowExceeded:
        return None
    return composed if composer.fits(composed.plan) else None


def _changed(places: Iterable[tuple[int, Message]], change: Callable[[Message], str | None]) -> dict[str, str]:
    changed = ((place, change(message)) for place, message in places)
    return {str(place): text for place, text in changed if text is not None}


def _without_reasoning(message: Message) -> str | None:
    """The answer of a specialist without its reasoning. None: there is none."""
    if message.role != "tool" or '"reasoning"' not in message.content:
        return None
    try:
        answer = orjson.loads(message.content)
    except orjson.JSONDecodeError:
        return None
    return render({**answer, "reasoning": ""}) if isinstance(answer, dict) and answer.get("reasoning") else None
