"""What the stories of talks share: short ways to write what participants and the arbiter do, and what they look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mmos
from mmos.testing import Call, Stage

TOPIC = "Which index serves the query best?"
OWN = "A hash index, I think."
PASS = Call("review", {"action": "pass", "reason": "Nothing is wrong."})
VERDICT = Call("conclude", {"verdict": "A B-tree.", "reasons": ["It serves ranges."]})


def start(*participants: str, mode: str = "direct", **more: Any) -> Call:
    names = list(participants or ("coding", "reasoning"))
    return Call("start_multi_model_conversation", {"topic": TOPIC, "participants": names, "mode": mode, **more})


def say(message: str, to: str = "all", stance: str = "new", *claims: str) -> Call:
    return Call("say", {"to": to, "stance": stance, "message": message, "claims": list(claims)})


def review(action: str, **more: str) -> Call:
    return Call("review", {"action": action, "reason": "It is wrong.", **more})


def conclude(verdict: str = "A B-tree.", **more: Any) -> Call:
    return Call("conclude", {"verdict": verdict, "reasons": ["It serves ranges."], **more})


def cast(arbiter: Sequence[Any], coding: Sequence[Any], reasoning: Sequence[Any]) -> dict[str, Any]:
    return {"arbiter": list(arbiter), "coding": list(coding), "reasoning": list(reasoning)}


def talk_of(answer: mmos.Answer) -> Mapping[str, Any]:
    """The only conversation of a run, as the result document has it."""
    (conversation,) = answer.document()["conversations"]
    return conversation


def last_words(on: Stage, role: str) -> str:
    """What a role read before its newest turn."""
    return on.heard(role)[-1]
