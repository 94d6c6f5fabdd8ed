"""Lets the user write to a conversation of models that is going on, also to one in another process."""

from __future__ import annotations

from mmos.errors import NotFound, UsageError
from mmos.events import Entry, Event
from mmos.journal import Journal
from mmos.messages import clean
from mmos.talk_events import TalkSteered
from mmos.views.listing import RUN_KINDS
from mmos.views.run import RunView
from mmos.views.talks import Talk

STEERING_KINDS = (*RUN_KINDS, "talk_opened", "message_sent", "talk_steered", "talk_closed")
LONGEST = 20_000
"""Characters of one text."""


async def steer(journal: Journal, run: str, text: str) -> Entry:
    """Record what the user writes to the newest conversation of a run that goes on. The process that works on the run reads it."""
    text = clean(text).strip()
    if not text:
        raise UsageError("The text to the conversation is empty.", next_step="Write what the models should know.")
    if len(text) > LONGEST:
        raise UsageError(f"The text to the conversation has {len(text):,} characters; {LONGEST:,} are allowed.", next_step="Write less.")

    def choose(entries: list[Entry]) -> list[tuple[str, str, Event]]:
        if not entries:
            raise NotFound(f"Run {run} has been deleted.")
        talk = _open_talk(RunView.of(entries), run)
        return [(run, entries[0].thread, TalkSteered(talk.opened.talk, text, max(talk.sent, default=0)))]

    (entry,) = await journal.decide(STEERING_KINDS, choose, run=run)
    return entry


def _open_talk(view: RunView, run: str) -> Talk:
    going_on = [talk for talk in view.talks.by_id.values() if talk.closed is None]
    if view.status in ("answered", "partial") or not going_on:
        state = "was answered before" if view.status == "answered" else "has no conversation of models that goes on"
        raise UsageError(f"Run {run} {state}, so nobody would read the text.", next_step=f"See mmos runs show {run}.")
    return going_on[-1]
