"""Chooses the judges of a run, tries them with answers that MMOS knows, and asks them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmos.calls.shape import Shape
from mmos.catalog.known import KnownModel
from mmos.context import Participant, Question
from mmos.errors import NoAnswer, SchemaUnmet
from mmos.judging.canaries import EACH_RUN, Record, next_canaries, record_of
from mmos.judging.choosing import first_judge, kinship, named, second_judge
from mmos.judging.remembered import remembered
from mmos.judging.rubric import SCHEMA, UNREADABLE, read
from mmos.judging.scoring import Judge
from mmos.judging.terms import FAULTS, Terms, listed
from mmos.messages import Message
from mmos.names import same_model
from mmos.participant.loop import Participants
from mmos.plurals import counted
from mmos.quality.finding import Finding
from mmos.quality_events import JudgeTried
from mmos.scope import Scope
from mmos.views.quality import VALIDATION

TURNS = 3
"""Turns of a judge: it may be asked again for an answer that fits the schema."""
LONGEST = 2048
"""Tokens of what a judge writes at most. A weak model never ends a text within JSON."""
REMEMBERED = 2_000
"""Characters of the conversation before the question that a judge reads."""
NAMED = 40
"""Characters of the name of a model in the address of its lane."""

_UNFIT = re.compile(r"[^\w.-]")
"""What the name of a model may have, and the address of a lane may not."""


@dataclass(frozen=True)
class Silence:
    """Why a judge said nothing."""

    why: str
    by_model: bool = False
    """Whether the model is the reason, and not its host or a limit of the run."""


@dataclass
class Judges:
    """The judges of one run. They are chosen and tried when the first answer needs one."""

    terms: Terms
    room: Participants
    scope: Scope
    author: str
    kind: str
    """The class of the task."""
    absences: list[str] = field(default_factory=list, init=False)
    """Why a judge is not there."""
    _models: Sequence[KnownModel] = field(default=(), init=False)
    _chosen: list[Judge] | None = field(default=None, init=False)

    async def chosen(self) -> list[Judge]:
        if self._chosen is None:
            self._models = await self.terms.known()
            found = await self._candidates(self._models)
            each = EACH_RUN // max(1, len(found))
            self._chosen = [await self._tried(one.name, each) for one in found]
        return self._chosen

    async def of(self, author: str) -> list[Judge]:
        """The judges as they can be trusted with an answer of this model."""
        return [self._near(judge, author) for judge in await self.chosen()]

    def _near(self, judge: Judge, author: str) -> Judge:
        share, why = kinship(self._models, judge.model, author)
        return replace(judge, trust=judge.trust * share, reasons=(*judge.reasons, why)) if why else judge

    async def _candidates(self, models: Sequence[KnownModel]) -> list[KnownModel]:
        barred = await self._barred(models)
        first = self._configured(models) or first_judge(models, self.author, self.kind, barred)
        if first is None:
            self.absences.append("no model of the fleet can judge" + (": they failed on known answers" if barred else ""))
            return []
        if not self.terms.cross:
            return [first]
        second = second_judge(models, self.author, self.kind, first, barred)
        if second is None:
            self.absences.append("there is no second model that could judge")
        return [first] if second is None else [first, second]

    def _configured(self, models: Sequence[KnownModel]) -> KnownModel | None:
        name = self.terms.judge
        role = self.terms.roles.get(name)
        return named(models, role.model if role else name) if name else None

    async def _barred(self, models: Sequence[KnownModel]) -> Collection[str]:
        """The models that have shown that they cannot judge."""
        tries = await self._tries()
        tried = [one.name for one in models if any(same_model(one.name, other.model) for other in tries)]
        return {name for name in tried if record_of(tries, name, await self._digest(name)).is_barred}

    # ---------------------------------------------------------------- what is known of a judge

    async def _tries(self) -> list[JudgeTried]:
        entries = await remembered(self.scope.journal, JudgeTried, rehearsed=self.scope.view.rehearsed)
        return [*(one.event for one in entries if isinstance(one.event, JudgeTried)), *self.scope.view.validation.canaries]

    async def _digest(self, model: str) -> str:
        found = await self.room.models.describe(model, ())
        return found.digest if found is not None else ""

    async def _tried(self, model: str, most: int) -> Judge:
        """The judge after the known answers that it gets in this run."""
        digest = await self._digest(model)
        left = most - sum(one.model == model for one in self.scope.view.validation.canaries)
        for canary in next_canaries(await self._tries(), model, digest, left):
            message = self.message(canary.question, canary.answer)
            said = await self.ask(model, message, f"canary-{canary.name}", SCHEMA)
            if isinstance(said, Silence) and not said.by_model:
                break  # it says nothing about the model, and will be the same for the real answer
            reading = UNREADABLE if isinstance(said, Silence) else read(said, canary.question, canary.answer, model)
            self.scope.record(JudgeTried(model, digest, canary.name, canary.is_right(reading), self.scope.lane))
        return _judge(model, record_of(await self._tries(), model, digest))

    # ---------------------------------------------------------------- questions

    async def ask(self, model: str, message: Message, key: str, schema: Mapping[str, Any]) -> Any:
        """The value that a judge gives, in a lane that nobody remembers; or a `Silence`."""
        place = self.scope.bind(limits=replace(self.scope.limits, turns=TURNS), anew=True)
        name = f"{key}-{_UNFIT.sub('_', model)[:NAMED]}"
        question = Question(self._participant(model), message, name, named=True, memory="none", tools=(), shape=Shape.of(schema))
        try:
            answer = await self.room.ask(place, question, call=VALIDATION)
        except FAULTS as error:
            return Silence(f"{model} did not judge: {error.message}", isinstance(error, NoAnswer | SchemaUnmet))
        return answer.data if answer.complete else Silence(f"{model} did not judge: it was cut off", by_model=True)

    def _participant(self, model: str) -> Participant:
        judge = Participant("judge", model, self.terms.templates.fill("judge"), options={"temperature": 0, "num_predict": LONGEST})
        role = self.terms.roles.get(self.terms.judge)
        if role is None or role.model != model:
            return judge
        return replace(judge, servers=role.servers, window=role.window, think=role.think, keep_alive=role.keep_alive, timeout=role.timeout)

    def message(self, question: str, answer: str, findings: Sequence[Finding] = (), before: str = "") -> Message:
        templates, none = self.terms.templates, self.terms.templates.fill("none")
        text = templates.fill("judge_answer", before=before or none, question=question, answer=answer, findings=listed(findings) or none)
        return Message("user", text)

    def before(self) -> str:
        """The end of what the user and the role have said before the question."""
        said = [one for one in self.scope.exchange.before() if one.role in ("user", "assistant") and one.content]
        return "\n\n".join(f"{one.role}: {one.content}" for one in said)[-REMEMBERED:]


def _judge(model: str, record: Record) -> Judge:
    """A judge as far as its record tells."""
    if not record.tried:
        return Judge(model, record.reliability)
    was_right = f"{model} was right about {record.right} of {counted(record.tried, 'known answer')}"
    reason = was_right if record.is_reliable else f"{was_right}, so its verdict does not count"
    return Judge(model, record.reliability, (reason,), record.is_reliable)
