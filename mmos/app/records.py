"""What an app does with the runs and threads of its journal, without asking a model."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from mmos import events
from mmos.answers import this_user
from mmos.app.answering import give_answer
from mmos.app.cancelling import Cancelling, request
from mmos.app.lifecycle import RunOptions
from mmos.app.terms import check_text
from mmos.choice_events import TaskRouted
from mmos.errors import NotFound, StateError, UsageError
from mmos.events import Entry, Event, LaneOpened, ModelReplied, RunRated, RunResumed, RunWithdrawn, ThreadNamed
from mmos.journal import Journal, is_id, new_id
from mmos.messages import File, clean
from mmos.threads import on_thread
from mmos.views.conversation import Conversation
from mmos.views.listing import RUN_KINDS, STARTS, THREAD_KINDS, at_work, check_name, find_run, find_thread, thread_named, threads
from mmos.views.run import RunView
from mmos.views.turns import TURN_KINDS, no_turn, owner, turn_at, turns, whole_until

MOST_CONVERSATIONS = 256
"""The most conversations that an app keeps in memory. It reads others from the journal again."""


@dataclass(frozen=True)
class Fork:
    """A run that goes on from a turn of another one."""

    run: str
    origin: str
    turn: int
    """The turn that it takes again."""
    until: int
    """The number of the last entry that both have."""
    exact: bool = True
    """False when a request inside a consultation was named. The fork then begins at the turn that consulted."""


class Records:
    """The runs and threads of a journal."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._conversations: dict[str, Conversation] = {}
        self._threads: dict[str, str] = {}
        self._at_work: set[str] = set()
        self._cancelling = Cancelling(journal)

    async def answer(self, run: str, text: str, *, question: str | None = None, who: str = "") -> None:
        """Answer a question of a run. `resume` then continues the run, and has an example.

        Only the first answer counts. An answer that does not fit the question, a second one and one after the deadline raise `UsageError`.

        Args:
            run: The id of the run, or its first or last characters.
            text: The answer; for a file, its path.
            question: The id of the question. None: the open one, if there is only one.
            who: Who answers. Default: the user of this process, as USER@HOST.
        """
        check_text("text", text)
        await give_answer(self.journal, await self.find(run), text, question=question, who=who)

    async def cancel(self, run: str, *, by: str = "") -> None:
        """Cancel a run, also one of another process. What is there is kept, and `resume` can continue it.

        It returns when the request is recorded. `App.run` of a run that is cancelled like this returns an answer with the status "cancelled".

        Args:
            run: The id of the run, or its first or last characters.
            by: Who cancels it, for the reason of the answer. Empty: the user and the machine of this process.

        Example::

            await app.cancel("9F3K")
        """
        entry = await request(self.journal, await self.find(run), clean(by) or this_user())
        if entry is not None:
            self._cancelling.heed(entry)

    async def steer(self, run: str, text: str) -> None:
        """Write to the models of a run that talk with each other, also in another process. All of them and the arbiter read it before they write again.

        Args:
            run: The id of the run, or its first or last characters.
            text: What they should know. `UsageError` is raised when no conversation of models goes on in the run.

        Example::

            await app.steer("9F3K", "Do not change the public interface.")
        """
        from mmos.conversing.steering import steer  # few runs have a conversation of models

        self._cancelling.heed(await steer(self.journal, await self.find(run), text))

    async def rate(self, run: str, *, good: bool, note: str = "") -> None:
        """Record whether a run was good, with a note. The newest rating counts. `run` is its id, or its first or last characters."""
        run = await self.find(run)

        def choose(entries: list[Entry]) -> list[tuple[str, str, Event]]:
            if not entries:
                raise NotFound(f"Run {run} has been deleted.")
            return [(run, entries[0].thread, RunRated(good, clean(note)))]

        await self.journal.decide(RUN_KINDS, choose, run=run)
        if not good:
            replies = [entry.event for entry in await self.journal.read(run=run, kinds=(ModelReplied.kind,))]
            sources = {str(event.placement.get("run")) for event in replies if isinstance(event, ModelReplied) and event.cached}
            await self._forget({run, *sources})

    async def _forget(self, runs: Collection[str]) -> None:
        """Forget the kept answers of runs, if there is a cache. One that cannot be used gives none either."""
        from mmos.cache.shelf import forget_runs

        with suppress(StateError):
            await on_thread(forget_runs, self.journal.folder, runs)

    async def files_of(self, run: str) -> tuple[File, ...]:
        """The files that were attached to the task of a run. `run` is its whole id."""
        return RunView.of(await self.journal.read(run=run, kinds=(LaneOpened.kind,))).files

    async def withdraw(self, run: str, *, thread: str = "") -> None:
        """Remove an ended run from its thread's history, so that the user can ask again. The record of the run stays.

        Args:
            run: The id of the run, or its first or last characters.
            thread: The id of a conversation that was forked after the run: only there it no longer counts. Empty: in its own one.
        """
        run = await self.find(run)
        view = RunView.of(await self.journal.read(run=run, kinds=RUN_KINDS))
        if run in self._at_work or (at_work(view, self.journal.alive) and view.process != self.journal.process):
            raise UsageError(f"Run {run} is still at work.", next_step="Wait for its end, or cancel it.")
        thread = thread or view.thread
        entry = self.journal.append(run, thread, RunWithdrawn())
        if thread in self._conversations:
            self._conversations[thread].apply(entry)
        await self.journal.durable(run)

    async def fork(self, run: str, *, at: int | str | None = None, options: RunOptions | None = None) -> Fork:
        """Make a run that goes on from a turn of another one, with other options. `resume` takes that turn again.

        The new run shares the past of the other one, which stays as it is, and has a thread of its own. It is `Fork.run`.

        Args:
            run: The id of the run, or its first or last characters.
            at: The turn of the role that answers, counted from 1, or the id of a request, such as "a7": then the turn that it belongs to.
                None: the last turn.
            options: Options that the new run has in place of those of the old one.

        Example::

            fork = await app.fork(answer.run, at=2, options=mmos.RunOptions(roles={"coding": "qwen2.5-coder:7b"}))
            other = await app.resume(fork.run)
        """
        run = await self.find(run)
        opened = await self.journal.read(run=run, kinds=("lane_opened",), limit=1)
        lane = RunView.of(opened).lane
        found = turns(await self.journal.glance(run, TURN_KINDS, "lane"), lane)
        if isinstance(at, str):
            turn, exact = await self._turn_with(run, found, at)
        else:
            turn, exact = turn_at(found, run, at), True
        known = await self.journal.read(run=run, kinds=(*RUN_KINDS, TaskRouted.kind))  # a resume or a choice may have changed the options
        view, until = RunView.of(known), found[turn - 1] - 1
        origin, thread = owner(known, run, view.thread, until)
        changes = {**view.options, **(options.as_facts() if options else {})}
        event = events.Forked(thread, until, origin, turn, view.task, changes, rehearsed=view.rehearsed)
        entry = self.journal.append(new_id(), new_id(), event)
        await self.journal.durable(entry.run)
        return Fork(entry.run, run, turn, until, exact)

    async def _turn_with(self, run: str, found: Sequence[int], ask: str) -> tuple[int, bool]:
        """The turn that a request belongs to, and whether the request is its first."""
        asks = await self.journal.glance(run, TURN_KINDS[:1], "ask")
        place = next((seq for seq, _, name in asks if name == ask), None)
        if place is None:
            raise no_turn(found, run, ask)
        return bisect_right(found, place), place in found

    async def fork_thread(self, thread: str, *, after: int | None = None, name: str = "") -> str:
        """Make a conversation that has the past of another one, and return its id. The other one stays as it is.

        Args:
            thread: The name or the id of the conversation.
            after: The number of its newest task that the new one remembers, counted from 1. None: all of them.
            name: A name for the new one.
        """
        if name:
            check_name(name := clean(name))
        known = await self.journal.read(kinds=THREAD_KINDS)
        origin, new = find_thread(known, thread), new_id()
        entries = await self.journal.read(thread=origin)
        until = whole_until(entries, after)
        _, owning = owner(entries, "", origin, until)

        def choose(entries: list[Entry]) -> list[tuple[str, str, Event]]:
            if name and thread_named(entries, name):
                raise UsageError(f"There is already a conversation {name!r}.", next_step="Choose another name.")
            first = next((row.first for row in threads(known) if row.thread == origin), "")
            fork: list[tuple[str, str, Event]] = [("", new, events.Forked(owning, until, task=first))]
            return [*fork, ("", new, ThreadNamed(name))] if name else fork

        await self.journal.decide(THREAD_KINDS, choose)
        return new

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

    async def _claim(self, run: str, thread: str, resumed: RunResumed) -> Entry:
        """Record that this process resumes a run. Fails if another process works on it."""

        def choose(entries: list[Entry]) -> list[tuple[str, str, Event]]:
            if not entries:
                raise NotFound(f"Run {run} has been deleted.")
            view = RunView.of(entries)
            if at_work(view, self.journal.alive) and view.process != self.journal.process:
                raise UsageError(
                    f"Run {run} is still at work in another process.", next_step=f"Wait for its end, or stop it: mmos runs cancel {run}"
                )
            if view.status == "answered":
                raise UsageError(f"Run {run} already has an answer.", next_step=f"See mmos runs show {run}.")
            return [(run, thread, resumed)]

        (entry,) = await self.journal.decide(RUN_KINDS, choose, run=run)
        return entry

    # ---------------------------------------------------------------- names and conversations

    async def _conversation(self, thread: str) -> Conversation:
        """The conversation of a thread. Runs of this app extend it. It is built again only if another process has written to the thread."""
        conversation = self._conversations.get(thread)
        if conversation is not None:
            ends = await self.journal.read(thread=thread, kinds=("lane_closed", "run_withdrawn"), after=conversation.newest)
            if conversation.knows(ends):
                return conversation
        return self._known(thread, await self.journal.read(thread=thread))

    def _known(self, thread: str, entries: Iterable[Entry]) -> Conversation:
        """The conversation with all these entries, which the app keeps from now on."""
        limit(self._conversations, MOST_CONVERSATIONS)
        conversation = self._conversations[thread] = Conversation(entries)
        return conversation

    async def find(self, run: str) -> str:
        """Return the whole id of a run. `run` is its id, or its first or last characters. Raises `NotFound` if there is no such run."""
        check_text("run", run)
        if is_id(run) and await self.journal.read(run=run, limit=1):
            return run
        return find_run(await self.journal.read(kinds=STARTS), run)

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
