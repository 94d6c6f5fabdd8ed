"""Runs tasks, resumes and streams them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmos.app import caching, checks, replaying, wiring
from mmos.app.answer import Answer
from mmos.app.batch import Batch, Task, as_tasks
from mmos.app.casting import cast_for, cast_key
from mmos.app.classifying import Classifying
from mmos.app.comparing import Comparing
from mmos.app.dividing import LazyDividing
from mmos.app.explaining import Explaining
from mmos.app.knowing import Knowing
from mmos.app.larger import Larger
from mmos.app.lifecycle import RunOptions, Watch, carry, keep_end
from mmos.app.log import Log
from mmos.app.records import Records, limit
from mmos.app.remembering import Remembering
from mmos.app.routing import Routed, Router, unheeded
from mmos.app.shelving import Shelving
from mmos.app.shortening import Shortening
from mmos.app.sight import check_sight
from mmos.app.stream import Stream
from mmos.app.surrounding import judging_for, looking_up_for, standing_for
from mmos.app.terms import check_text
from mmos.app.unserved import RollCall, UnservedRoles
from mmos.calls.shape import Shape
from mmos.config.load import Config
from mmos.config.phases import Phases
from mmos.errors import UsageError
from mmos.events import ConfigKept, Entry, LaneOpened, ModelLearned, ModelReplied, RunResumed, RunStarted
from mmos.files import read
from mmos.fitness.card import Card
from mmos.fitness.verdict import Trials
from mmos.fleet.fleet import Fleet
from mmos.journal import Journal, new_id
from mmos.messages import File, Message, clean
from mmos.participant.cast import Cast
from mmos.participant.experience import Experience
from mmos.participant.foresight import Foresight
from mmos.participant.ladder import Ladder
from mmos.participant.loop import Participants
from mmos.participant.models import wrap
from mmos.participant.questions import Desk
from mmos.participant.rationing import Rationed, quotas_of
from mmos.prompting.templates import Templates
from mmos.replay.present import Present
from mmos.replay.report import Replay
from mmos.replay.state import RunState, around
from mmos.scope import Scope
from mmos.toolbox import Tool, Toolbox, from_function
from mmos.views.conversation import Conversation
from mmos.views.run import RunView

MOST_CASTS = 16


class App(Records, Explaining, Knowing, Comparing, Classifying, Shelving, Shortening):
    """Runs tasks with one configuration: `run` returns the answer, `stream` yields events. Make one with `mmos.open`.

    `config`, `fleet`, `journal` and `tools` are the parts that it uses.
    """

    def __init__(
        self,
        config: Config,
        fleet: Fleet,
        journal: Journal,
        *,
        tools: Iterable[Callable[..., Any] | Tool] = (),
        trials: Sequence[Card] = (),
        rehearsed: bool = False,
    ) -> None:
        super().__init__(journal)
        self.config = config
        self.fleet = fleet
        self.rehearsed = rehearsed
        self.templates: Templates = wiring.templates_of(config)
        shares = config.orchestration.fleet.quotas
        self._cache = caching.around(config, fleet, journal.folder, rehearsed=rehearsed)
        self._models = Rationed(wrap(self._cache or fleet), quotas_of(shares), shares)
        self.foresight = Foresight(fleet.warmth, config.orchestration.fleet.warm_up)
        self.trials = trials
        self._experience = Experience(best_channel=Trials(fleet, trials).channel)
        self._has_recalled = False
        """Whether it has read what earlier runs learned of models."""
        self.roll = RollCall(fleet)
        self._casts: dict[Any, Cast] = {}
        self.logs: dict[str, Log] = {}
        """The logs of the runs at work that explain a failure."""
        self._limits = wiring.limits_of(config)
        self.tools: Toolbox = checks.tools_of(
            config,
            [*(tool if isinstance(tool, Tool) else from_function(tool) for tool in tools), *self._library_tools()],
            Larger(self),
            self.look_up_for,
        )
        self._phases = wiring.phases_of(config, self.tools)
        self._router = Router(self)
        self._remembering = Remembering(journal, self.templates, wanted=config.orchestration.tell_mistakes, rehearsed=rehearsed)

    def __repr__(self) -> str:
        return f"<App {self.config.path or 'without a file'}: {', '.join(self.config.roles())} on {self.fleet!r}>"

    # ---------------------------------------------------------------- running

    async def run(
        self,
        task: str,
        *,
        thread: str | None = None,
        files: Iterable[str | Path | File] = (),
        on_token: Callable[[str], None] | None = None,
        options: RunOptions | None = None,
        watch: Watch | None = None,
    ) -> Answer:
        """Run one task, from the question to the answer. A run that fails, waits or is cut short also returns an answer: see `Answer.status`.

        Wrong usage raises `UsageError`, a wrong configuration `ConfigError`. If your asyncio task is cancelled, `CancelledError` is raised.

        Args:
            task: What the user wants.
            thread: The name or the id of a conversation to continue. A new name begins one.
            files: Files that go with the task: UTF-8 texts, and images for models that can see.
            on_token: Called with each piece of the answer.
            options: Limits, other models and options for this run.
            watch: More callbacks than `on_token`, and a function that answers questions. It replaces `on_token`.

        Example::

            answer = await app.run("Why does the build fail?", thread="build", on_token=print)
            print(answer.status, answer.text)
        """
        run, message = new_id(), _message(task, files)
        options, watch = options or RunOptions(), watch or Watch(on_token)
        if not message.content.strip():
            raise UsageError("The task is empty.", next_step="Write what you want done.")
        routed = await self._router.route(run, message, options)
        options = routed.options
        participants = await self._participants(options, watch)  # a wrong option is an error before there is a thread
        await check_sight(self.fleet, participants.cast, options.answering, message.files)
        name = new_id() if thread is None else await self._thread(thread)
        routed = await self._remembering.added(routed, "" if thread is None else name)
        if routed.options is not options:
            options = routed.options
            participants = await self._participants(options, watch)
        # without a name the user cannot continue it, so the app keeps no conversation in memory
        conversation = Conversation() if thread is None else await self._conversation(name)
        scope = self._scope(run, name, conversation, options, watch)
        if watch.on_begin is not None:
            watch.on_begin(run)
        start = await self._begin(scope, message, routed)
        with self._working(run):
            if watch.on_start is not None:
                watch.on_start(run)
            return await self._carry(participants, scope, start)

    async def _begin(self, scope: Scope, message: Message, routed: Routed) -> Entry:
        """Record what a run begins with. One that cannot be kept must not start."""
        path, names = clean(str(self.config.path or "")), tuple(file.name for file in message.files)
        start = scope.record(RunStarted(message.content, self.journal.process, path, routed.given.as_facts(), self.rehearsed, names))
        scope.record(ConfigKept(self.config.text))
        routed.record(scope)
        scope.record(LaneOpened(scope.lane, scope.role, message))
        await scope.durable()
        return start

    async def resume(
        self, run: str, *, options: RunOptions | None = None, watch: Watch | None = None, as_it_was: bool | None = None
    ) -> Answer:
        """Continue a run that waits, failed or was cut off by a crash. Finished calls are not repeated.

        When models would be asked with other words today than the run has used, a warning says so.

        Args:
            run: The id of the run, or its first or last characters.
            options: Options to change, from now on. The run keeps all others.
            watch: Callbacks, and a function that answers questions.
            as_it_was: Go on with the prompts, the schemas of tools and the options that the run has used, or with those of today.
                None: as the run was last resumed; at first, with those of today.

        Example::

            answer = await app.run("Paint the door.", options=mmos.RunOptions(on_question="wait"))
            if answer.status == "waiting":
                await app.answer(answer.run, "red")
                answer = await app.resume(answer.run)
        """
        run = await self.find(run)
        with self._working(run):
            return await self._resume(run, options, watch, as_it_was=as_it_was)

    async def _resume(self, run: str, options: RunOptions | None, watch: Watch | None, *, as_it_was: bool | None) -> Answer:
        entries = await around(self.journal, run)
        view = RunView.of(entry for entry in entries if entry.run == run)
        changes = {name: value for name, value in (options.as_facts() if options else {}).items() if view.options.get(name) != value}
        options = RunOptions.of_facts({**view.options, **changes})
        as_it_was = view.as_it_was if as_it_was is None else as_it_was
        participants, phases, changed = await self._participants(options, watch), self._phases_of(options), ""
        if as_it_was:
            participants, phases = replaying.as_it_was(participants, RunState(run, self.journal), entries, phases)
        else:
            changed = await replaying.changed(self.journal, run, entries, self._present)
        start = await self._claim(run, view.thread, RunResumed(self.journal.process, changes, as_it_was))
        if watch is not None and watch.on_start is not None:
            watch.on_start(run)
        newer = await self.journal.read(thread=view.thread, after=entries[-1].seq)
        for entry in (entry for entry in newer if entry.run == run):
            view.apply(entry)
        entries += newer
        scope = self._scope(run, view.thread, self._known(view.thread, entries), options, watch or Watch())
        scope = scope.bind(view=view, lane=view.lane, phases=phases, anew=scope.anew or bool(view.origin))
        if changed:
            scope.warn(changed)
        return await self._carry(participants, scope, start)

    async def replay(self, run: str, *, journal: Journal | None = None) -> Replay:
        """Compare every step of a run with what today's code, prompts and configuration would do there. No host is asked, and no function runs.

        Args:
            run: The id of the run, or its first or last characters.
            journal: Where the run is. None: in the journal of the app.

        Example::

            replay = await app.replay(answer.run)
            print(replay.summary())
        """
        journal = journal or self.journal
        return await replaying.replay(journal, await Records(journal).find(run), self._present)

    def stream(
        self,
        task: str,
        *,
        thread: str | None = None,
        files: Iterable[str | Path | File] = (),
        options: RunOptions | None = None,
        watch: Watch | None = None,
    ) -> Stream:
        """Run one task and yield its events live: the events of `mmos.events`, and between them `Hint`s of its progress.

        The last event is `RunFinished`. If you stop reading, MMOS cancels the run. The arguments are those of `run`. If `watch` has an
        `on_hint`, hints go there at once, and the stream yields only the events.

        Example::

            async for event in app.stream("And now?", thread="build"):
                print(event.text if isinstance(event, mmos.Hint) else event.kind)
        """
        return Stream(
            self.journal, lambda watch: self.run(task, thread=thread, files=files, options=options, watch=watch), watch or Watch()
        )

    def stream_resumed(
        self, run: str, *, options: RunOptions | None = None, watch: Watch | None = None, as_it_was: bool | None = None
    ) -> Stream:
        """Continue a run as `resume` does, and yield its events as `stream` does: first the earlier ones. The arguments are those of `resume`."""

        def work(watch: Watch) -> Awaitable[Answer]:
            return self.resume(run, options=options, watch=watch, as_it_was=as_it_was)

        return Stream(self.journal, work, watch or Watch(), resumed=True)

    def batch(
        self, tasks: Iterable[str | Task] | AsyncIterable[str | Task], *, concurrency: int | None = None, options: RunOptions | None = None
    ) -> Batch[Task]:
        """Run many tasks, some of them at once, and yield each with its answer when it has ended.

        A task that fails, or that is wrong, has an answer too. If no host answers, the batch waits for one, for up to ten minutes. Then it
        raises `NoHost`. If you stop reading, MMOS cancels the tasks at work.

        Args:
            tasks: Texts, or `Task`s with files and options of their own. MMOS takes the next one when there is room for it.
            concurrency: How many run at once. None: as many as the hosts serve at once, and 64 at most.
            options: Options of the tasks that have none of their own.

        Example::

            async for task, answer in app.batch(["What is a mutex?", "What is a fork?"], concurrency=2):
                print(task.text, answer.status, answer.text)
        """
        return Batch(self, as_tasks(tasks), concurrency=concurrency, options=options)

    async def unserved(self, options: RunOptions | None = None) -> list[UnservedRoles]:
        """Ask every host, and return the roles that no host can serve now, with the reason and what helps.

        `options`: as for a run, which may give roles other models.
        """
        return await self.roll.call(self.cast(options or RunOptions()))

    async def warm_up(self, options: RunOptions | None = None) -> None:
        """Have pinned models loaded, and the one that will answer. For a process that runs tasks for a while, such as a server.

        It returns when the loads have begun, and loads nothing that a host holds already. `options`: as for a run.

        Example::

            async with mmos.open("orchestration.yaml") as app:
                await app.warm_up()
        """
        cast = self.cast(options := options or RunOptions())
        if (asking := self.foresight.chat_begins(cast[options.answering], cast)) is not None:
            await asyncio.wait([asking])

    async def close(self) -> None:
        """Stop all background work. The caller that opened the fleet and the journal closes them."""
        await self.roll.close()
        if self._cache is not None:
            await self._cache.close()

    async def _forget(self, runs: Collection[str]) -> None:
        if self._cache is None:
            await super()._forget(runs)
        else:
            await self._cache.forget(runs)

    # ---------------------------------------------------------------- parts of a run

    def cast(self, options: RunOptions) -> Cast:
        """Every role with its model, system text and tools, for a run with these options."""
        key = cast_key(options)
        if key not in self._casts:
            limit(self._casts, MOST_CASTS)
            self._casts[key] = cast_for(options, self.config, self.tools, self.templates, self.logs)
        return self._casts[key]

    async def _participants(self, options: RunOptions, watch: Watch | None) -> Participants:
        participants = self._members(options, watch)
        if not self._has_recalled:
            self._experience.recall(await self.journal.read(kinds=(ModelLearned.kind,)))
            if self._models.quotas.limits:
                self._models.recall(await self.journal.read(kinds=(ModelReplied.kind,)), time.monotonic(), time.time())
            self._has_recalled = True
        return participants

    def _members(self, options: RunOptions, watch: Watch | None = None) -> Participants:
        """The participants of a run with these options."""
        cast = self.cast(options)
        answerer = watch.answerer if watch else None
        policy = options.on_question or ("ask" if answerer else "fail")
        ladder = wiring.ladder_of(self.config, cast, Ladder(self._models, self._experience.gauge, self.templates))
        shape = Shape.of(options.schema) if options.schema is not None else None
        window = partial(wiring.window_of, self.config, options.roles)
        desk = Desk(policy, answerer, self.templates)
        degrade = self.config.orchestration.fleet.degrade
        return Participants(
            self._models, cast, desk, self._experience, self.tools, window, ladder, self.templates, shape, degrade, self.foresight,
            wiring.recovery_of(self.config, self.templates), judging_for(self, options), self.config.orchestration.models,
            LazyDividing(self.fleet),
            standing_for(self, options), looking_up_for(self, options),
            self._router.ruling(options),
        )  # fmt: skip

    async def _present(self, options: Mapping[str, Any]) -> Present:
        """What a run with these options would have today."""
        chosen = RunOptions.of_facts(options)
        return replaying.present(self.config, self._members(chosen), chosen.limits(self._limits), self._phases_of(chosen))

    def _phases_of(self, options: RunOptions) -> Phases:
        """A model alone has no tools, so its run has no phases."""
        if options.is_model_alone:
            return Phases()
        if not (self._phases and options.tools):
            return self._phases
        return wiring.limiting(self._phases, self.cast(options)[options.answering].box)  # which has tools that only this run has

    def _scope(self, run: str, thread: str, conversation: Conversation, options: RunOptions, watch: Watch) -> Scope:
        limits = options.limits(self._limits)
        return Scope(
            self.journal, RunView(), conversation, run, thread, time.monotonic, limits,
            watch.listener, watch.inner_listener, lane=options.answering, role=options.answering,
            strategy=options.gpu_strategy or "", urgent=options.urgency != "batch", phases=self._phases_of(options),
            anew=options.cache is False,
        )  # fmt: skip

    async def _carry(self, participants: Participants, scope: Scope, start: Entry) -> Answer:
        async with self._cancelling.heeded(scope, start.seq):
            await carry(participants, scope, self.roll)
        if warning := unheeded(scope.view):
            scope.warn(warning)
        await keep_end(scope)
        return Answer.of(scope.view)


def _message(task: str, files: Iterable[str | Path | File]) -> Message:
    check_text("task", task)
    return Message("user", clean(task), files=tuple(file if isinstance(file, File) else read(file) for file in files))
