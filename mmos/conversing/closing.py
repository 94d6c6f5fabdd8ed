"""Ends a talk: what the arbiter thought before it read anything, its verdict after it, and what was found."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mmos.conversing.place import Place
from mmos.conversing.reading import facts_of, messages_of
from mmos.conversing.record import FIELDS, MOST, checked, drafted, merged
from mmos.conversing.speaking import CONCLUDE, conclusion_of
from mmos.conversing.spending import is_spent
from mmos.conversing.taking import Problem, nothing_wrong, spec_of, taken, taking
from mmos.conversing.terms import FAULTS, Terms
from mmos.prompting.templates import Templates
from mmos.talk_events import ConclusionProposed, Ended, TalkClosed
from mmos.toolbox import Tool


async def own_verdict(place: Place) -> str:
    """What the arbiter thinks before it reads anybody. Empty: it could not say."""
    templates = place.terms.templates
    text = templates.fill("talk_own_verdict", task=place.context.told.content, topic=place.opened.topic)
    try:
        return place.written(await place.ask(place.to_arbiter(text, "own-verdict")))
    except FAULTS as error:
        place.scope.warn_once(f"{place.terms.arbiter.name} wrote down no verdict of its own", error.message)
        return ""


async def concluded(place: Place, ended: Ended, own: str, accepted: ConclusionProposed | None) -> TalkClosed:
    """How the talk ends. An accepted conclusion is the verdict; the arbiter still says what was found."""
    return closed_with(place, ended, own, await _arbiters(place, own), accepted)


def closed_with(place: Place, ended: Ended, own: str, made: Mapping[str, Any], accepted: ConclusionProposed | None = None) -> TalkClosed:
    """The end of a talk, of what the arbiter said in its conclusion."""
    verdict = accepted.verdict if accepted else str(made.get("verdict", ""))
    reasons = accepted.reasons if accepted else tuple(map(str, made.get("reasons") or ()))
    dissent = accepted.dissent if accepted else str(made.get("dissent") or "")
    written, left_out = checked(made, place.talk)
    if left_out:
        place.scope.warn_once(f"{place.terms.arbiter.name}: parts of what it found in the conversation were left out", "; ".join(left_out))
    return TalkClosed(place.opened.talk, ended, verdict, reasons, dissent, own, merged(drafted(place.talk), written))


async def _arbiters(place: Place, own: str) -> Mapping[str, Any]:
    """The conclusion of the arbiter. Empty: there is none, because it failed or the limits of the run do not allow it."""
    templates, opened = place.terms.templates, place.opened
    if is_spent(place.scope, 0) and not place.begun(["conclude"]):
        place.scope.warn_once("The conversation ended without a verdict", "The limits of the run leave nothing for it.")
        return {}
    text = templates.fill(
        "talk_closing", task=place.context.told.content, topic=opened.topic, own=own or templates.fill("none"), messages=messages_of(place),
        facts=facts_of(place) or templates.fill("none"),
    )  # fmt: skip
    try:
        answer = await place.ask(place.to_arbiter(text, "conclude", closing_tool(place.terms, opened.participants)))
    except FAULTS as error:
        place.scope.warn_once("The conversation ended without a verdict", error.message)
        return {}
    made = taken(place.scope, answer.lane, CONCLUDE)
    return made[-1][1] if made else {"verdict": place.written(answer)}


def closing_tool(terms: Terms, names: Collection[str], problem: Problem = nothing_wrong, *, patience: int | None = None) -> Tool:
    """`conclude(verdict, reasons, dissent?, …)` with the parts of the record. `problem`: why the talk cannot be concluded yet; with `patience`, so many times."""
    templates = terms.templates
    required, optional = conclusion_of(templates)
    finding = {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "who": {"type": "array", "items": {"type": "string"}, "description": ", ".join(names)},
            "evidence": {"type": "array", "items": {"type": "integer"}},
        },
        "required": ["text", "who", "evidence"],
        "additionalProperties": False,
    }
    described = _descriptions(templates)
    parts = {
        name: {"type": "array", "items": finding, "maxItems": MOST, "description": described[name]} for name in FIELDS if terms.records
    }
    return taking(
        spec_of(CONCLUDE, templates.fill("conclude_talk"), required, {**optional, **parts}),
        templates.fill("taken"),
        problem,
        patience=patience,
    )


def _descriptions(templates: Templates) -> Mapping[str, str]:
    return {
        "consensus": templates.fill("conclude.consensus"),
        "contradictions": templates.fill("conclude.contradictions"),
        "partial_coverage": templates.fill("conclude.partial_coverage"),
        "unique_insights": templates.fill("conclude.unique_insights"),
        "blind_spots": templates.fill("conclude.blind_spots"),
    }
