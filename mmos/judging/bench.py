"""Gives answers their verdict, and says which of two answers is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple

from mmos.citing import numbers_of
from mmos.events import RunRated
from mmos.judging.judges import Judges, Silence
from mmos.judging.remembered import remembered
from mmos.judging.rubric import SCHEMA, UNREADABLE, Reading, is_quoted, read
from mmos.judging.scoring import Bar, Court, Judge, certain
from mmos.judging.terms import Terms
from mmos.judging.thresholds import Threshold, adapted, rated
from mmos.messages import Message
from mmos.quality.checks import check
from mmos.quality.finding import Finding, Subject
from mmos.quality_events import AnswerJudged
from mmos.scope import Scope
from mmos.threads import on_thread
from mmos.views.quality import JUDGING

_BETTER: Mapping[str, Any] = {
    "type": "object",
    "properties": {"quote": {"type": "string"}, "why": {"type": "string"}, "better": {"type": "string", "enum": ["1", "2", "same"]}},
    "required": ["quote", "why", "better"],
    "additionalProperties": False,
}

Preference = Literal["new", "old", ""]


class Candidate(NamedTuple):
    """An answer that is judged."""

    step: str
    text: str
    """As the user would get it."""
    model: str
    """Who wrote it."""


@dataclass
class Bench:
    """Judges the answers of one run. All of them have the same judges and the same bar."""

    terms: Terms
    scope: Scope
    judges: Judges
    _bar: Bar | None = field(default=None, init=False)

    async def judged(self, candidate: Candidate) -> AnswerJudged:
        """The verdict on an answer: the earlier one if there is one."""
        verdicts, view = self.scope.view.validation.judged, self.scope.view
        if candidate.step not in verdicts:
            subject = Subject(view.task, candidate.text, {file.name: file.text for file in view.files if file.text}, numbers_of(self.scope))
            checks: tuple[Finding, ...] = await on_thread(check, subject)
            court = Court(checks) if certain(checks) else await self._court(candidate, checks)
            self.scope.record(await self._event(candidate, court))
        return verdicts[candidate.step]

    async def _event(self, candidate: Candidate, court: Court) -> AnswerJudged:
        bar = await self.bar()
        made = court.judgement(bar)
        return AnswerJudged(
            candidate.step, self.scope.lane, self.scope.role, candidate.model, made.verdict, round(made.score, 4), round(made.confidence, 4),
            bar.threshold, self.judges.kind, made.judges, tuple(asdict(one) for one in made.findings), made.reasons, made.certain, made.judged,
        )  # fmt: skip

    async def bar(self) -> Bar:
        """What the answers of this run have to reach. It stays the same when the run is resumed."""
        if self._bar is None:
            earlier = next(iter(self.scope.view.validation.judged.values()), None)
            threshold = await self._threshold() if earlier is None else Threshold(earlier.threshold)
            self._bar = Bar(threshold.value, self.terms.minimum_confidence, tuple(filter(None, (threshold.why,))))
        return self._bar

    async def _threshold(self) -> Threshold:
        if not self.terms.adapts:
            return Threshold(self.terms.threshold)
        entries = await remembered(self.scope.journal, *JUDGING, RunRated, rehearsed=self.scope.view.rehearsed)
        return adapted(self.terms.threshold, rated(entries, self.judges.kind), self.judges.kind)

    async def _court(self, candidate: Candidate, checks: tuple[Finding, ...]) -> Court:
        """What the judges say of an answer."""
        heard: list[tuple[Judge, Reading]] = []
        faults: list[str] = []
        for judge in await self.judges.of(candidate.model):
            reading = await self._heard(judge, candidate, checks) if judge.reliable else UNREADABLE
            if isinstance(reading, Silence):
                faults.append(reading.why)
            heard.append((judge, UNREADABLE if isinstance(reading, Silence) else reading))
        return Court(checks, heard, [*self.judges.absences, *faults])

    async def _heard(self, judge: Judge, candidate: Candidate, checks: tuple[Finding, ...]) -> Reading | Silence:
        view = self.scope.view
        told = view.divisions.told(view)
        message = self.judges.message(told.content, candidate.text, checks, self.judges.before())
        said = await self.judges.ask(judge.model, replace(message, files=told.files), f"judge-{candidate.step}", SCHEMA)
        return said if isinstance(said, Silence) else read(said, told.content, candidate.text, judge.model)

    # ---------------------------------------------------------------- two answers

    async def prefers(self, new: Candidate, old: Candidate) -> Preference:
        """Which of two answers the first judge finds better in both orders. Empty: it depends on the order, or nobody can say."""
        judge = next((one for one in await self.judges.chosen() if one.reliable), None)
        if judge is None:
            return ""
        first = await self._better(judge, (new, old), f"compare-{new.step}-1")
        second = await self._better(judge, (old, new), f"compare-{new.step}-2")
        if first != second or not first:
            return ""
        return "new" if first == new.step else "old"

    async def _better(self, judge: Judge, pair: tuple[Candidate, Candidate], key: str) -> str:
        """The step of the better one of two answers, if the judge can quote why."""
        one, two = pair
        text = self.terms.templates.fill(
            "judge_two", question=self.scope.view.divisions.told(self.scope.view).content, one=one.text, two=two.text
        )
        said = await self.judges.ask(judge.model, Message("user", text), key, _BETTER)
        if not isinstance(said, Mapping) or said.get("better") not in ("1", "2"):
            return ""
        quote = str(said.get("quote", ""))
        if not (is_quoted(quote, one.text) or is_quoted(quote, two.text)):
            return ""
        return one.step if said["better"] == "1" else two.step
