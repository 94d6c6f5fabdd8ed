"""Finds what somebody in a talk knows and the others were not given: secrets of its own thread, and how full its window is."""

from __future__ import annotations

from collections.abc import Iterator

from mmos.conversing.place import Place
from mmos.diagnosis.masking import keys
from mmos.messages import Message
from mmos.prompting.budget import weigh


def secrets_of(place: Place, name: str, lane: str) -> set[str]:
    """The keys and passwords in what a participant has read: in its thread with the user, and in its exchange of this talk."""
    texts = [message.content for message in _read_by(place, name, lane)]
    return {text[start:end] for text in texts for start, end in keys(text)}


def _read_by(place: Place, name: str, lane: str) -> Iterator[Message]:
    scope = place.scope
    histories = scope.conversation.histories
    for memory in ("thread", place.memory):
        if (history := histories.get((memory, name))) is not None:
            yield from history.messages
    if (exchange := scope.conversation.lanes.get((scope.run, lane))) is not None:
        yield from exchange.messages


def shares(place: Place) -> dict[str, float]:
    """Which share of its window each participant has used for this talk, by estimate."""
    histories, windows = place.scope.conversation.histories, place.terms.windows
    used = {name: histories.get((place.memory, name)) for name in place.opened.participants}
    return {name: sum(map(weigh, one.messages)) / windows[name] for name, one in used.items() if one is not None and windows.get(name)}
