"""Finds the text so far of a run that has no whole answer."""

from __future__ import annotations

from mmos.views.conversation import Conversation
from mmos.views.quality import is_aside
from mmos.views.run import RunView
from mmos.views.talks import Talk


def text_so_far(view: RunView, conversation: Conversation) -> str | None:
    """The text of the role that answers. If there is none, the specialists' answers, and what their conversations came to. `conversation` has at least the lanes of the run."""
    lane = conversation.roots.get(view.run)
    other = conversation.lanes.get((view.run, view.speaker)) if view.speaker != view.lane else None
    text = view.partial_texts.get(view.speaker) or (other.newest_text() if other else "")
    text = text or view.partial_texts.get(view.lane) or (lane.newest_text() if lane else "")
    if text:
        return text
    talks = {talk.opened.call: talk for talk in view.talks.by_id.values()}
    opened = [event for events in view.lanes.values() for event in events if event.call not in talks and not is_aside(event.lane)]
    lanes = [conversation.lanes[view.run, event.lane] for event in opened if event.parent == view.lane]
    answers = [f"{inner.role}:\n{inner.newest_text()}" for inner in lanes if inner.newest_text()]
    return "\n\n".join([*answers, *filter(None, map(_of_talk, talks.values()))]) or None


def _of_talk(talk: Talk) -> str:
    """The verdict of a conversation. Without one, what each participant wrote last, as it was passed on. What the arbiter thought before it is no answer."""
    if talk.closed is not None and talk.closed.verdict:
        return f"{talk.opened.arbiter}:\n{talk.closed.verdict}"
    newest = {said.sent.sender: said.text for said in talk.messages if not said.dropped}
    return "\n\n".join(f"{name}:\n{text}" for name, text in newest.items())
