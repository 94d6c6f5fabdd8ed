"""Validates the answer to the user: has it judged, tries to make it better when it fails, and keeps the best one."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace

from mmos.context import Answer, Question, UserQuestion
from mmos.errors import NoAnswer, QuestionUnanswered, ToolError
from mmos.judging.bench import Bench, Candidate
from mmos.judging.choosing import larger
from mmos.judging.judges import Judges
from mmos.judging.scoring import improves
from mmos.judging.terms import FAULTS, Terms, finding_of, listed
from mmos.messages import Message
from mmos.participant.ending import answer_of
from mmos.participant.loop import Exchange, NextExchange
from mmos.quality.finding import Finding
from mmos.quality_events import AnswerJudged, AnswerRevised, ImprovementTried
from mmos.scope import Scope
from mmos.views.conversation import Lane
from mmos.views.quality import FIRST, VALIDATION, Validation

REVISIONS = 2
"""How often the author revises its answer. A second time only if the first time helped."""
LARGER = "larger-model"
MOST_ASKED = 3
"""How often the user is asked what to do."""
KEEP, AGAIN, STOP = "keep it", "try again", "stop"
RESERVE = 0.05
"""The part of the time of a run that is kept for its end, so that its answer is not lost with the time."""
LONGEST_RESERVE = 1.0


@dataclass(frozen=True)
class Judging:
    """Validates what the role that answers the user says."""

    terms: Terms

    async def exchange(self, exchange: Exchange, go_on: NextExchange) -> Answer:
        answer = await go_on(exchange)
        if exchange.scope.depth or exchange.scope.view.validation.revised is not None:  # it was done before a crash
            return answer
        scope, author = exchange.scope, author_of(exchange)
        judges = Judges(self.terms, exchange.room, scope, author, self.terms.class_of(scope.view.task))
        return await Validating(self.terms, exchange, answer, Bench(self.terms, scope, judges)).run()


def author_of(exchange: Exchange) -> str:
    """The model that answered in an exchange. Later in the run, other models may have answered for its role."""
    view, role = exchange.scope.view, exchange.scope.view.answered_by
    if (judged := view.validation.judged.get(FIRST)) is not None:
        return judged.model
    used = [model for name, model, _ in view.roles if name == role]
    return used[-1] if used else exchange.member.role.model


@dataclass(frozen=True)
class Validating:
    """The validation of one answer. Its state is in the journal, so a resumed run goes on where it was."""

    terms: Terms
    exchange: Exchange
    answer: Answer
    bench: Bench

    @property
    def scope(self) -> Scope:
        return self.exchange.scope

    @property
    def author(self) -> str:
        """The model that wrote the first answer."""
        return self.bench.judges.author

    @property
    def validation(self) -> Validation:
        return self.scope.view.validation

    async def run(self) -> Answer:
        """The best answer. What goes wrong here costs the verdict, and never the answer."""
        try:
            async with asyncio.timeout(self._seconds) as limit:
                await self._improve()
        except TimeoutError:
            if not limit.expired():
                raise
            self._give_up("the time of the run was over")
        except FAULTS as error:
            if error.by_user:
                raise
            self._give_up(error.message)
        self._tell()
        return self._best()

    @property
    def _seconds(self) -> float | None:
        left = self.scope.seconds_left
        return None if math.isinf(left) else max(0.0, left - min(LONGEST_RESERVE, RESERVE * left))

    def _give_up(self, why: str) -> None:
        """Record that there will be no verdict, unless there is one."""
        if self.validation.verdict is None:
            self.scope.record(
                AnswerJudged(FIRST, self.scope.lane, self.scope.role, self.author, threshold=self.terms.threshold, reasons=(why,))
            )
        else:
            self.scope.warn(f"The answer could not be made better: {why}")

    def _tell(self) -> None:
        """Warn the user of an answer that has not passed."""
        judged = self.validation.verdict
        if judged is None or judged.verdict == "pass":
            return
        if judged.verdict == "fail":
            self.scope.warn(f"The answer did not pass its validation: {_numbers(judged)}.{_worst(judged)}")
        else:
            self.scope.warn(
                f"MMOS could not verify the answer: {'; '.join(reason.rstrip('.') for reason in judged.reasons) or 'nobody could judge it'}."
            )

    def _best(self) -> Answer:
        """The best answer, which becomes the answer of the lane."""
        step = self.validation.best
        if step == FIRST:
            return self.answer
        message = replace(self._lane(step).last, calls=(), call_id="", tool_name="", role="assistant")
        self.scope.record(AnswerRevised(self.scope.lane, message, self.scope.role, step))
        return answer_of(message, self.exchange.shape)

    # ---------------------------------------------------------------- the steps

    async def _improve(self) -> None:
        """Judge the answer. While it fails, try what may help, in this order."""
        await self.bench.judged(await self._candidate(FIRST, self.answer, self.author))
        for step in (self._revise, self._ask_larger_model, self._ask_user):
            if self._fails:
                await step()

    @property
    def _fails(self) -> bool:
        judged = self.validation.verdict
        return judged is not None and judged.verdict == "fail"

    async def _revise(self) -> None:
        """Let the author revise its answer; again, as long as that helps and is not enough."""
        for number in range(1, REVISIONS + 1):
            kept = await self._try(self._revision(f"revision-{number}"))
            if not kept or not self._fails:
                return

    async def _ask_larger_model(self) -> None:
        models = await self.terms.known()
        if larger(models, self.author) is None:
            return  # nobody needs to be tried as a judge
        judges = [judge.model for judge in await self.bench.judges.chosen()]
        if (other := larger(models, self.author, judges)) is not None:
            question, past = self._lane(FIRST).messages[0], f"past:{self._address(FIRST)}"  # nothing of the answer that failed
            await self._try(self._question(LARGER, question, past, other.name))

    async def _ask_user(self) -> None:
        """Ask the user, if one is there, and do what the user wants."""
        for number in range(1, MOST_ASKED + 1):
            step = f"again-{number}"
            if step not in self.validation.tried:
                words = await self._wish(number)
                if words == KEEP:
                    return
                await self._try(self._revision(step, "" if words == AGAIN else words))
            if not self._fails:
                return

    def _revision(self, step: str, words: str = "") -> Question:
        """The author of the best answer so far revises it. `words`: what the user wants."""
        best = self.validation.best
        return self._question(step, self._findings(words), f"lane:{self._address(best)}", self._author(best))

    def _question(self, step: str, message: Message, memory: str, model: str) -> Question:
        """A question to the role that answered, with this model."""
        other = "" if model == self.author else model
        return Question(self.scope.view.answered_by, message, step, named=True, memory=memory, shape=self.exchange.shape, model=other)

    def _findings(self, words: str) -> Message:
        judged = self.validation.verdict
        found = [finding_of(one) for one in judged.findings] if judged else []
        user = [Finding("user", "error", "", words)] if words else []
        return Message("user", self.terms.templates.fill("revise", findings=listed([*user, *found])))

    async def _try(self, question: Question) -> bool:
        """Let a step answer, judge the answer, and record whether it is the best one so far. A step is tried once."""
        step = question.key
        if (tried := self.validation.tried.get(step)) is not None:
            return tried.kept
        kept, why = False, ""
        old = await self._candidate_of(self.validation.best)
        try:
            answer = await self.exchange.room.ask(self.scope, question, call=VALIDATION)
        except FAULTS as error:
            why = error.message
        else:
            author = question.model or self.author
            new = await self._candidate(step, answer, author)
            kept, why = (False, "it was cut off") if not answer.complete else await self._is_better(new, old)
        self.scope.record(ImprovementTried(step, self.scope.lane, self.scope.role, kept, why))
        return kept

    async def _is_better(self, new: Candidate, old: Candidate) -> tuple[bool, str]:
        if new.text.strip() == old.text.strip():
            return False, "it is the same answer"
        before, after = self.validation.judged[old.step], await self.bench.judged(new)
        scores = f"score {before.score:.2f} before, {after.score:.2f} now"
        is_better = improves(after, before)
        if self.terms.cross and after.judged and before.judged:
            preferred = await self.bench.prefers(new, old)
            if preferred:
                return preferred == "new", f"{scores}; in both orders, the judge prefers the {preferred} one"
        return is_better, scores if after.judged or is_better else f"{scores}; nobody could judge it"

    # ---------------------------------------------------------------- the answers of steps

    def _address(self, step: str) -> str:
        return self.scope.view.speaker if step == FIRST else f"{self.scope.lane}/{VALIDATION}/{step}"

    def _lane(self, step: str) -> Lane:
        return self.scope.bind(lane=self._address(step)).exchange

    def _author(self, step: str) -> str:
        return self.validation.judged[step].model

    async def _candidate(self, step: str, answer: Answer, model: str) -> Candidate:
        return Candidate(step, await self.terms.whole(self.exchange.shape, self.scope, answer.text), model)

    async def _candidate_of(self, step: str) -> Candidate:
        """The answer of a step that has ended."""
        answer = self.answer if step == FIRST else answer_of(self._lane(step).last, self.exchange.shape)
        return await self._candidate(step, answer, self._author(step))

    # ---------------------------------------------------------------- the user

    async def _wish(self, number: int) -> str:
        """What the user wants: `KEEP`, `AGAIN`, or words on what to change. Without a user who is there, the answer is kept."""
        desk, judged = self.exchange.room.desk, self.validation.verdict
        if desk.policy != "ask" or not desk.reachable or judged is None:
            return KEEP
        text = f"The answer did not pass its validation: {_numbers(judged)}.{_worst(judged)} What should MMOS do? You may also write what to change."
        question = UserQuestion(text, "choice", (KEEP, AGAIN, STOP), default=KEEP)
        try:
            words = (await desk.ask(self.scope, question, call=f"{self.scope.lane}#{VALIDATION}-{number}")).strip()
        except (QuestionUnanswered, ToolError):
            return KEEP
        if words == STOP:
            error = NoAnswer("The answer did not pass its validation, and you ended the run.")
            error.by_user = True
            raise error
        return words or KEEP


def _numbers(judged: AnswerJudged) -> str:
    return f"score {judged.score:.2f}, and {judged.threshold:.2f} is needed"


def _worst(judged: AnswerJudged) -> str:
    """The first finding, as a sentence. Empty: there is none."""
    if not judged.findings:
        return ""
    one = finding_of(judged.findings[0])
    return f" {one.kind}: {one.where}{': ' if one.where else ''}{one.message}"
