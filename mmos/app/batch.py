"""Runs many tasks, some of them at once, and resumes those that have begun earlier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from mmos.app.answer import Answer
from mmos.app.gate import PATIENCE, Gate
from mmos.app.lifecycle import RunOptions, Watch
from mmos.errors import NotFound, UsageError
from mmos.events import Reason, Status
from mmos.fleet.fleet import Fleet
from mmos.journal import Journal
from mmos.messages import File
from mmos.views.document import UNSERVED
from mmos.views.run import RunView

MOST_AT_ONCE = 64
"""The most tasks that run at once, if the caller does not say how many."""


@dataclass(frozen=True)
class Task:
    """One task of many, for `App.batch`.

    Example::

        tasks = [mmos.Task("What is a mutex?"), mmos.Task("What is a fork?", options=mmos.RunOptions(role_only="coding"))]
        async for task, answer in app.batch(tasks):
            print(task.text, answer.status, answer.text)
    """

    text: str
    """What the user wants."""
    thread: str | None = None
    """The name or the id of a conversation. Tasks of one conversation run one after the other."""
    files: Sequence[str | Path | File] = ()
    """Files that go with the task."""
    options: RunOptions | None = None
    """Limits, other models and options. None: those of the batch."""
    run: str = ""
    """The id of a run that has begun with this task. MMOS continues it. If it has ended, its answer is the answer."""
    again: bool = False
    """Whether a `run` that has ended without an answer is continued, too."""
    watch: Watch | None = None
    """Callbacks of its run."""


class Runner(Protocol):
    """What runs the tasks: an `App`."""

    fleet: Fleet
    journal: Journal

    async def run(
        self,
        task: str,
        *,
        thread: str | None = None,
        files: Iterable[str | Path | File] = (),
        options: RunOptions | None = None,
        watch: Watch | None = None,
    ) -> Answer: ...
    async def resume(self, run: str, *, options: RunOptions | None = None, watch: Watch | None = None) -> Answer: ...


One = TypeVar("One", bound=Task)
Each = TypeVar("Each")


def at_once(fleet: Fleet) -> int:
    """As many tasks as the hosts serve at once, up to a limit."""
    return max(1, min(MOST_AT_ONCE, sum(seat.slots for seat in fleet.seats)))


class Batch(Generic[One]):
    """Tasks at work. Iterate over it once: it yields each task with its answer when that task has ended.

    It takes a task only when there is room to run it. If you stop reading, MMOS cancels the tasks at work.
    """

    def __init__(
        self,
        app: Runner,
        tasks: Iterable[One] | AsyncIterable[One],
        *,
        concurrency: int | None = None,
        options: RunOptions | None = None,
        patience: float = PATIENCE,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        if concurrency is not None and concurrency < 1:
            raise UsageError(f"concurrency is {concurrency}: at least one task must run at once.")
        self.concurrency = concurrency or at_once(app.fleet)
        self._app = app
        self._options = options or RunOptions()
        self._gate = Gate(app.fleet, tell, patience)
        self._tasks = tasks if isinstance(tasks, AsyncIterator) else _each(tasks)
        self._taking = asyncio.Lock()
        self._ends: dict[str, asyncio.Event] = {}
        """For each thread at work, the end of its newest task."""
        self._answers: asyncio.Queue[tuple[One, Answer] | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(self.concurrency)

    async def __aiter__(self) -> AsyncIterator[tuple[One, Answer]]:
        working = asyncio.create_task(self._work())
        try:
            while (ended := await self._answers.get()) is not None:
                self._room.release()
                yield ended
            await working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _work(self) -> None:
        workers = [asyncio.create_task(self._work_off()) for _ in range(self.concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            self._answers.put_nowait(None)

    async def _work_off(self) -> None:
        """Run one task after the other."""
        while True:
            async with self._taking:
                task = await anext(self._tasks, None)
                if task is None:
                    return
                before, end = self._line_up(task)
            try:
                if before is not None:
                    await before.wait()
                answer = await self._answer(task)
            finally:
                self._leave(task, end)
            await self._room.acquire()  # a caller that reads slowly slows the batch down
            self._answers.put_nowait((task, answer))

    def _line_up(self, task: One) -> tuple[asyncio.Event | None, asyncio.Event]:
        """The end of the task before this one in its thread, and its own end."""
        end = asyncio.Event()
        if task.thread is None:
            return None, end
        before = self._ends.get(task.thread)
        self._ends[task.thread] = end
        return before, end

    def _leave(self, task: One, end: asyncio.Event) -> None:
        end.set()
        if task.thread is not None and self._ends.get(task.thread) is end:
            del self._ends[task.thread]

    async def _answer(self, task: One) -> Answer:
        """The answer to a task. A wrong task has one, too."""
        try:
            view = RunView.of(await self._app.journal.read(run=task.run)) if task.run else RunView()
            if _has_ended(view) and not (task.again and view.status != "answered"):
                return Answer.of(view)
            return await self._served(task, view.run if view.lane else "")  # without a lane it never began, or somebody deleted it
        except (UsageError, NotFound) as error:
            return Answer.of(RunView(status="failed", reason=Reason(error.code, error.message, error.next_step)))

    async def _served(self, task: One, run: str) -> Answer:
        """Begin or continue the run of a task. If no host can serve it, try once more when a host answers."""

        def begins(found: str) -> None:
            nonlocal run
            run = found
            if task.watch is not None and task.watch.on_begin is not None:
                task.watch.on_begin(found)

        watch, tried = replace(task.watch or Watch(), on_begin=begins), False
        while True:
            await self._gate.passed()
            served = self._gate.served
            answer = await (self._resume(task, run, watch) if run else self._begin(task, watch))
            if not _is_unserved(answer.status, answer.reason):
                self._gate.serves()
                return answer
            if tried:
                self._gate.refuses(answer.reason.message if answer.reason else "")
                return answer
            tried = True
            await self._gate.host_answers(served)

    async def _begin(self, task: One, watch: Watch) -> Answer:
        options = task.options or self._options
        if options.urgency is None:
            options = replace(options, urgency="batch")
        return await self._app.run(task.text, thread=task.thread, files=task.files, options=options, watch=watch)

    async def _resume(self, task: One, run: str, watch: Watch) -> Answer:
        """A run keeps its options, unless the caller wants it again."""
        return await self._app.resume(run, options=task.options if task.again else None, watch=watch)


def _has_ended(view: RunView) -> bool:
    """Whether a run has a result. One that was stopped with its batch, found no host or has got its answer since goes on."""
    if view.status is None or view.status == "cancelled":
        return view.status is not None and view.cancel_request is not None  # somebody wanted this run to end, and not the batch
    return view.open_question is not None if view.status == "waiting" else not _is_unserved(view.status, view.reason)


def _is_unserved(status: Status, reason: Reason | None) -> bool:
    """Whether a run ended because no host could serve it."""
    return status in ("failed", "partial") and reason is not None and reason.code in UNSERVED


def as_tasks(tasks: Iterable[str | Task] | AsyncIterable[str | Task]) -> AsyncIterator[Task]:
    """These tasks, and texts as tasks."""
    if isinstance(tasks, str | bytes) or not isinstance(tasks, Iterable | AsyncIterable):
        raise UsageError(
            f"tasks: found {type(tasks).__name__}, allowed: many texts or mmos.Tasks.", next_step='Give a list: ["One?", "Two?"]'
        )
    return _checked(tasks)


async def _checked(tasks: Iterable[str | Task] | AsyncIterable[str | Task]) -> AsyncIterator[Task]:
    async for task in _each(tasks):
        if not isinstance(task, str | Task):
            raise UsageError(f"A task of the batch: found {type(task).__name__}, allowed: a text or an mmos.Task.")
        yield Task(task) if isinstance(task, str) else task


async def _each(tasks: Iterable[Each] | AsyncIterable[Each]) -> AsyncIterator[Each]:
    if isinstance(tasks, AsyncIterable):
        async for task in tasks:
            yield task
    else:
        for task in tasks:
            yield task
