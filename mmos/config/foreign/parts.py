"""Reads the parts that files of several tools have in common."""

from __future__ import annotations

from mmos.config.capabilities import CAPABILITIES
from mmos.config.capabilities import spelled as capability
from mmos.config.foreign.draft import Part, spelled
from mmos.config.foreign.words import CHOICES, VOTINGS
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


def voting_of(part: Part) -> tuple[str, str]:
    """How votes are counted, or the aggregate that works without counting. Empty: the file does not say it."""
    counts = {word: (count, "") for word, count in VOTINGS.items()}
    choices = {word: ("", aggregate) for word, aggregate in CHOICES.items()}
    return part.one_of({**counts, **choices}) or ("", "")


def without_votes(shape: str, voting: Part) -> str:
    """The shape of a pattern. Where nobody counts votes, voting is an ensemble."""
    return "ensemble" if shape == "voting" and voting and spelled(str(voting.value)) in CHOICES else shape


def weights(part: Part, pattern: str, members: str) -> None:
    """A list with a weight for each member. `members`: what the tool calls one."""
    count = len(part.draft.data["patterns"][pattern]["models"])
    if part and count and len(part.entries()) != count:
        part.complain(f"found {counted(len(part.entries()), 'weight')} for {counted(count, members)}, allowed: one weight for each")
    if len(part.entries()) != count:
        return
    for index, weight in enumerate(part.entries()):
        weight.copy(("patterns", pattern, "models", index), "weight")
