"""Runs a session at a terminal: shows the input line first, and decides what each typed line means."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mmos.cli.app import app_of
from mmos.cli.chat import commands
from mmos.cli.chat.conversations import caution, continue_thread, header, open_session, resume_command
from mmos.cli.chat.input import ChatCompleter, InputHistory, LineQueue
from mmos.cli.chat.page import PageStream
from mmos.cli.chat.renderer import TerminalPage
from mmos.cli.questions import hint, typed_answer, until
from mmos.cli.styles import colourless, style
from mmos.cli.text import fit, flat, hanging, wrapped
from mmos.cli.work import loading
from mmos.errors import MmosError, UsageError
from mmos.events import QuestionAsked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmos.cli.chat.page import Page
    from mmos.cli.chat.session import Session, SessionOptions
    from mmos.cli.options import Options


REDRAW_LOADS = 0.5
"""Seconds between two pictures of a load."""


class Dialog:
    """Takes each typed line as a task, a command, or the answer to a question."""

    def __init__(self, leave: Callable[[], None], folder: Callable[[], Path | None], colour: bool) -> None:
        self.queue = LineQueue()
        self.session: Session | None = None
        self.leave = leave
        self._warned = False
        self._question: asyncio.Future[str] | None = None
        self._options: Sequence[str] = ()
        self._threads: list[str] = []
        self._aside: set[asyncio.Task[None]] = set()
        self.page = TerminalPage(self, InputHistory(folder, self._thread), ChatCompleter(self._names()), colour)
        self.page.ask = self.ask
        self.page.below = self.waiting

    # ---------------------------------------------------------------- the keyboard

    def submit(self, text: str) -> None:
        """Take a typed line: a task, an answer or a command. A command is never an answer. It runs at once or waits in the queue."""
        self._warned = False
        command, session = commands.parse_known(text) if self._question else commands.parse(text), self.session  # an answer may be a path
        if command is not None and session is not None and commands.runs_now(command[0], session):
            self.page.remember(text)
            self._beside(self._at_once(session, text, *command))
        elif self._question is not None and (command is None or session is None):
            if not self._question.done():
                self._question.set_result(commands.unescaped(text))
            self.page.type("")
        elif text.strip():
            self.page.remember(text)
            self.queue.put(text)
        self.page.refresh()

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it beside the current turn."""
        task = asyncio.create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def stop(self) -> None:
        """Stop what runs beside the turn."""
        for task in self._aside:
            task.cancel()
        await asyncio.gather(*self._aside, return_exceptions=True)

    async def _at_once(self, session: Session, text: str, name: str, argument: str) -> None:
        session.echo(text)
        try:
            await commands.execute(session, name, argument)
        except MmosError as error:
            self.page.show_error(error)
        if session.busy:
            self.page.lines([""])  # keeps the output of the command apart from the running answer

    def interrupt(self) -> None:
        """Handle Ctrl-C: stop the turn, or clear the line, or leave at the second time."""
        session = self.session
        if session is not None and session.cancel():
            self._warned = False
        elif self.page.input_text:
            self.page.type("")
            if session is not None:
                session.instead = ""
        elif self._warned:
            self.leave()
        else:
            self._warned = True
            self.page.lines([style("Press Ctrl-C again or Ctrl-D to leave.", "dim")])

    def open_editor(self) -> None:
        self._beside(self._edit())

    async def _edit(self) -> None:
        changed = await self.page.edit(self.page.input_text)
        if changed is None:
            self.page.note("There is no editor. Set $VISUAL or $EDITOR to one that works.")
        else:
            self.page.type(changed.rstrip("\n"))

    # ---------------------------------------------------------------- questions

    async def ask(self, question: QuestionAsked) -> str:
        """Ask the question in the input line. Afterwards, restore what the user was typing."""
        page = self.page
        draft, self._options = page.input_text, question.options
        page.type("")
        page.lines(self._question_lines(question))
        default = "" if question.default is None else f" [{fit(flat(question.default), 30)}]"
        page.asking = f"answer{hint(question)}{default} › "
        try:
            answer = await self._answer(question)
        finally:
            self._question, self._options, page.asking = None, (), ""
            page.type(draft)
            page.refresh()
        first, *rest = wrapped(answer, page.width - 2)
        page.lines([style(f"› {first}", "bold"), *rest, ""])
        return answer

    async def agree(self, text: str, default: str) -> bool:
        """Ask a yes-or-no question of MMOS itself."""
        return await self.ask(QuestionAsked("", "", "mmos", "", text, "confirm", ("yes", "no"), default)) in ("yes", "y")

    def _question_lines(self, question: QuestionAsked) -> list[str]:
        width = self.page.width
        text = wrapped(f"{question.role} asks: {question.text}", width)
        options = [line for number, option in enumerate(question.options, 1) for line in hanging(f"  {number}. ", flat(option), width)]
        ends = wrapped(until(question), width) if question.deadline is not None else []
        return ["", *(style(line, "bold") for line in text), *options, *ends]

    async def _answer(self, question: QuestionAsked) -> str:
        while True:
            self._question = asyncio.get_running_loop().create_future()
            line = (await self._question).strip()
            try:
                return typed_answer(line, question)
            except UsageError as error:
                if line:
                    self.page.note(str(error))

    def _thread(self) -> str:
        """The conversation that typed lines belong to."""
        return (self.session.thread or self.session.next_thread) if self.session else ""

    # ---------------------------------------------------------------- names for Tab, lines that wait

    def _names(self) -> Mapping[str, Callable[[], Iterable[str]]]:
        return {
            "commands": lambda: commands.COMMANDS,
            "options": lambda: self._options,
            "roles": lambda: self.session.cast() if self.session else (),
            "tools": lambda: self.session.app.tools.names if self.session else (),
            "threads": lambda: self._threads,
            "settings": self._settings,
            "patterns": self._patterns,
        }

    def _settings(self) -> Iterable[str]:
        from mmos.cli.chat.session import option_names

        return [f"{name}=" for name in option_names(self.session.cast() if self.session else ())]

    def _patterns(self) -> Iterable[str]:
        from mmos.cli.chat.patterns import names

        return names(self.session) if self.session else ()

    def know_threads(self, names: Iterable[str]) -> None:
        self._threads = list(names)

    def waiting(self) -> list[str]:
        """Draw the waiting lines, the attached files and, between the turns, what the hosts load."""
        page = self.page
        lines = [f"  waits: {flat(text)}" for text in self.queue.waiting]
        if self.session is not None:
            loads = () if self.session.answering else self.session.app.fleet.standing().loads
            lines += [f"  {flat(load.model)} on {load.host}: {loading(load.part, load.seconds)}" for load in loads]
            lines += [f"  attached: {flat(one.name)}" for one in self.session.attachments]
        return [style(fit(line, page.width), "dim") for line in lines]


# ---------------------------------------------------------------- the session


async def at_terminal(options: Options, session_options: SessionOptions, thread: str | None, last: bool) -> int:
    """Talk until the user leaves."""
    main = cast("asyncio.Task[Any]", asyncio.current_task())
    left: list[bool] = []

    def leave() -> None:
        if not left:
            left.append(True)
            main.cancel()

    dialog = Dialog(leave, lambda: _folder(options), colour=not colourless())
    resume = ""
    try:
        with dialog.page.open(), _logs_on(dialog.page):
            await asyncio.to_thread(_import, options.rehearse)  # in a thread, so that keys are echoed meanwhile
            async with app_of(options, dialog.page.note, dialog.agree) as app:
                session = open_session(options, app, dialog.page, session_options)
                session.leave, session.drop_queue = leave, dialog.queue.clear
                try:
                    resume = await _talk(dialog, session, thread, last)
                finally:
                    await dialog.stop()  # before the app closes: these commands read from it
    except asyncio.CancelledError:
        if not left:
            raise
        main.uncancel()
        resume = _resume(dialog.session)
    finally:
        await dialog.page.close()
    if resume:
        print(resume)
    return 0


def _import(rehearse: bool) -> None:
    """Import the slow modules, and warm up the renderer."""
    for name in ("mmos.app", "mmos.app.lifecycle", *(["mmos.rehearsal.fleet"] if rehearse else [])):
        import_module(name)
    stream = import_module("mmos.cli.chat.markdown").MarkdownStream(80, False)
    stream.feed("- `one`\n\ntwo")  # so that the first answer does not wait for the renderer
    stream.finish()


async def _talk(dialog: Dialog, session: Session, thread: str | None, last: bool) -> str:
    page = dialog.page
    await continue_thread(session, thread, last)
    page.note(header(session))
    if warning := caution(session.app):
        page.note(warning)
    dialog.session = session
    aside = [asyncio.create_task(_look_around(dialog, session)), asyncio.create_task(_warm_up(dialog, session))]
    try:
        while (text := await dialog.queue.next()) is not None:
            session.echo(text)
            await commands.handle(session, text)
    finally:
        session.app.foresight.chat_ends()
        for task in aside:
            task.cancel()
        await asyncio.gather(*aside, return_exceptions=True)
    return _resume(session)


async def _warm_up(dialog: Dialog, session: Session) -> None:
    """Have the model loaded that will answer, and draw how far that is."""
    await session.app.warm_up(session.options.run_options())
    while session.app.fleet.standing().loads:
        dialog.page.refresh()
        await asyncio.sleep(REDRAW_LOADS)
    dialog.page.refresh()


async def _look_around(dialog: Dialog, session: Session) -> None:
    """Warn of hosts that do not answer before they are needed, and load the names of conversations for Tab."""
    from mmos.views.listing import THREAD_KINDS, threads

    rows = threads(await session.app.journal.read(kinds=THREAD_KINDS))
    dialog.know_threads(row.name or row.thread for row in reversed(rows))
    unserved = await session.app.unserved(session.options.run_options())
    for missing in unserved:
        dialog.page.note(f"! {missing.text}")
    dialog.page.unserved.update(role for missing in unserved for role in missing.roles)
    spare = {
        name: error for name, error in (await session.app.fleet.census()).items() if all(name not in missing.hosts for missing in unserved)
    }
    for name, error in spare.items():
        dialog.page.note(f"! {name}: {error.message}")
    if unserved or spare:
        dialog.page.note("`mmos doctor` shows how to fix this.")


def _resume(session: Session | None) -> str:
    if session is None or session.thread is None or not session.runs:
        return ""
    return f"To continue: {resume_command(session)}"


def _folder(options: Options) -> Path | None:
    try:
        return options.found_state()
    except MmosError:  # loading the configuration will report this error
        return None


@contextmanager
def _logs_on(page: Page) -> Iterator[None]:
    """Show logs above the input line while it is open."""
    handlers = [handler for handler in logging.getLogger("mmos").handlers if isinstance(handler, logging.StreamHandler)]
    before = [handler.setStream(PageStream(page)) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, before, strict=True):
            handler.setStream(stream)
