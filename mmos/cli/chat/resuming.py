"""Implements /resume, and says how the last turn of a conversation ended and what to type next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mmos.cli.asking import meant
from mmos.cli.cells import flat
from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.app import RunOptions
    from mmos.cli.chat.session import Session
    from mmos.events import QuestionAsked, Reason
    from mmos.views.run import RunView

AGAIN = "/resume continues it, /retry asks it again."
ANSWER = "/resume ANSWER answers it and continues."
STEPS: Mapping[str, str] = {
    "timeout": "/set timeout=10m allows more time, then /resume continues.",
    "limit_turns": "/set max-turns=NUMBER allows more turns, then /resume continues.",
    "limit_calls": "/set max-calls=NUMBER allows more calls, then /resume continues.",
    "question_open": ANSWER,
    "question_unanswered": ANSWER,
}
"""Next steps by reason code. Other commands use an option where the chat uses a slash command."""


def next_step(reason: Reason) -> str:
    return STEPS.get(reason.code, reason.next)


async def resume(session: Session, argument: str) -> None:
    """Continue the last run. Answer its question first, if it has one."""
    if session.last is None:
        raise UsageError("Nothing has been asked in this conversation yet.")
    run = session.last[0]
    view = await _view(session, run)
    if view.status == "answered":
        raise UsageError("The last turn is answered already.", next_step="/retry asks it again.")
    options = _options(session, view)
    question = view.open_question
    if question is None and argument:
        raise UsageError("The last turn has no open question.", next_step=AGAIN)
    if question is not None and argument:
        await session.app.answer(run, meant(argument, question))
    elif question is not None and session.page.answerer() is None and options.on_question is None:
        raise UsageError(_asked(question), next_step=ANSWER)
    await session.go_on(run, options)


def _options(session: Session, view: RunView) -> RunOptions:
    """Take the options of the run, with the values that are set in this session. Questions go to the user of this session."""
    from mmos.app import RunOptions

    asked = "ask" if session.page.answerer() is not None else None
    return RunOptions.of_facts({**view.options, "on_question": asked, **session.wishes.options().as_facts()})


async def standing(session: Session) -> str:
    """Say how the last turn ended and what to type. Empty if there is nothing to continue."""
    if session.last is None:
        return ""
    view = await _view(session, session.last[0])
    if view.status == "answered":
        return ""
    question = view.open_question
    if view.status is None and session.app.journal.alive(view.process):
        return "Another process still works on the last turn."
    if question is not None and view.status in (None, "waiting"):
        return f"The last turn waits for your answer. {_asked(question)} {ANSWER}"
    became = "was interrupted before its end" if view.status is None else f"ended without a whole answer ({view.status})"
    return f"The last turn {became}. {AGAIN}"


def _asked(question: QuestionAsked) -> str:
    options = ", ".join(f"{number}. {flat(option)}" for number, option in enumerate(question.options, 1))
    return f"{question.role} asks: {flat(question.text)}{f' ({options})' if options else ''}"


async def _view(session: Session, run: str) -> RunView:
    from mmos.views.run import RunView

    return RunView.of(await session.app.journal.read(run=run))
