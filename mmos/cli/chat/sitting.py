"""Connects keyboard and session at a terminal: decides what a typed line means, and asks the questions of models."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO, cast

from mmos.cli.asking import meant
from mmos.cli.cells import fit, flat, hanging, wrapped
from mmos.cli.chat import slash
from mmos.cli.chat.completion import ChatCompleter
from mmos.cli.chat.history import KeptHistory
from mmos.cli.chat.input import Inbox
from mmos.cli.chat.outside import edited
from mmos.cli.chat.page import Stray
from mmos.cli.chat.recital import Recital
from mmos.cli.chat.terminal import Terminal
from mmos.cli.styles import style
from mmos.errors import MmosError
from mmos.events import QuestionAsked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mmos.cli.chat.session import Session
    from mmos.cli.chat.work import Work
    from mmos.participant.questions import Answerer


class Screen(Terminal):
    """The terminal as the page of a chat."""

    sitting: Sitting

    def note(self, text: str) -> None:
        self.lines(style(line, "dim") for line in wrapped(text, self.width))

    def complain(self, error: MmosError) -> None:
        self.lines(style(line, "error") for line in wrapped(error.message, self.width))
        if error.next_step:
            self.note(error.next_step)

    def stray(self) -> TextIO:
        return cast("TextIO", Stray(self))

    def markdown(self, text: str) -> None:
        from mmos.cli.chat.markdown import MarkdownStream
        from mmos.cli.chat.recital import WIDEST

        stream = MarkdownStream(min(WIDEST, self.width), self.colour)
        self.lines([*stream.feed(text), *stream.finish()])

    def showing(self, number: Callable[[Work], int]) -> Recital:
        return Recital(self, number)

    def answerer(self) -> Answerer | None:
        return self.sitting.ask

    async def edit(self, text: str) -> str | None:
        return await edited(text, self.aside)

    def clip(self, text: str) -> bool:
        from base64 import b64encode

        self.send(f"\x1b]52;c;{b64encode(text.encode()).decode()}\x07")
        return True


class Sitting:
    """Takes each typed line as a task, a command, or the answer to a question."""

    def __init__(self, leave: Callable[[], None], folder: Callable[[], Path | None], colour: bool) -> None:
        self.inbox = Inbox()
        self.session: Session | None = None
        self._leave = leave
        self._warned = False
        self._question: asyncio.Future[str] | None = None
        self._options: Sequence[str] = ()
        self._threads: list[str] = []
        self._aside: set[asyncio.Task[None]] = set()
        self.screen = Screen(self, KeptHistory(folder, self._thread), ChatCompleter(self._names()), colour)
        self.screen.sitting = self
        self.screen.below = self.waiting

    # ---------------------------------------------------------------- the keyboard

    def entered(self, text: str) -> None:
        """Take a typed line: a task, an answer or a command. A command is never an answer. It runs at once or waits in the queue."""
        self._warned = False
        command, session = slash.known(text) if self._question else slash.read(text), self.session  # an answer may be a path
        if command is not None and session is not None and slash.at_once(command[0], session):
            self.screen.remember(text)
            self._beside(self._at_once(session, text, *command))
        elif self._question is not None and (command is None or session is None):
            if not self._question.done():
                self._question.set_result(slash.task(text))
            self.screen.type("")
        elif text.strip():
            self.screen.remember(text)
            self.inbox.put(text)
        self.screen.refresh()

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
            await slash.obey(session, name, argument)
        except MmosError as error:
            self.screen.complain(error)
        if session.busy:
            self.screen.lines([""])  # keeps the output of the command apart from the running answer

    def interrupted(self) -> None:
        """Handle Ctrl-C: stop the turn, or clear the line, or leave at the second time."""
        session = self.session
        if session is not None and session.cancel():
            self._warned = False
        elif self.screen.typed:
            self.screen.type("")
            if session is not None:
                session.instead = ""
        elif self._warned:
            self.left()
        else:
            self._warned = True
            self.screen.lines([style("Press Ctrl-C again or Ctrl-D to leave.", "dim")])

    def wants_editor(self) -> None:
        self._beside(self._edit())

    async def _edit(self) -> None:
        changed = await self.screen.edit(self.screen.typed)
        if changed is None:
            self.screen.note("There is no editor. Set $VISUAL or $EDITOR to one that works.")
        else:
            self.screen.type(changed.rstrip("\n"))

    def left(self) -> None:
        self._leave()

    # ---------------------------------------------------------------- questions

    async def ask(self, question: QuestionAsked) -> str:
        """Ask the question in the input line. Afterwards, restore what the user was typing."""
        screen = self.screen
        begun, self._options = screen.typed, question.options
        screen.type("")
        screen.lines(self._asked(question))
        screen.asking = "answer › " if question.default is None else f"answer [{fit(flat(question.default), 30)}] › "
        try:
            answer = await self._answer(question)
        finally:
            self._question, self._options, screen.asking = None, (), ""
            screen.type(begun)
            screen.refresh()
        first, *rest = wrapped(answer, screen.width - 2)
        screen.lines([style(f"› {first}", "bold"), *rest, ""])
        return answer

    async def agree(self, text: str, default: str) -> bool:
        """Ask a yes-or-no question of MMOS itself."""
        return await self.ask(QuestionAsked("", "", "mmos", "", text, "confirm", ("yes", "no"), default)) in ("yes", "y")

    def _asked(self, question: QuestionAsked) -> list[str]:
        width = self.screen.width
        text = wrapped(f"{question.role} asks: {question.text}", width)
        options = [line for number, option in enumerate(question.options, 1) for line in hanging(f"  {number}. ", flat(option), width)]
        return ["", *(style(line, "bold") for line in text), *options]

    async def _answer(self, question: QuestionAsked) -> str:
        while True:
            self._question = asyncio.get_running_loop().create_future()
            given = (await self._question).strip()
            if given or question.default is not None:
                return meant(given, question)

    def _thread(self) -> str:
        """The conversation that typed lines belong to."""
        return (self.session.thread or self.session.next_thread) if self.session else ""

    # ---------------------------------------------------------------- names for Tab, lines that wait

    def _names(self) -> Mapping[str, Callable[[], Iterable[str]]]:
        return {
            "commands": lambda: slash.COMMANDS,
            "options": lambda: self._options,
            "roles": lambda: self.session.cast() if self.session else (),
            "tools": lambda: self.session.app.tools.names if self.session else (),
            "threads": lambda: self._threads,
            "settings": self._settings,
        }

    def _settings(self) -> Iterable[str]:
        from mmos.cli.chat.wishes import names

        return [f"{name}=" for name in names(self.session.cast() if self.session else ())]

    def know_threads(self, names: Iterable[str]) -> None:
        self._threads = list(names)

    def waiting(self) -> list[str]:
        """Draw the waiting lines and the attached files."""
        screen = self.screen
        lines = [f"  waits: {flat(text)}" for text in self.inbox.waiting]
        if self.session is not None:
            lines += [f"  attached: {flat(one.name)}" for one in self.session.attached]
        return [style(fit(line, screen.width), "dim") for line in lines]
