"""Answers questions of runs: checks an answer, and records it only if nobody has answered before."""

from __future__ import annotations

from collections.abc import Sequence

from mmos.answers import answer_to, at_deadline, at_time, is_overdue, this_user, without_answer
from mmos.errors import LateAnswer, NotFound, UsageError
from mmos.events import CallFinished, Entry, Event, Forked, LaneOpened, QuestionAnswered, QuestionAsked, RunFinished, RunResumed, RunStarted
from mmos.fences import one_line
from mmos.journal import Journal
from mmos.views.listing import at_work
from mmos.views.run import RunView

QUESTION_KINDS = tuple(
    event.kind for event in (RunStarted, Forked, RunResumed, RunFinished, LaneOpened, CallFinished, QuestionAsked, QuestionAnswered)
)
"""The kinds of events that show which questions of a run are open."""


async def give_answer(journal: Journal, run: str, text: str, *, question: str | None = None, who: str = "") -> QuestionAnswered:
    """Record the answer to a question of a run. `run` is its whole id; `question` None means the only open one.

    Raises `WrongAnswer` if it does not fit, and `UsageError` if there is nothing to answer. After the deadline, it records the default and
    raises `LateAnswer`.
    """
    before = await journal.read(run=run, kinds=QUESTION_KINDS)
    asked = _open_question(journal, run, before, question)
    late = is_overdue(asked, journal.now())
    facts = at_deadline(asked) if late else (answer_to(asked, text, who or this_user()),)  # before the decision, because it may read a file

    def choose(entries: list[Entry]) -> list[tuple[str, str, Event]]:
        if not entries:
            raise NotFound(f"Run {run} has been deleted.")
        known = {entry.seq for entry in entries}
        past = [entry for entry in before if entry.seq not in known]  # of a run that was forked: a decision reads only its own entries
        _open_question(journal, run, [*past, *entries], asked.question)
        return [(run, before[0].thread, fact) for fact in facts]

    await journal.decide(QUESTION_KINDS, choose, run=run)
    if late:
        raise LateAnswer(f"Your answer to {asked.question} came too late. {without_answer(asked)}")
    return facts[0]


def _open_question(journal: Journal, run: str, entries: Sequence[Entry], question: str | None) -> QuestionAsked:
    """The question that an answer is for. Raises if it cannot be answered now."""
    view = RunView.of(entries)
    found = {one.question: one for one in view.open_questions}
    if at_work(view, journal.alive):
        raise UsageError(
            f"Run {run} is still at work, and its own process takes the answers.",
            next_step="Answer at the terminal where it runs. If nobody is there, stop that process: then `mmos runs answer` works.",
        )
    if question is None and len(found) == 1:
        return next(iter(found.values()))
    if question in found:
        return found[question]
    if question is None and found:
        lines = "".join(f"\n  {one.question}: {one.role} asks: {one_line(one.text)}" for one in found.values())
        raise UsageError(f"Run {run} has {len(found)} open questions:{lines}", next_step="Say which one you answer: --question ID.")
    if question is None:
        newest = next(reversed(view.answers), "")
        raise UsageError(" ".join([f"Run {run} has no open question.", _first_answer(entries, newest)]).strip(), next_step=_go_on(view))
    if question not in view.questions:
        raise UsageError(f"Run {run} has no question {question!r}.", next_step=f"See mmos runs show {run}.")
    if question in view.answers:
        raise UsageError(
            f"Question {question} of run {run} already has an answer. {_first_answer(entries, question)}", next_step=_go_on(view)
        )
    raise UsageError(f"Question {question} of run {run} needs no answer any more.", next_step=_go_on(view))


def _go_on(view: RunView) -> str:
    return f"See mmos runs show {view.run}." if view.status == "answered" else f"`mmos runs resume {view.run}` continues the run."


def _first_answer(entries: Sequence[Entry], question: str) -> str:
    """Who answered a question, when, and what."""
    for entry in entries:
        if isinstance(event := entry.event, QuestionAnswered) and event.question == question:
            by = {"default": "MMOS took the default of", "deadline": "MMOS took the default at the deadline of"}
            who = f"{by[event.by]} {question}" if event.by in by else f"{event.who or 'The user'} answered {question}"
            return f"{who} at {at_time(entry.time)}: {event.text}"
    return ""
