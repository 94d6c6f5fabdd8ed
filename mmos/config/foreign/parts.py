"""Reads the parts that files of several tools have in common."""

from __future__ import annotations

from mmos.config.capabilities import CAPABILITIES
from mmos.config.capabilities import spelled as capability
from mmos.config.foreign.draft import Part
from mmos.config.wording import Place
from mmos.plurals import counted


def capabilities(part: Part, place: Place) -> None:
    """What a model is good at. Words that MMOS does not know are left out."""
    known = []
    for entry in part.entries():
        if (word := capability(entry.text())) in CAPABILITIES:
            known.append(word)
        else:
            entry.note(f"'{word}' is no capability that MMOS knows, so it is left out. Known: {', '.join(CAPABILITIES)}")
    if known:
        part.draft.put((*place, "capabilities"), known, part)


def weights(part: Part, pattern: str, members: str) -> None:
    """A list with a weight for each member. `members`: what the tool calls one."""
    count = len(part.draft.data["patterns"][pattern]["models"])
    if part and count and len(part.entries()) != count:
        part.complain(f"found {counted(len(part.entries()), 'weight')} for {counted(count, members)}, allowed: one weight for each")
    if len(part.entries()) != count:
        return
    for index, weight in enumerate(part.entries()):
        weight.copy(("patterns", pattern, "models", index), "weight")
