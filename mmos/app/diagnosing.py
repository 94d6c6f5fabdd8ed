"""Finds out why something failed: by rules first, then by a model that reads the log, whose answer is checked against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from mmos.app.answer import Answer
from mmos.app.diagnosis import Diagnosis, Failure
from mmos.app.lifecycle import RunOptions, Watch
from mmos.app.log import Log
from mmos.app.wiring import DIAGNOSIS
from mmos.diagnosis.cleaning import body
from mmos.diagnosis.log import Line, Selection
from mmos.diagnosis.profile import Profile
from mmos.diagnosis.reader import Reader
from mmos.diagnosis.reply import SCHEMA, Explanation, Objection, is_messenger_line, objections, read, supported
from mmos.diagnosis.rules import judge
from mmos.diagnosis.verdict import Verdict
from mmos.events import Reason
from mmos.fences import fence
from mmos.journal import new_id
from mmos.participant.cast import Cast
from mmos.prompting.templates import Templates
from mmos.threads import on_thread

TOKENS = 4000
"""The most tokens of a log that a model gets at once."""
WHOLE = 1 << 18
"""The rules look at all lines of a log of no more bytes."""
RULES_TOKENS = 16_000
"""The tokens of a longer log that they look at."""
MOST_KNOWN = 2
"""Lines that are quoted for a failure that a rule knows: the line that the rule found, and the likeliest other one."""
SHARE = 2
"""The log gets this part of the window of the model: one half."""


class Asked(Protocol):
    """What a diagnosis needs of an app."""

    @property
    def templates(self) -> Templates: ...
    @property
    def logs(self) -> dict[str, Log]: ...
    def cast(self, options: RunOptions) -> Cast: ...
    async def run(self, task: str, *, thread: str | None, options: RunOptions | None, watch: Watch | None) -> Answer: ...


@dataclass(frozen=True)
class Material:
    """A log as the rules and the model see it."""

    selection: Selection
    verdict: Verdict


def examine(failure: Failure, tokens: int = TOKENS) -> Material:
    """Read a log: what a model would be shown of it, and what the rules say."""
    reader = Reader(tokens=tokens, good=failure.good)
    for block in failure.log.blocks():
        reader.feed(block)
    selection = reader.close()
    if selection.size <= WHOLE:
        return Material(selection, judge(selection, [line for line in failure.log.all() if not _known(line, failure.good)]))
    more = reader.within(RULES_TOKENS)
    return Material(selection, judge(more, [line for passage in more.passages for line in passage.lines]))


def _known(line: Line, good: Profile | None) -> bool:
    """Whether the line stands in the log of a run that passed, too: then it explains nothing."""
    return good is not None and good.knows(body(line.text))


def by_rules(failure: Failure, material: Material, reason: Reason | None = None, run: str | None = None) -> Diagnosis:
    """The diagnosis without a model. `reason`: why none explains it."""
    verdict = material.verdict
    by = "rules" if verdict.cause else ""
    lines = material.selection.lines
    evidence = tuple(line for line in verdict.evidence if not is_messenger_line(line.text)) or verdict.evidence
    if verdict.category:
        evidence = evidence[:MOST_KNOWN]
    return Diagnosis(failure, verdict, verdict.cause, evidence, confidence=verdict.confidence, by=by, run=run, reason=reason, lines=lines)


async def diagnose(app: Asked, failure: Failure, options: RunOptions, watch: Watch) -> Diagnosis:
    """Ask a model or a pattern why something failed. Without one that can answer, the rules and the likeliest lines remain."""
    options = replace(options, role_only="" if options.pattern else DIAGNOSIS, schema=SCHEMA, on_question="fail")
    window = app.cast(options)[options.answering].role.window
    material = await on_thread(examine, failure, min(TOKENS, window // SHARE) if window else TOKENS)
    if not material.selection.passages:
        return by_rules(failure, material, Reason("usage", "There is no output to read."))
    return await _Inquiry(app, failure, material, options, watch).result()


@dataclass(frozen=True)
class _Inquiry:
    """One failure, and the conversation with the model about it."""

    app: Asked
    failure: Failure
    material: Material
    options: RunOptions
    watch: Watch
    thread: str = ""

    async def result(self) -> Diagnosis:
        inquiry = replace(self, thread=new_id())
        answer = await inquiry._ask(inquiry._task())
        if answer.status != "answered":
            return by_rules(self.failure, self.material, answer.reason, answer.run)
        explanation = read(answer.data)
        if problems := await inquiry._objections(explanation):
            answer, explanation = await inquiry._again(answer, explanation, problems)
        lines = await on_thread(self.failure.log.lines, explanation.evidence)
        kept = await on_thread(supported, explanation, _texts(lines), self.failure.log.has)
        return self._diagnosis(answer, kept, [lines[number] for number in kept.evidence])

    async def _ask(self, text: str) -> Answer:
        """One run with the model. While it works, its tools find the log by the id of the run."""
        runs: list[str] = []

        def begin(run: str) -> None:
            runs.append(run)
            self.app.logs[run] = self.failure.log
            if self.watch.on_begin is not None:
                self.watch.on_begin(run)

        try:
            return await self.app.run(text, thread=self.thread, options=self.options, watch=replace(self.watch, on_begin=begin))
        finally:
            for run in runs:
                del self.app.logs[run]

    async def _again(self, answer: Answer, explanation: Explanation, problems: Sequence[Objection]) -> tuple[Answer, Explanation]:
        """Ask once more, with what is wrong. If that fails, the first answer counts, as far as the log supports it."""
        told = "\n".join(self.app.templates.fill(problem.text, **problem.places) for problem in problems)
        second = await self._ask(self.app.templates.fill("diagnose_again", problems=told))
        return (second, read(second.data)) if second.status == "answered" else (answer, explanation)

    async def _objections(self, explanation: Explanation) -> list[Objection]:
        log, total = self.failure.log, self.material.selection.lines
        lines = await on_thread(log.lines, explanation.evidence)
        found: list[Objection] = await on_thread(objections, explanation, _texts(lines), total, log.has)
        return found

    def _task(self) -> str:
        selection, verdict, templates = self.material.selection, self.material.verdict, self.app.templates
        rules = ""
        if verdict.category:
            numbers = ", ".join(str(line.number) for line in verdict.evidence)
            rules = templates.fill("rules_found", category=verdict.category, cause=verdict.cause or "", lines=numbers)
        text = selection.text()
        task = templates.fill(
            "diagnose", what=_what(self.failure, templates), rules=rules, lines=str(selection.lines), log=text, fence=fence(text)
        )
        return f"{templates.text('diagnosis').strip()}\n\n{task}" if self.options.pattern else task

    def _diagnosis(self, answer: Answer, kept: Explanation, evidence: Sequence[Line]) -> Diagnosis:
        known, who = by_rules(self.failure, self.material, None, answer.run), _who(answer)
        known = replace(known, suggestions=kept.suggestions, more=kept.more, asked=who)
        if not kept.cause:  # the model does not know, and the rules may
            return known
        return replace(known, cause=kept.cause, evidence=tuple(evidence), confidence=kept.confidence, by=who)


def _texts(lines: Mapping[int, Line]) -> dict[int, str]:
    return {number: line.text for number, line in lines.items()}


def _what(failure: Failure, templates: Templates) -> str:
    match failure.kind:
        case "command":
            return templates.fill("failed_command", command=f"`{failure.name}`", code=str(failure.code))
        case "log":
            return templates.fill("failed_log", name=failure.name)
        case "run":
            return templates.fill("failed_run", run=failure.name)
        case "step":
            return templates.fill("failed_step", name=failure.name)


def _who(answer: Answer) -> str:
    """The model that explains it, or the pattern with its models."""
    for pattern in answer.view.patterns.by_id.values():
        return f"{pattern.begun.name} ({', '.join(pattern.begun.models)})"
    use = next((use for use in answer.view.roles.values() if use.role == DIAGNOSIS), None)
    rehearsed = ", rehearsed" if answer.view.rehearsed else ""
    return f"{use.model} on {use.host}{rehearsed}" if use else "model"
