"""What an app does with the runs and threads of its journal, without asking a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmos.errors import NotFound, UsageError
from mmos.events import Entry, Event, LaneOpened, QuestionAnswered, RunResumed, RunWithdrawn, ThreadNamed
from mmos.journal import Journal, is_id, new_id
from mmos.messages import File, clean
from mmos.views.conversation import Conversation
from mmos.views.listing import check_name, find_run, thread_named
from mmos.views.run import RunView

MOST_CONVERSATIONS = 256
"""The most conversations that an app keeps in memory. It reads others from the journal again."""


class Records:
    """The runs and threads of a journal."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._conversations: dict[str, Conversation] = {}
        self._threads: dict[str, str] = {}
        self._at_work: set[str] = set()

    async def answer(self, run: str, text: str, *, question: str | None = None) -> None:
        """Answer a question of a run. `resume` then continues the run, and has an example.

        Args:
            run: The id of the run, or its first or last characters.
            text: The answer.
            question: The id of the question. None: the open one.
        """
        run = await self.find(run)

        def choose(entries: list[Entry]) -> list[tuple[str, str, Event]]:
            view = RunView.of(entries)
            event = view.open_question if question is None else view.questions.get(question)
            if event is None:
                raise UsageError(f"Run {run} has no open question." if question is None else f"Run {run} has no question {question!r}.")
            if event.question in view.answers:
                raise UsageError(f"Question {event.question} of run {run} already has an answer.")
            return [(run, entries[0].thread, QuestionAnswered(event.question, clean(text)))]

        await self.journal.decide(("question_asked", "question_answered"), choose, run=run)

    async def files_of(self, run: str) -> tuple[File, ...]:
        """The files that were attached to the task of a run. `run` is its whole id."""
        return RunView.of(await self.journal.read(run=run, kinds=(LaneOpened.kind,))).files

    async def withdraw(self, run: str) -> None:
        """Remove an ended run from its thread's history, so that the user can ask again. The record of the run stays.

        `run` is its id, or its first or last characters.
        """
        run = await self.find(run)
        if run in self._at_work:
            raise UsageError(f"Run {run} is still at work.", next_step="Wait for its end, or cancel it.")
        thread = (await self.journal.read(run=run, limit=1))[0].thread
        entry = self.journal.append(run, thread, RunWithdrawn())
        if thread in self._conversations:
            self._conversations[thread].apply(entry)
        await self.journal.durable(run)

    # ---------------------------------------------------------------- who works on a run

    @contextmanager
    def _working(self, run: str) -> Iterator[None]:
        """Make sure that only one task of this process works on a run."""
        if run in self._at_work:
            raise UsageError(f"Run {run} is still at work.", next_step="Wait for its end, or cancel it.")
        self._at_work.add(run)
        try:
            yield
        finally:
            self._at_work.discard(run)

    async def _claim(self, run: str, thread: str) -> None:
        """Record that this process resumes a run. Fails if another process works on it."""

        def choose(entries: list[Entry]) -> list[tuple[str, str, Event]]:
            if not entries:
                raise NotFound(f"Run {run} has been deleted.")
            view = RunView.of(entries)
            if view.status is None and self.journal.alive(view.process) and view.process != self.journal.process:
                raise UsageError(f"Run {run} is still at work in another process.")
            if view.status == "answered":
                raise UsageError(f"Run {run} already has an answer.", next_step=f"See mmos runs show {run}.")
            return [(run, thread, RunResumed(self.journal.process))]

        await self.journal.decide(("run_started", "run_resumed", "run_finished"), choose, run=run)

    # ---------------------------------------------------------------- names and conversations

    async def _conversation(self, thread: str) -> Conversation:
        """The conversation of a thread. Runs of this app extend it. It is built again only if another process has written to the thread."""
        conversation = self._conversations.get(thread)
        if conversation is not None:
            ends = await self.journal.read(thread=thread, kinds=("lane_closed", "run_withdrawn"), after=conversation.newest)
            if conversation.knows(ends):
                return conversation
        limit(self._conversations, MOST_CONVERSATIONS)
        conversation = self._conversations[thread] = Conversation(await self.journal.read(thread=thread))
        return conversation

    async def find(self, run: str) -> str:
        """Return the whole id of a run. `run` is its id, or its first or last characters. Raises `NotFound` if there is no such run."""
        if is_id(run) and await self.journal.read(run=run, limit=1):
            return run
        return find_run(await self.journal.read(kinds=("run_started",)), run)

    async def _thread(self, name: str) -> str:
        """The id of a thread by name or id. If several processes ask for the same new name at once, only one creates it."""
        name = clean(name)
        check_name(name)
        if name in self._threads:
            return self._threads[name]
        if is_id(name):
            return name
        thread = ""

        def choose(entries: list[Entry]) -> list[tuple[str, str, Event]]:
            nonlocal thread
            thread = thread_named(entries, name) or new_id()
            return [] if any(entry.thread == thread for entry in entries) else [("", thread, ThreadNamed(name))]

        await self.journal.decide(("thread_named",), choose)
        limit(self._threads, MOST_CONVERSATIONS)
        self._threads[name] = thread
        return thread


def limit(cache: dict[Any, Any], most: int) -> None:
    """Make room for one more by removing the oldest entries."""
    while len(cache) >= most:
        del cache[next(iter(cache))]
