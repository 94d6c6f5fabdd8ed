"""Asks the user a model's question at the terminal and reads the answer. The wait can be cancelled."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass

import click

from mmos.cli.output import harmless
from mmos.cli.screen import Screen
from mmos.cli.styles import style
from mmos.errors import QuestionUnanswered
from mmos.events import QuestionAsked


@dataclass(frozen=True)
class Asker:
    """Asks on stderr and reads from stdin, while the screen prints nothing."""

    screen: Screen

    async def __call__(self, question: QuestionAsked) -> str:
        async with self.screen.quiet(question.question):
            click.echo(style(f"\n{question.role} asks: ", "bold") + harmless(question.text), err=True)
            for number, option in enumerate(question.options, 1):
                click.echo(f"  {number}. {harmless(option)}", err=True)
            try:
                return await _answer(question)
            except EOFError:
                raise QuestionUnanswered(f"{question.role} asks: {question.text}", next_step="You closed the input instead.") from None


async def _answer(question: QuestionAsked) -> str:
    """Read the answer. Ask again if it is empty and there is no default."""
    prompt = "Answer" if question.default is None else f"Answer [{harmless(question.default)}]"
    while True:
        click.echo(f"{prompt}: ", nl=False, err=True)
        given = (await _read_line()).strip()
        if given or question.default is not None:
            return meant(given, question)


def meant(given: str, question: QuestionAsked) -> str:
    """Interpret a typed answer: a number selects an option, an empty line the default."""
    if given.isdecimal() and 0 < int(given) <= len(question.options):
        return question.options[int(given) - 1]
    return given or question.default or ""


async def _read_line() -> str:
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
