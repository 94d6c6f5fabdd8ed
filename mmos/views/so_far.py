"""Finds the text so far of a run that has no whole answer."""

from __future__ import annotations

from mmos.views.conversation import Conversation
from mmos.views.quality import is_aside
from mmos.views.run import RunView


def text_so_far(view: RunView, conversation: Conversation) -> str | None:
    """The text of the role that answers. If there is none, the specialists' answers. `conversation` has at least the lanes of the run."""
    lane = conversation.roots.get(view.run)
    other = conversation.lanes.get((view.run, view.speaker)) if view.speaker != view.lane else None
    text = view.partial_texts.get(view.speaker) or (other.newest_text() if other else "")
    text = text or view.partial_texts.get(view.lane) or (lane.newest_text() if lane else "")
    if text:
        return text
    lanes = [conversation.lanes[view.run, event.lane] for events in view.lanes.values() for event in events if not is_aside(event.lane)]
    answers = [f"{inner.role}:\n{inner.newest_text()}" for inner in lanes if inner.parent == view.lane and inner.newest_text()]
    return "\n\n".join(answers) or None
