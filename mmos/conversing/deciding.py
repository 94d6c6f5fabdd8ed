"""Lets the arbiter decide: whether a talk ends with a verdict, and who writes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mmos.conversing.place import Place
from mmos.conversing.reading import messages_of
from mmos.conversing.taking import spec_of, taken, taking
from mmos.conversing.terms import FAULTS
from mmos.talk_events import ConclusionProposed

DECIDE = "decide"
NEXT = "next_speaker"


async def decided(place: Place, proposed: ConclusionProposed) -> ConclusionProposed:
    """A proposal with the decision of the arbiter. If it cannot decide, the talk goes on."""
    templates = place.terms.templates
    text = templates.fill(
        "talk_proposal", topic=place.opened.topic, messages=messages_of(place), by=proposed.by, verdict=proposed.verdict,
        reasons="\n".join(f"- {reason}" for reason in proposed.reasons) or templates.fill("none"), dissent=proposed.dissent or templates.fill("none"),
    )  # fmt: skip
    spec = spec_of(
        DECIDE,
        templates.fill("decide"),
        {
            "accept": {"type": "boolean", "description": templates.fill("decide.accept")},
            "reason": {"type": "string", "description": templates.fill("decide.reason")},
        },
    )
    key = f"decide-{len(place.talk.proposals) + 1}"
    try:
        answer = await place.ask(place.to_arbiter(text, key, taking(spec, templates.fill("taken"))))
    except FAULTS as error:
        place.scope.warn(f"{place.terms.arbiter.name} could not decide about the conclusion of {proposed.by}: {error.message}")
        return replace(proposed, reason=error.message)
    made = taken(place.scope, answer.lane, DECIDE)
    if not made:
        return replace(proposed, reason="The arbiter did not decide.")
    return replace(proposed, accepted=made[-1][1]["accept"] is True, reason=str(made[-1][1].get("reason", "")))


async def chosen(place: Place, names: Sequence[str], key: str) -> str:
    """Who writes next. If the arbiter cannot choose, the first one does."""
    templates = place.terms.templates
    choice = {"type": "string", "enum": list(names), "description": templates.fill("next_speaker.name")}
    tool = taking(spec_of(NEXT, templates.fill("next_speaker"), {"name": choice}), templates.fill("taken"))
    newest = messages_of(place, len(place.opened.participants))
    text = templates.fill("talk_next_speaker", topic=place.opened.topic, messages=newest, names=", ".join(names))
    try:
        answer = await place.ask(place.to_arbiter(text, key, tool))
    except FAULTS:
        return names[0]
    made = taken(place.scope, answer.lane, NEXT)
    return str(made[-1][1]["name"]) if made else names[0]
