"""Finds what somebody in a talk knows and the others were not given: secrets of its own thread, and how full its window is."""

from __future__ import annotations

from collections.abc import Iterator

from mmos.conversing.place import Place
from mmos.conversing.secrets import secrets_in
from mmos.prompting.budget import weigh


def secrets_of(place: Place, name: str, lane: str) -> set[str]:
    """The secrets that a participant has read in its thread with the user, or in this talk, and that somebody else in the talk has not read."""
    own = {secret for text in _read_by(place, name, lane) for secret in secrets_in(text)}
    if not own:
        return own
    others = ["\n".join(_read_by(place, other, "")) for other in place.opened.participants if other != name]
    return {secret for secret in own if secret not in place.context.task and not all(secret in text for text in others)}


def _read_by(place: Place, name: str, lane: str) -> Iterator[str]:
    scope = place.scope
    histories = scope.conversation.histories
    for memory in ("thread", place.memory):
        if (history := histories.get((memory, name))) is not None:
            yield from (message.content for message in history.messages)
    if (exchange := scope.conversation.lanes.get((scope.run, lane))) is not None:
        yield from (message.content for message in exchange.messages)


def shares(place: Place) -> dict[str, float]:
    """Which share of its window each participant has used for this talk, by estimate."""
    histories, windows = place.scope.conversation.histories, place.terms.windows
    used = {name: histories.get((place.memory, name)) for name in place.opened.participants}
    return {name: sum(map(weigh, one.messages)) / windows[name] for name, one in used.items() if one is not None and windows.get(name)}
