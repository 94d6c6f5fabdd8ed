"""Has files rewritten by models: one run for each file. An answer that is not the file is asked for once more, and then refused. Nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from mmos.app.answer import Answer
from mmos.app.batch import at_once
from mmos.app.grading import Grade, broken, grade
from mmos.app.lifecycle import RunOptions, Watch
from mmos.app.stream import Stream
from mmos.event import Event
from mmos.events import ModelReplied
from mmos.fences import fence
from mmos.fleet.fleet import Fleet
from mmos.pattern_events import MemberEnded
from mmos.prompting.templates import Templates
from mmos.rewriting.candidate import Candidate, Unusable, candidate
from mmos.rewriting.sources import Source
from mmos.rewriting.text import NotWritable

ROOM = "Give the model more room: max_tokens of the member, or num_predict of the role."
TRIES = 2
"""A model is asked once, and once more when its answer is not the file."""


class Rewriter(Protocol):
    """What rewriting needs of an app."""

    fleet: Fleet
    templates: Templates

    def stream(self, task: str, *, options: RunOptions | None = None, watch: Watch | None = None) -> Stream: ...


@dataclass(frozen=True)
class Way:
    """A pipeline, or whoever else rewrites a file."""

    name: str
    options: RunOptions


@dataclass(frozen=True)
class ModifyOptions:
    """How files are rewritten."""

    ways: tuple[Way, ...]
    """One after the other: each gets what the one before has made of the file."""
    validate: bool = False
    """Whether a rewrite with an error that the file did not have is refused."""
    threshold: float | None = None
    """The score that the checks must give a rewrite. None: any."""
    concurrency: int | None = None
    """How many files are rewritten at once. None: as many as the hosts serve at once."""
    on_event: Callable[[Source, Event], None] = lambda _source, _event: None
    on_end: Callable[[Rewrite], None] = lambda _rewrite: None


@dataclass(frozen=True)
class Rewrite:
    """What became of one file."""

    source: Source
    way: str
    """The names of the ways, in their order."""
    new: str | None
    """Its new text. None: there is none that may be written."""
    why: str = ""
    """Why there is none."""
    next_step: str = ""
    notes: tuple[str, ...] = ()
    """What was mended in answers, or is doubtful."""
    before: Grade = field(default_factory=Grade)
    after: Grade = field(default_factory=Grade)
    members: Mapping[str, str] = field(default_factory=dict)
    """The texts of the members of a pattern, each as a whole file, by name."""
    answers: tuple[Answer, ...] = ()

    @property
    def is_changed(self) -> bool:
        return self.new is not None and self.new != self.source.text.text

    @property
    def runs(self) -> tuple[str, ...]:
        return tuple(answer.run for answer in self.answers if answer.run)


async def modify(app: Rewriter, instruction: str, sources: Sequence[Source], options: ModifyOptions) -> list[Rewrite]:
    """Rewrite each file as the instruction says, several at once. The result has the order of the files."""
    room = asyncio.Semaphore(options.concurrency or at_once(app.fleet))

    async def one(source: Source) -> Rewrite:
        async with room:
            rewrite = await _Work(app, instruction, source, options).result()
        options.on_end(rewrite)
        return rewrite

    tasks = [asyncio.create_task(one(source)) for source in sources]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class _Heard:
    """What the events of a run tell beside its answer."""

    texts: dict[str, str] = field(default_factory=dict)
    """The newest text of each lane."""
    cut: set[str] = field(default_factory=set)
    """Texts that a limit of their length cut off."""
    members: dict[str, str] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        if isinstance(event, ModelReplied):
            self.texts[event.lane] = event.message.content
            if event.done_reason == "length":
                self.cut.add(event.message.content.strip())
        elif isinstance(event, MemberEnded) and event.status == "answered" and event.lane in self.texts:
            self.members[event.name or event.key] = self.texts[event.lane]


@dataclass
class _Work:
    """One file that is rewritten."""

    app: Rewriter
    instruction: str
    source: Source
    options: ModifyOptions
    notes: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    members: dict[str, str] = field(default_factory=dict)

    async def result(self) -> Rewrite:
        text, why, next_step = self.source.text.text, "", ""
        before = grade(self.source.name, text)
        for way in self.options.ways:
            try:
                text = await self._by(way, text)
            except Unusable as error:
                why, next_step = str(error), ROOM if error.fault == "no_end" else ""
                break
            except _NoAnswer as error:
                why, next_step = str(error), error.next_step
                break
        after = before if why else grade(self.source.name, text)
        why = why or self._refusal(before, after)
        name = ", ".join(way.name for way in self.options.ways)
        new = None if why else text
        return Rewrite(self.source, name, new, why, next_step, tuple(self.notes), before, after, self.members, tuple(self.answers))

    async def _by(self, way: Way, text: str) -> str:
        """What one way makes of a text. Raises `Unusable` if its answers are not the file."""
        last: Unusable | None = None
        for _ in range(TRIES):
            answer, heard = await self._ask(way, text, str(last) if last else "")
            is_cut = (answer.text or "").strip() in heard.cut
            try:
                found = self._file(answer.text or "", text, cut=is_cut)
            except Unusable as error:
                if error.text is not None and last is not None and last.fault == error.fault:  # it was meant
                    self.notes.append(str(error))
                    return self.source.text.fitted(error.text)
                last = error
                if is_cut:  # the same limit would cut it off again
                    break
                continue
            self.notes += [found.mended] * bool(found.mended)
            self._remember(heard, text)
            return found.text
        raise last or Unusable("empty", "There was no answer.")

    async def _ask(self, way: Way, text: str, problem: str) -> tuple[Answer, _Heard]:
        shown = text.removesuffix("\n")
        task = self.app.templates.fill("modify", name=self.source.name, text=shown, fence=fence(text), instruction=self.instruction)
        if problem:
            task = f"{task}\n\n{self.app.templates.fill('modify_again', problem=problem)}"
        heard = _Heard()

        def hear(event: Event) -> None:
            heard.hear(event)
            self.options.on_event(self.source, event)

        options = replace(way.options, on_question=way.options.on_question or "fail")
        answer = await self.app.stream(task, options=options).to_end(hear)
        self.answers.append(answer)
        if answer.status != "answered":
            raise _NoAnswer(answer)
        return answer, heard

    def _file(self, answer: str, text: str, *, cut: bool = False) -> Candidate:
        """The file in an answer, in the form that it will have. Raises `Unusable`."""
        found = candidate(answer, text, self.source.name, ended=not cut)
        new = self.source.text.fitted(found.text)
        try:
            self.source.text.bytes_of(new)
        except NotWritable as error:
            raise Unusable("not_applied", str(error)) from None
        if fault := broken(self.source.name, text, new):
            raise Unusable("not_the_file", f"The new file does not parse, and the old one does. {fault}")
        return replace(found, text=new)

    def _remember(self, heard: _Heard, text: str) -> None:
        """Keep the files that single members made. What is no file is left out."""
        for name, said in heard.members.items():
            try:
                self.members[name] = self._file(said, text).text
            except Unusable as error:
                self.members.setdefault(name, error.text or "")

    def _refusal(self, before: Grade, after: Grade) -> str:
        """Why a rewrite is not good enough. Empty: it is."""
        threshold = self.options.threshold
        if threshold is not None and after.score < threshold:
            return f"The checks give the rewrite {after.score:.2f}, and {threshold:g} is needed."
        worse = list(after.new_errors(before)) if self.options.validate else []
        return f"The checks find a new error: {worse[0].message}" if worse else ""


class _NoAnswer(Exception):
    """A run ended without an answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.reason.message if answer.reason else f"The run is {answer.status}.")
        self.next_step = answer.reason.next if answer.reason else ""
