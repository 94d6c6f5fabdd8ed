"""Asks the user: a question of a model, and whether to do what cannot be undone."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from mmos.cli.styles import style
from mmos.cli.text import harmless
from mmos.errors import QuestionUnanswered, UsageError

if TYPE_CHECKING:
    from mmos.cli.progress import RunDisplay
    from mmos.events import QuestionAsked


def confirm(question: str, *, yes: bool) -> None:
    """Ask before an action that cannot be undone: at a terminal, or accept --yes."""
    if not yes and not _is_there():
        raise click.UsageError("This cannot be undone, and there is no terminal to ask at. Add --yes to do it.")
    if not (yes or says_yes(question)):
        raise click.Abort


def confirm_for_others(question: str, *, yes: bool) -> None:
    """Ask before an action that affects other users."""
    if not goes_on(question, yes=yes):
        raise click.Abort


def goes_on(question: str, *, yes: bool) -> bool:
    if not yes and not _is_there():
        raise click.UsageError(f"{question}\nThere is no terminal to ask at: add --yes to do it.")
    return yes or says_yes(f"{question}\nGo on?")


def says_yes(question: str) -> bool:
    """Whether somebody says yes at a terminal. Without one nobody does."""
    if not _is_there():
        return False
    with _interruptible():
        return click.confirm(harmless(question), err=True)


def _is_there() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let signals interrupt a question: an event loop would hold them back until a line is typed."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


# ---------------------------------------------------------------- questions of models


@dataclass(frozen=True)
class Asker:
    """Asks on stderr and reads from stdin, while the display prints nothing."""

    display: RunDisplay

    async def __call__(self, question: QuestionAsked) -> str:
        async with self.display.quiet(question.question):
            click.echo(style(f"\n{question.role} asks: ", "bold") + harmless(question.text), err=True)
            for number, option in enumerate(question.options, 1):
                click.echo(f"  {number}. {harmless(option)}", err=True)
            if question.deadline is not None:
                click.echo(f"  {until(question)}", err=True)
            try:
                return await _answer(question)
            except EOFError:
                raise QuestionUnanswered(f"{question.role} asks: {question.text}", next_step="You closed the input instead.") from None


async def _answer(question: QuestionAsked) -> str:
    """Read the answer. Ask again if it does not fit the question."""
    import asyncio  # slow to import, and help and completion do not need it

    prompt = f"Answer{hint(question)}" if question.default is None else f"Answer{hint(question)} [{harmless(question.default)}]"
    while True:
        click.echo(f"{prompt}: ", nl=False, err=True)
        try:
            line = (await _read_line()).strip()
        except asyncio.CancelledError:
            click.echo(err=True)  # the deadline has passed, or the run ends: the line of the prompt ends, too
            raise
        try:
            return typed_answer(line, question)
        except UsageError as error:
            if line:
                click.echo(f"{harmless(str(error))}", err=True)


def hint(question: QuestionAsked) -> str:
    """What kind of answer a prompt wants."""
    if question.options:
        return ""
    return {"confirm": " (yes or no)", "number": " (a number)", "file": " (the path of a text file)"}.get(question.form, "")


def typed_answer(line: str, question: QuestionAsked) -> str:
    """Interpret a typed answer: a number selects an option, an empty line the default. Raises `UsageError` if it does not fit the question."""
    from mmos.answers import answer_to

    answer = answer_to(question, line)
    return line if answer.file else answer.text


def until(question: QuestionAsked) -> str:
    """Say until when there is time to answer, and what MMOS takes after that."""
    from mmos.answers import at_time

    after = "the model decides" if question.default is None else f"MMOS takes the default: {harmless(question.default)}"
    return f"There is time until {at_time(question.deadline or 0.0)}. After that, {after}."


async def _read_line() -> str:
    import asyncio

    loop = asyncio.get_running_loop()
    ready: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        line = sys.stdin.readline()
        if ready.done():
            return
        if line:
            ready.set_result(line)
        else:
            ready.set_exception(EOFError())

    loop.add_reader(sys.stdin, read)
    try:
        return await ready
    finally:
        loop.remove_reader(sys.stdin)
