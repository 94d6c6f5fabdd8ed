"""Defines the events about the quality of answers: the test of a judge, a verdict, and an answer that became a better one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mmos.event import Event
from mmos.messages import Message

Verdict = Literal["pass", "fail", "cannot_verify"]


@dataclass(frozen=True)
class JudgeTried(Event):
    """A judge got an answer of which MMOS knows whether it is good."""

    kind = "judge_tried"
    model: str
    digest: str = ""
    """Of the model, as its host says. Another digest is another judge."""
    canary: str = ""
    """The name of the known answer."""
    right: bool = False
    lane: str = ""


@dataclass(frozen=True)
class AnswerJudged(Event):
    """An answer got its verdict."""

    kind = "answer_judged"
    step: str
    """Which answer: `answer` for the first one, otherwise the step that made it."""
    lane: str = ""
    role: str = ""
    model: str = ""
    """The model that wrote the answer."""
    verdict: Verdict = "cannot_verify"
    score: float = 0.0
    confidence: float = 0.0
    threshold: float = 0.0
    task_class: str = ""
    """The class of the task. Empty: not sure."""
    judges: tuple[str, ...] = ()
    """The models that judged it. Empty: checks without a model said enough, or no model could judge."""
    findings: tuple[Mapping[str, Any], ...] = ()
    reasons: tuple[str, ...] = ()
    """What score, confidence and threshold come from."""
    certain: int = 0
    """How many faults need no judge, such as a syntax error."""
    judged: bool = False
    """Whether a judge said something that counts."""


@dataclass(frozen=True)
class ImprovementTried(Event):
    """A step that should make the answer better has ended."""

    kind = "improvement_tried"
    step: str
    lane: str = ""
    role: str = ""
    kept: bool = False
    """Whether its answer is better than the best one before."""
    why: str = ""


@dataclass(frozen=True)
class AnswerRevised(Event):
    """The lane has a better answer in place of its own. Later turns see only this one."""

    kind = "answer_revised"
    lane: str
    message: Message
    role: str = ""
    step: str = ""
    """The step that made it."""
