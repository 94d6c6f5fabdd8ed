"""What the stories of validations share: short ways to write what a judge says."""

from __future__ import annotations

from typing import Any

import orjson

import mmos
from mmos.judging.canaries import shipped
from mmos.judging.rubric import RUBRIC

GOOD = {"fault": "", "cure": "", "verdict": "good"}


def opinion(quote: str, **points: Any) -> str:
    """What a judge says: each point is good by this quotation, except for those that are named here."""
    said = {point.name: {"quote": quote, **GOOD} for point in RUBRIC}
    return orjson.dumps(said | points).decode()


def bad(quote: str, fault: str, cure: str = "") -> dict[str, str]:
    return {"quote": quote, "fault": fault, "cure": cure, "verdict": "bad"}


def on_canaries(*right: bool) -> list[str]:
    """What a judge says about the first known answers, rightly or not."""
    said = []
    for canary, is_right in zip(shipped(), right, strict=False):
        quote = canary.answer[:60]
        said.append(opinion(quote) if canary.good is is_right else opinion(quote, correct=bad(quote, "It is wrong.")))
    return said


def steps(answer: mmos.Answer) -> list[tuple[str, bool]]:
    quality = answer.document()["quality"]
    return [] if quality is None else [(one["step"], one["kept"]) for one in quality["steps"]]


def better(which: str, quote: str = "Seven times six") -> str:
    return orjson.dumps({"quote": quote, "why": "It is right.", "better": which}).decode()
