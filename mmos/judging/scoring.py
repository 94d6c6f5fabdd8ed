"""Computes score, confidence and verdict of an answer from what judges and checks found (pure functions)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mmos.judging.rubric import RUBRIC, UNREADABLE, Opinion, Reading
from mmos.quality.finding import Finding
from mmos.quality.score import score_of
from mmos.quality_events import AnswerJudged, Verdict

SUREST = 0.99
"""No verdict is beyond doubt."""
CERTAIN = frozenset({"syntax", "empty"})
"""Kinds of faults that need no judge, if they are errors: the computer has tried."""


@dataclass(frozen=True)
class Judge:
    """A model that judges, and how far it can be trusted."""

    model: str
    trust: float
    """How often it is right, by the answers that MMOS knows, and less if it is near to the author."""
    reasons: tuple[str, ...] = ()
    reliable: bool = True
    """Whether it may say anything at all. One that fails on known answers may not."""


@dataclass(frozen=True)
class Bar:
    """What an answer has to reach."""

    threshold: float
    minimum_confidence: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What is said of an answer."""

    verdict: Verdict
    score: float
    confidence: float
    findings: tuple[Finding, ...] = ()
    reasons: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    certain: int = 0
    judged: bool = False


def certain(findings: Sequence[Finding]) -> list[Finding]:
    """The faults that need no judge."""
    return [one for one in findings if one.severity == "error" and one.kind in CERTAIN]


@dataclass(frozen=True)
class Court:
    """What all judges and checks said of one answer."""

    checks: Sequence[Finding]
    heard: Sequence[tuple[Judge, Reading]] = ()
    faults: Sequence[str] = ()
    """Why a judge said nothing."""

    @cached_property
    def opinions(self) -> Mapping[str, Opinion]:
        """By point."""
        return {point.name: self._opinion(point.name) for point in RUBRIC}

    def _opinion(self, point: str) -> Opinion:
        """What the judges agree on. One that cannot tell leaves it to the others."""
        said = {reading.opinions[point] for judge, reading in self.heard if judge.reliable} - {"cannot_verify"}
        return said.pop() if len(said) == 1 else "cannot_verify"

    def judgement(self, bar: Bar) -> Judgement:
        sure, share = certain(self.checks), self._decided / len(RUBRIC)
        score = score_of(self.checks) * self._rubric
        reasons = (*bar.reasons, *self._reasons())
        made = Judgement(
            "cannot_verify", score, self._trust * share, self._findings(), reasons, tuple(judge.model for judge, _ in self.heard),
            len(sure), self._decided > 0,
        )  # fmt: skip
        if sure:
            return replace(made, verdict="fail", confidence=SUREST)
        if not made.judged:
            return made
        if score < bar.threshold:
            found = "bad" in self.opinions.values()
            made = replace(made, confidence=self._trust if found else made.confidence)
            return self._if_sure(made, "fail", bar)
        if share < 1:
            return made
        return self._if_sure(made, "pass", bar)

    def _if_sure(self, made: Judgement, verdict: Verdict, bar: Bar) -> Judgement:
        if made.confidence >= bar.minimum_confidence:
            return replace(made, verdict=verdict)
        doubt = f"the verdict would be {verdict}, but the confidence of {made.confidence:.2f} is below {bar.minimum_confidence:g}"
        return replace(made, reasons=(*made.reasons, doubt))

    @property
    def _decided(self) -> int:
        return sum(opinion != "cannot_verify" for opinion in self.opinions.values())

    @property
    def _rubric(self) -> float:
        score = 1.0
        for point in RUBRIC:
            score *= 1 - point.penalty if self.opinions[point.name] == "bad" else 1.0
        return score

    @property
    def _trust(self) -> float:
        """How sure the judges are together. Two that agree are surer than each alone."""
        doubt, sure = 1.0, 1.0
        for judge, reading in self.heard:
            if judge.reliable and reading.counts:
                doubt, sure = doubt * (1 - judge.trust), sure * judge.trust
        return 0.0 if doubt == 1.0 else min(SUREST, sure / (sure + doubt))

    def _findings(self) -> tuple[Finding, ...]:
        """Those of the checks, and those of the judges on which they agree."""
        bad = {point.kind for point in RUBRIC if self.opinions[point.name] == "bad"}
        said = [one for judge, reading in self.heard if judge.reliable for one in reading.findings if one.kind in bad]
        return (*self.checks, *said)

    def _reasons(self) -> list[str]:
        reasons = [reason for judge, _ in self.heard for reason in judge.reasons]
        open_points = [point.name for point in RUBRIC if self.opinions[point.name] == "cannot_verify"]
        if open_points and any(judge.reliable and reading is not UNREADABLE for judge, reading in self.heard):
            reasons.append(f"not decided: {', '.join(open_points)} (no verdict, no agreement, or a quotation that is not in the answer)")
        return [*reasons, *self.faults]


def improves(new: AnswerJudged, old: AnswerJudged) -> bool:
    """Whether an answer is better than another one, as far as somebody has judged both."""
    if new.certain != old.certain:
        return new.certain < old.certain
    return new.judged and old.judged and new.score > old.score
