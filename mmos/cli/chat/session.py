"""Runs a chat session: one conversation with the arbiter, turn after turn, and what the user has set for it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmos.cli.chat.page import Page
from mmos.cli.pattern_options import SHAPES
from mmos.cli.styles import style
from mmos.cli.text import hanging
from mmos.cli.work import Work
from mmos.errors import MmosError, UsageError
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.app import Answer, App, RunOptions
    from mmos.app.lifecycle import Watch
    from mmos.app.stream import Stream
    from mmos.messages import File
    from mmos.participant.cast import Cast, Member


@dataclass
class SessionOptions:
    """Settings that hold from the next turn to the end of the session."""

    system: str = ""
    limits: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    sampling: dict[str, Any] = field(default_factory=dict)

    model: str = ""
    """A model that answers alone, without roles."""
    pattern: str = ""
    """The name or the form of a pattern that answers, before all others."""
    rag: str | None = None
    """The collection in which tasks are looked up. Empty: the usual one. None: they are not."""

    def run_options(self, role: str = "", *, anew: bool = False) -> RunOptions:
        """Give the options of the next turn. With `role`, that role answers alone. `anew`: no answer comes from the cache."""
        from mmos.app import RunOptions

        alone: dict[str, Any] = {"model": self.model} if self.model else {"role_only": role}
        if self.pattern and not role:
            alone = {"pattern": {"pattern": self.pattern} if self.pattern in SHAPES else self.pattern}
        limits = {name: value for name, value in self.limits.items() if name != "strategy" or not any(alone.values())}
        limits |= {"cache": False} if anew else {}
        limits |= {} if self.rag is None else {"rag": True, "rag_collection": self.rag}
        return RunOptions(**limits, system=self.system, roles=dict(self.roles) or None, sampling=dict(self.sampling) or None, **alone)

    def copy(self) -> SessionOptions:
        return SessionOptions(self.system, dict(self.limits), dict(self.roles), dict(self.sampling), self.model, self.pattern, self.rag)

    def set(self, key: str, value: str, roles: Collection[str]) -> None:
        """Set one value. An empty value removes it."""
        from mmos.config.settings import setting_value

        place, name = self._place(key, roles)
        if not value:
            place.pop(name, None)
        else:
            place[name] = value if place is self.roles else setting_value(name, value)

    def rows(self) -> list[tuple[str, str]]:
        """List all values that are set."""
        shown = [(name.replace("_", "-"), f"{value:g} s" if name == "timeout" else str(value)) for name, value in self.limits.items()]
        shown += [*self.roles.items(), *((name, str(value)) for name, value in self.sampling.items())]
        shown += [("pattern", self.pattern)] if self.pattern else []
        shown += [] if self.rag is None else [("rag", self.rag or "on")]
        return [*shown, ("system", self.system)] if self.system else shown

    def _place(self, key: str, roles: Collection[str]) -> tuple[dict[str, Any], str]:
        """Find where a setting is kept, and its name there."""
        from mmos.config.settings import LIMITS, OPTIONS
        from mmos.config.wording import perhaps

        name = key.strip().replace("-", "_")
        role, _, option = name.rpartition(".")
        if name in LIMITS:
            return self.limits, name
        if name in roles:
            return self.roles, name
        if option in OPTIONS and (not role or role in roles):
            return self.sampling, name
        raise UsageError(
            f"There is no setting {key!r}{perhaps(key, known := option_names(roles)) or '.'}",
            next_step=f"Settings: {', '.join(known)}, and ROLE.OPTION for one role.",
        )


def option_names(roles: Iterable[str]) -> list[str]:
    """List the names of all settings, as users type them."""
    from mmos.config.settings import LIMITS, OPTIONS

    return [*(name.replace("_", "-") for name in LIMITS), *roles, *OPTIONS]


_NAMED = re.compile(r"@([A-Za-z_][\w-]*)[:,]?(?:[ \t].*)?", re.DOTALL)
"""Matches what looks like a role's name, but neither an e-mail address nor a line of code that continues directly after the name."""


def split_role(line: str, roles: Collection[str]) -> tuple[str, str]:
    """Split the line into the role that it begins with and the rest. The role is empty if the line names none."""
    if not line.startswith("@"):
        return "", line
    first, *rest = line[1:].split(None, 1) or [""]
    name = first.rstrip(":,") if first not in roles else first
    if name in roles:
        if not rest:
            raise UsageError(f"There is no task for {name}.", next_step=f"Write the task on the same line: @{name} TASK")
        return name, rest[0]
    if found := _NAMED.fullmatch(line):
        from mmos.config.wording import perhaps

        raise UsageError(
            f"There is no role {found[1]!r}{perhaps(found[1], roles) or '.'}",
            next_step=f"Roles: {', '.join(roles)}. To send a text that begins with @, put a space before it.",
        )
    return "", line


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
    options: SessionOptions = field(default_factory=SessionOptions)
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
    consultations: list[Work] = field(default_factory=list)
    """What specialists answered, in the order of their numbers."""
    attachments: list[File] = field(default_factory=list)
    instead: str = ""
    """The run that the next task replaces."""
    drop_queue: Callable[[], Sequence[str]] = tuple
    """Drops the lines that were typed ahead."""
    leave: Callable[[], None] = lambda: None
    lines_sent: int = 0
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
        self.lines_sent += 1
        self._work = asyncio.create_task(work)
        try:
            await self._work
        except asyncio.CancelledError:
            if not _leaving():
                self.say("Stopped.")
        except MmosError as error:
            self.page.show_error(error)
        finally:
            self._work = None
        if _leaving():  # the turn ended well, but the cancellation was for the session
            raise asyncio.CancelledError

    # ---------------------------------------------------------------- a turn

    async def ask(self, text: str) -> None:
        """Run a task with the attached files. A task that replaces another one also takes its files."""
        role, words = split_role(text, self.cast())
        files: tuple[File, ...] = ()
        anew = False
        if self.instead:
            withdrawn, self.instead = self.instead, ""
            files = await self.app.files_of(withdrawn)
            await self.app.withdraw(withdrawn, thread=self.thread or "")
            anew = True
        new_files, self.attachments = self.attachments, []
        all_files, run_options = (*files, *new_files), self.options.run_options(role, anew=anew)
        try:
            await self._turn(
                text,
                lambda watch: self.app.stream(
                    words, thread=self.thread or self.next_thread, files=all_files, options=run_options, watch=watch
                ),
            )
        except (MmosError, asyncio.CancelledError):  # no run was started: keep the files for the next task
            self.attachments = [*files, *new_files, *self.attachments]
            raise

    async def resume_run(self, run: str, options: RunOptions) -> None:
        """Resume the newest run of this conversation."""
        task = self.last[1] if self.last else ""
        await self._turn(task, lambda watch: self.app.stream_resumed(run, options=options, watch=watch))

    async def _turn(self, task: str, streamed: Callable[[Watch], Stream]) -> None:
        from mmos.app.lifecycle import Watch

        turn_view = self.page.turn_view(self.number)
        self.answering = True
        try:
            with redirect_stdout(self.page.stream()):  # tools may print: keep that apart from the answer
                watch = Watch(on_hint=turn_view.on_hint, answerer=self.page.answerer(), on_start=self._began)
                answer = await streamed(watch).to_end(turn_view.on_event)
        finally:
            self.answering = False
        self.answers.append(answer)
        self.thread, self.last = answer.thread, (answer.run, task)
        turn_view.finish(answer)

    def _began(self, run: str) -> None:
        self.runs = [*(one for one in self.runs if one != run), run]

    def begin(self, thread: str | None, name: str) -> None:
        """Switch to this conversation."""
        self.thread, self.name, self.last, self.instead = thread, name, None, ""
        self.next_thread = _new_id()

    @property
    def answerer(self) -> Member:
        """The participant that answers a line without @ROLE."""
        return self.cast()[self.options.run_options().answering]

    def cast(self) -> Cast:
        """The participants of the next turn."""
        return self.app.cast(self.options.run_options())

    def number(self, work: Work) -> int:
        """Give a specialist's answer its number for /open. 0 for other tools."""
        if not work.role:
            return 0
        self.consultations.append(work)
        return len(self.consultations)

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
