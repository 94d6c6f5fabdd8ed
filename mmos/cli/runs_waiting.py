"""Shows the questions of waiting runs: `mmos runs list --waiting`, and the deadlines in `mmos runs list`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.output import print_json, when
from mmos.cli.run import at_home
from mmos.cli.styles import style
from mmos.cli.text import flat, harmless

if TYPE_CHECKING:
    from mmos.cli.options import Options
    from mmos.events import QuestionAsked
    from mmos.journal import Journal
    from mmos.views.listing import RunRow


async def questions_of(journal: Journal, rows: Iterable[RunRow]) -> dict[str, list[QuestionAsked]]:
    """The open questions of each run that waits, by run."""
    from mmos.app.answering import QUESTION_KINDS
    from mmos.views.run import RunView

    return {
        row.run: RunView.of(await journal.read(run=row.run, kinds=QUESTION_KINDS)).open_questions for row in rows if row.status == "waiting"
    }


def deadline_of(questions: Iterable[QuestionAsked]) -> float | None:
    """The first deadline of the questions."""
    return min((question.deadline for question in questions if question.deadline is not None), default=None)


def waiting_until(deadline: float | None, now: float) -> str:
    """What a list adds to the status of a run that waits."""
    from mmos.answers import at_time

    return "" if deadline is None else ", overdue" if now >= deadline else f" until {at_time(deadline)}"


def print_waiting(options: Options, rows: list[dict[str, Any]], questions: dict[str, list[QuestionAsked]], now: float) -> None:
    """Print each waiting run with its questions, and the command that answers each."""
    commands = {run: [_command(options, run, question, found) for question in found] for run, found in questions.items()}
    if options.json:
        print_json({"version": 1, "runs": [_document(row, questions[row["run"]], commands[row["run"]]) for row in rows]})
        return
    if not rows:
        click.echo("No run waits for an answer.", err=True)
    for row in rows:
        click.echo(f"{style(row['run'], 'bold')}  {when(row['started'])}  {flat(row['task'])}")
        for question, command in zip(questions[row["run"]], commands[row["run"]], strict=True):
            for line in question_lines(question, now):
                click.echo(f"  {line}")
            click.echo(f"      {command}")


def question_lines(question: QuestionAsked, now: float) -> list[str]:
    """The question with its options, its default and its deadline, in lines."""
    from mmos.answers import at_time

    first, *rest = harmless(f"{question.question}  {question.role} asks ({question.form}): {question.text}").splitlines()
    options = [f"{number}. {flat(option)}" for number, option in enumerate(question.options, 1)]
    default = [] if question.default is None else [f"default: {flat(question.default)}"]
    deadline = (
        [] if question.deadline is None else [f"time until {at_time(question.deadline)}{' (overdue)' if now >= question.deadline else ''}"]
    )
    return [first, *(f"    {line}" for line in (*rest, *options, *default, *deadline))]


def _command(options: Options, run: str, question: QuestionAsked, found: list[QuestionAsked]) -> str:
    which = f" --question {question.question}" if len(found) > 1 else ""
    return at_home(options, f"mmos runs answer {run}{which} TEXT")


def _document(row: dict[str, Any], questions: list[QuestionAsked], commands: list[str]) -> dict[str, Any]:
    from mmos.views.document import question_document

    documents = [{**question_document(question), "answer": command} for question, command in zip(questions, commands, strict=True)]
    return {**row, "question": documents[-1] if documents else None, "questions": documents}
