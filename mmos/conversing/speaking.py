"""Lets a participant of a talk write: by its tools `say` and `conclude`, or in prose, which goes to all."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mmos.context import Answer, Question
from mmos.conversing.place import Place
from mmos.conversing.taking import spec_of, taken, taking
from mmos.errors import ToolError
from mmos.messages import Message
from mmos.prompting.templates import Templates
from mmos.talk_events import ALL, MessageSent
from mmos.toolbox import Tool

SAY, CONCLUDE = "say", "conclude"
STANCES = ("agree", "disagree", "partly", "new")
LONGEST = 20_000
"""Characters of one message."""
FEW_FAULTS = 2
"""After so many calls without a message, a participant has nothing to say."""


@dataclass(frozen=True)
class Conclusion:
    """A verdict with which somebody would end the talk."""

    verdict: str
    reasons: tuple[str, ...] = ()
    dissent: str = ""


@dataclass(frozen=True)
class Speech:
    """What a participant wrote in one turn."""

    message: MessageSent
    """For all, also when it is only the verdict of a conclusion."""
    conclusion: Conclusion | None = None


async def speech_of(place: Place, name: str, message: Message, round_: int) -> Speech:
    """Ask a participant for its next message. It may call its own tools before."""
    tools = (_say(place, name), _conclude(place.terms.texts_for(name)))
    question = Question(name, message, f"{name}-{round_}", tools=tools, must_call=True, prose=True, beside=True)
    answer = await place.ask(question)
    if speech := read(place, name, answer, round_):
        return speech
    raise ToolError(place.terms.templates.fill("no_answer", reason=f"{name} wrote nothing"))


def read(place: Place, name: str, answer: Answer, round_: int) -> Speech | None:
    """What an answer says. A model that called neither tool said its text to all. None: it said nothing."""
    made = taken(place.scope, answer.lane, SAY, CONCLUDE)
    said = [arguments for tool, arguments in made if tool == SAY]
    conclusion = next((_conclusion(arguments) for tool, arguments in made if tool == CONCLUDE), None)
    draft = MessageSent(place.opened.talk, sender=name, round=round_, lane=answer.lane)
    if said:
        return Speech(_joined(draft, said), conclusion)
    if conclusion is not None:
        return Speech(replace(draft, text=conclusion.verdict, stance="new", claims=conclusion.reasons), conclusion)
    text = place.written(answer)
    return Speech(replace(draft, text=text)) if text else None


def _joined(draft: MessageSent, said: Sequence[Mapping[str, Any]]) -> MessageSent:
    """What a participant said in one turn, as one message."""
    to = {str(one["to"]) for one in said}
    claims = tuple(str(claim) for one in said for claim in one.get("claims") or ())
    text = "\n\n".join(str(one["message"]).strip() for one in said)
    return replace(draft, text=text, to=to.pop() if len(to) == 1 else ALL, stance=str(said[-1].get("stance") or ""), claims=claims)


def _conclusion(arguments: Mapping[str, Any]) -> Conclusion:
    reasons = tuple(str(reason) for reason in arguments.get("reasons") or ())
    return Conclusion(str(arguments["verdict"]), reasons, str(arguments.get("dissent") or ""))


def _say(place: Place, name: str) -> Tool:
    """`say(to, stance, message, claims?)`."""
    templates, text = place.terms.texts_for(name), {"type": "string"}
    others = [other for other in place.opened.participants if other != name]
    spec = spec_of(
        SAY,
        templates.fill("say"),
        {
            "to": {**text, "enum": [ALL, *others], "description": templates.fill("say.to", names=", ".join(others))},
            "stance": {**text, "enum": list(STANCES), "description": templates.fill("say.stance")},
            "message": {**text, "description": templates.fill("say.message")},
        },
        {"claims": {"type": "array", "items": text, "description": templates.fill("say.claims")}},
    )
    return taking(
        spec,
        templates.fill("taken"),
        partial(_problem, templates, "message"),
        patience=FEW_FAULTS,
        mend=partial(_mended, place.terms.participants, name),
    )


def _mended(roles: Collection[str], sender: str, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A message whose form does not fit is still a message. None: it has no text."""
    message, to, stance, claims = (arguments.get(name) for name in ("message", "to", "stance", "claims"))
    if not isinstance(message, str) or not message.strip():
        return None
    return {
        "to": _address(str(to or ""), [name for name in roles if name != sender]),
        "stance": stance if stance in STANCES else "",
        "message": message,
        "claims": [claim for claim in claims if isinstance(claim, str)] if isinstance(claims, list) else [],
    }


def _address(to: str, roles: Iterable[str]) -> str:
    """The only role that an address names, such as `the coding specialist`. Rules stop a message to a role that does not take part. Otherwise all get it."""
    named = [name for name in roles if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", to, re.IGNORECASE)]
    return named[0] if len(named) == 1 else ALL


def _conclude(templates: Templates) -> Tool:
    """`conclude(verdict, reasons, dissent?)`."""
    spec = spec_of(CONCLUDE, templates.fill("conclude"), *conclusion_of(templates))
    return taking(spec, templates.fill("taken"), partial(_problem, templates, "verdict"), patience=FEW_FAULTS)


def conclusion_of(templates: Templates) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of a conclusion: the required ones and the others."""
    text = {"type": "string"}
    return (
        {
            "verdict": {**text, "description": templates.fill("conclude.verdict")},
            "reasons": {"type": "array", "items": text, "description": templates.fill("conclude.reasons")},
        },
        {"dissent": {**text, "description": templates.fill("conclude.dissent")}},
    )


def _problem(templates: Templates, field: str, arguments: Mapping[str, Any]) -> str:
    """Why a message cannot be passed on."""
    length = len(str(arguments[field]).strip())
    if not length:
        return templates.fill("message_empty", field=field)
    return templates.fill("message_too_long", characters=f"{LONGEST:,}") if length > LONGEST else ""
