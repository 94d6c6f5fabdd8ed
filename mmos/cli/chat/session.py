"""Runs a chat session: one conversation with the arbiter, turn after turn, and the state between turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmos.cli.cells import hanging
from mmos.cli.chat.addressing import addressed
from mmos.cli.chat.page import Page
from mmos.cli.chat.wishes import Wishes
from mmos.cli.chat.work import Work
from mmos.cli.styles import style
from mmos.errors import MmosError
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.app import Answer, App, RunOptions
    from mmos.app.lifecycle import Watch
    from mmos.app.stream import Stream
    from mmos.messages import File
    from mmos.participant.role import Participant

MOST_LINES = 12
"""The chat repeats at most this many lines of what the user sent."""


def _new_id() -> str:
    from mmos.journal import new_id  # by now the app has imported it

    return new_id()


@dataclass
class Session:
    """The state of a session from turn to turn."""

    app: App
    page: Page
    state: Path
    """The state folder."""
    wishes: Wishes = field(default_factory=Wishes)
    places: str = ""
    """The command-line options that name this configuration and this state folder."""
    thread: str | None = None
    """None until the first turn has made one."""
    next_thread: str = field(default_factory=_new_id)
    """The id of the conversation that the next turn starts if there is none."""
    name: str = ""
    last: tuple[str, str] | None = None
    """The newest run of this conversation, and its task."""
    runs: list[str] = field(default_factory=list)
    """The runs of this session, in order."""
    answers: list[Answer] = field(default_factory=list)
    opened: list[Work] = field(default_factory=list)
    """What specialists answered, in the order of their numbers."""
    attached: list[File] = field(default_factory=list)
    instead: str = ""
    """The run that the next task replaces."""
    drop_queue: Callable[[], Sequence[str]] = tuple
    """Drops the lines that were typed ahead."""
    leave: Callable[[], None] = lambda: None
    said: int = 0
    """Number of lines that the user has sent."""
    answering: bool = False
    """Whether a model is at work. A running command does not count."""
    _work: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        return self._work is not None

    def cancel(self) -> bool:
        """Stop the running turn or command, and close its requests to hosts."""
        return self._work is not None and self._work is not asyncio.current_task() and self._work.cancel()

    async def carry_out(self, work: Coroutine[Any, Any, None]) -> None:
        """Carry out one line of the user, and show its error if it fails."""
        self.said += 1
        self._work = asyncio.create_task(work)
        try:
            await self._work
        except asyncio.CancelledError:
            if not _leaving():
                self.say("Stopped.")
        except MmosError as error:
            self.page.complain(error)
        finally:
            self._work = None
        if _leaving():  # the turn ended well, but the cancellation was for the session
            raise asyncio.CancelledError

    # ---------------------------------------------------------------- a turn

    async def ask(self, text: str) -> None:
        """Run a task with the attached files. A task that replaces another one also takes its files."""
        role, words = addressed(text, self.cast())
        files: tuple[File, ...] = ()
        if self.instead:
            withdrawn, self.instead = self.instead, ""
            files = await self.app.files_of(withdrawn)
            await self.app.withdraw(withdrawn)
        sent, self.attached = self.attached, []
        given, options = (*files, *sent), self.wishes.options(role)
        try:
            await self._turn(
                text,
                lambda watch: self.app.stream(words, thread=self.thread or self.next_thread, files=given, options=options, watch=watch),
            )
        except (MmosError, asyncio.CancelledError):  # no run was started: keep the files for the next task
            self.attached = [*files, *sent, *self.attached]
            raise

    async def go_on(self, run: str, options: RunOptions) -> None:
        """Resume the newest run of this conversation."""
        task = self.last[1] if self.last else ""
        await self._turn(task, lambda watch: self.app.stream_resumed(run, options=options, watch=watch))

    async def _turn(self, task: str, streamed: Callable[[Watch], Stream]) -> None:
        from mmos.app.lifecycle import Watch

        showing = self.page.showing(self.number)
        self.answering = True
        try:
            with redirect_stdout(self.page.stray()):  # tools may print: keep that apart from the answer
                watch = Watch(on_hint=showing.hint, answerer=self.page.answerer(), on_start=self._began)
                answer = await streamed(watch).to_end(showing.tell)
        finally:
            self.answering = False
        self.answers.append(answer)
        self.thread, self.last = answer.thread, (answer.run, task)
        showing.finish(answer)

    def _began(self, run: str) -> None:
        self.runs = [*(one for one in self.runs if one != run), run]

    def begin(self, thread: str | None, name: str) -> None:
        """Switch to this conversation."""
        self.thread, self.name, self.last, self.instead = thread, name, None, ""
        self.next_thread = _new_id()

    @property
    def answerer(self) -> Participant:
        """The participant that answers a line without @ROLE."""
        return self.cast()[self.wishes.options().answering]

    def cast(self) -> Mapping[str, Participant]:
        """The participants of the next turn."""
        return self.app.cast(self.wishes.options())

    def number(self, work: Work) -> int:
        """Give a specialist's answer its number for /open. 0 for other tools."""
        if not work.role:
            return 0
        self.opened.append(work)
        return len(self.opened)

    # ---------------------------------------------------------------- what the program itself says

    def echo(self, text: str) -> None:
        """Show what the user sent, shortened."""
        shown = hanging("› ", text, self.page.width)
        left = len(shown) - MOST_LINES
        self.page.lines(["", *(style(line, "bold") for line in (shown[:MOST_LINES] if left > 1 else shown))])
        if left > 1:
            self.say(f"  … {counted(left, 'more line')}")

    def say(self, text: str) -> None:
        self.page.note(text)


def _leaving() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
