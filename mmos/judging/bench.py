"""Asks judges: about an answer, about answers that MMOS knows, and which of two answers is better."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple

from mmos.calls.shape import Shape
from mmos.catalog.known import KnownModel
from mmos.context import Answer, Participant, Question
from mmos.events import RunRated
from mmos.judging.canaries import EACH_RUN, Record, next_canaries, record_of
from mmos.judging.choosing import first_judge, kinship, named, second_judge
from mmos.judging.rubric import SCHEMA, UNREADABLE, Reading, is_quoted, read
from mmos.judging.scoring import Bar, Court, Judge, certain
from mmos.judging.terms import FAULTS, Terms, listed
from mmos.judging.thresholds import adapted, rated
from mmos.messages import Message
from mmos.participant.loop import Participants
from mmos.plurals import counted
from mmos.quality.checks import check
from mmos.quality.finding import Finding, Subject
from mmos.quality_events import AnswerJudged, JudgeTried
from mmos.scope import Scope
from mmos.threads import on_thread
from mmos.views.quality import JUDGING, VALIDATION

TURNS = 3
"""Turns of a judge: it may be asked again for an answer that fits the schema."""
REMEMBERED = 2_000
"""Characters of the conversation before the question that a judge reads."""

_BETTER: Mapping[str, Any] = {
    "type": "object",
    "properties": {"quote": {"type": "string"}, "why": {"type": "string"}, "better": {"type": "string", "enum": ["1", "2", "same"]}},
    "required": ["quote", "why", "better"],
    "additionalProperties": False,
}

_UNFIT = re.compile(r"[^\w.-]")
"""What the name of a model may have, and the address of a lane may not."""
NAMED = 40
"""Characters of the name of a model in the address of its lane."""

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
    """The judges of one run. They are chosen, and tried, when the first answer is judged."""

    terms: Terms
    room: Participants
    scope: Scope
    author: str
    _judges: list[Judge] | None = field(default=None, init=False)
    _faults: list[str] = field(default_factory=list, init=False)
    """Why a judge is not there."""
    _bar: Bar | None = field(default=None, init=False)

    async def judged(self, candidate: Candidate) -> AnswerJudged:
        """The verdict on an answer: the earlier one if there is one."""
        validation = self.scope.view.validation
        if candidate.step not in validation.judged:
            subject = Subject(self.scope.view.task, candidate.text, {file.name: file.text for file in self.scope.view.files if file.text})
            checks: tuple[Finding, ...] = await on_thread(check, subject)
            court = Court(checks) if certain(checks) else await self._court(candidate, checks)
            await self._record(candidate, court)
        return validation.judged[candidate.step]

    async def _record(self, candidate: Candidate, court: Court) -> None:
        made = court.judgement(await self._bar_of_run())
        self.scope.record(
            AnswerJudged(
                candidate.step, self.scope.lane, self.scope.role, candidate.model, made.verdict, round(made.score, 4), round(made.confidence, 4),
                (await self._bar_of_run()).threshold, self._class, made.judges, tuple(asdict(one) for one in made.findings), made.reasons,
                made.certain, made.judged,
            )
        )  # fmt: skip

    @property
    def _class(self) -> str:
        return self.terms.class_of(self.scope.view.task)

    async def _bar_of_run(self) -> Bar:
        """What the answers of this run have to reach. It stays the same when the run is resumed."""
        if self._bar is None:
            earlier = next(iter(self.scope.view.validation.judged.values()), None)
            threshold, why = await self._threshold() if earlier is None else (earlier.threshold, "")
            self._bar = Bar(threshold, self.terms.minimum_confidence, (why,) if why else ())
        return self._bar

    async def _threshold(self) -> tuple[float, str]:
        if not self.terms.adapts:
            return self.terms.threshold, ""
        kinds = (*(kind.kind for kind in JUDGING), RunRated.kind)
        return adapted(self.terms.threshold, rated(await self.scope.journal.read(kinds=kinds), self._class), self._class)

    # ---------------------------------------------------------------- judges

    async def _court(self, candidate: Candidate, checks: tuple[Finding, ...]) -> Court:
        """What the judges say of an answer."""
        judges = await self._chosen()
        heard: list[tuple[Judge, Reading]] = []
        faults = list(self._faults)
        for judge in judges:
            if not judge.reliable:
                heard.append((judge, UNREADABLE))
                continue
            message = self._message(self.scope.view.task, candidate.text, checks)
            answer = await self._ask(judge.model, replace(message, files=self.scope.view.files), f"judge-{candidate.step}", SCHEMA)
            if isinstance(answer, str):
                faults.append(answer)
                heard.append((judge, UNREADABLE))
            else:
                heard.append((judge, read(answer.data, self.scope.view.task, candidate.text, judge.model)))
        return Court(checks, heard, faults)

    async def _chosen(self) -> list[Judge]:
        """The judges of this run, tried with known answers."""
        if self._judges is None:
            models = await self.terms.known()
            found = await self._candidates(models)
            share = EACH_RUN // max(1, len(found))
            self._judges = [await self._tried(models, one.name, share) for one in found]
        return self._judges

    async def _candidates(self, models: Sequence[KnownModel]) -> list[KnownModel]:
        kind, barred = self._class, await self._barred(models)
        first = self._configured(models) or first_judge(models, self.author, kind, barred)
        if first is None:
            self._faults.append("no model of the fleet can judge" + (": they failed on known answers" if barred else ""))
            return []
        if not self.terms.cross:
            return [first]
        second = second_judge(models, self.author, kind, first, barred)
        if second is None:
            self._faults.append("there is no second model that could judge")
        return [first] if second is None else [first, second]

    def _configured(self, models: Sequence[KnownModel]) -> KnownModel | None:
        name = self.terms.judge
        role = (self.terms.roles or {}).get(name)
        return named(models, role.model if role else name) if name else None

    async def _barred(self, models: Sequence[KnownModel]) -> set[str]:
        """The models that have shown that they cannot judge."""
        tries = await self._tries()
        if not tries:
            return set()
        records = {one.name: record_of(tries, one.name, await self._digest(one.name)) for one in models}
        return {name for name, record in records.items() if not record.is_reliable}

    async def _tries(self) -> list[JudgeTried]:
        entries = await self.scope.journal.read(kinds=(JudgeTried.kind,))
        return [*(one.event for one in entries if isinstance(one.event, JudgeTried)), *self.scope.view.validation.canaries]

    async def _digest(self, model: str) -> str:
        found = await self.room.models.describe(model, ())
        return found.digest if found is not None else ""

    async def _tried(self, models: Sequence[KnownModel], model: str, share: int) -> Judge:
        """The judge after the known answers that it gets in this run."""
        digest = await self._digest(model)
        left = share - sum(one.model == model for one in self.scope.view.validation.canaries)
        for canary in next_canaries(await self._tries(), model, digest, left):
            answer = await self._ask(model, self._message(canary.question, canary.answer, ()), f"canary-{canary.name}", SCHEMA)
            if isinstance(answer, str):
                break  # it will not answer about the real one either, and that is what the verdict says then
            right = canary.is_right(read(answer.data, canary.question, canary.answer, model))
            self.scope.record(JudgeTried(model, digest, canary.name, right, self.scope.lane))
        return self._judge(models, model, record_of(await self._tries(), model, digest))

    def _judge(self, models: Sequence[KnownModel], model: str, record: Record) -> Judge:
        near, why = kinship(models, model, self.author)
        was_right = f"{model} was right about {record.right} of {counted(record.tried, 'known answer')}"
        reasons = (was_right if record.is_reliable else f"{was_right}, so its verdict does not count", *filter(None, (why,)))
        return Judge(model, record.reliability * near, reasons, record.is_reliable)

    # ---------------------------------------------------------------- questions

    async def _ask(self, model: str, message: Message, key: str, schema: Mapping[str, Any]) -> Answer | str:
        """The answer of a judge, which nobody remembers; or why there is none."""
        scope, templates = self.scope, self.terms.templates
        place = scope.bind(limits=replace(scope.limits, turns=TURNS), anew=True)
        role = (self.terms.roles or {}).get(self.terms.judge)
        judge = Participant("judge", model, templates.fill("judge"), options={"temperature": 0})
        if role is not None and role.model == model:
            judge = replace(
                judge, servers=role.servers, window=role.window, think=role.think, keep_alive=role.keep_alive, timeout=role.timeout
            )
        question = Question(
            judge, message, f"{key}-{_UNFIT.sub('_', model)[:NAMED]}", named=True, memory="none", tools=(), shape=Shape.of(schema)
        )
        try:
            answer = await self.room.ask(place, question, call=VALIDATION)
        except FAULTS as error:
            return f"{model} did not judge: {error.message}"
        return answer if answer.complete else f"{model} did not judge: it was cut off"

    def _message(self, question: str, answer: str, findings: tuple[Finding, ...]) -> Message:
        templates, none = self.terms.templates, self.terms.templates.fill("none")
        before = "" if question != self.scope.view.task else self._before()
        text = templates.fill("judge_answer", before=before or none, question=question, answer=answer, findings=listed(findings) or none)
        return Message("user", text)

    def _before(self) -> str:
        """The end of what the user and the role have said before."""
        said = [one for one in self.scope.exchange.before() if one.role in ("user", "assistant") and one.content]
        return "\n\n".join(f"{one.role}: {one.content}" for one in said)[-REMEMBERED:]

    async def prefers(self, new: Candidate, old: Candidate) -> Preference:
        """Which of two answers the first judge finds better in both orders. Empty: it depends on the order, or nobody can say."""
        judges = [judge for judge in await self._chosen() if judge.reliable]
        if not judges:
            return ""
        opinions = [
            await self._better(judges[0], pair, f"compare-{new.step}-{order}") for order, pair in enumerate(((new, old), (old, new)), 1)
        ]
        step = opinions[0] if opinions[0] == opinions[1] else ""
        return "new" if step == new.step else "old" if step == old.step else ""

    async def _better(self, judge: Judge, pair: tuple[Candidate, Candidate], key: str) -> str:
        """The step of the better one of two answers, if the judge can quote why."""
        one, two = pair
        text = self.terms.templates.fill("judge_two", question=self.scope.view.task, one=one.text, two=two.text)
        answer = await self._ask(judge.model, Message("user", text), key, _BETTER)
        if isinstance(answer, str) or not isinstance(answer.data, Mapping):
            return ""
        said = {name: str(answer.data.get(name, "")) for name in ("quote", "better")}
        if said["better"] == "same" or not (is_quoted(said["quote"], one.text) or is_quoted(said["quote"], two.text)):
            return ""
        return one.step if said["better"] == "1" else two.step
