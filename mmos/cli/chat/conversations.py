"""Opens, names, lists and continues conversations: /thread, /threads, /resume, and the start of a session."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mmos.cli.chat.page import table
from mmos.cli.chat.session import Session
from mmos.cli.output import when
from mmos.cli.questions import hint, until
from mmos.cli.text import flat
from mmos.errors import LateAnswer, NotFound, UsageError
from mmos.plurals import counted
from mmos.version import __version__

if TYPE_CHECKING:
    from mmos.app import App, RunOptions
    from mmos.cli.chat.page import Page
    from mmos.cli.chat.session import SessionOptions
    from mmos.cli.options import Options
    from mmos.events import Entry, QuestionAsked, Reason
    from mmos.journal import Journal
    from mmos.views.listing import ThreadRow
    from mmos.views.run import RunView
    from mmos.views.transcript import TaskRow

SHOWN = 8
"""Characters of a thread's id in the first line."""

REHEARSAL = "[rehearsal: scripted models answer; no model is asked]"
EMBEDDED = "[embedded: one model of 135 million parameters plays all roles; it only shows how a fleet works together]"


def open_session(options: Options, app: App, page: Page, session_options: SessionOptions) -> Session:
    """Open a session. Fails if the configuration does not have the requested roles."""
    session = Session(app, page, options.state_folder(app.config.path), session_options, _places(options))
    session.cast()
    return session


def _places(options: Options) -> str:
    flags = [f" --{name}" for name in ("rehearse", "embedded") if getattr(options, name)]
    named = [f" {flag} {shlex.quote(value)}" for flag, value in (("-c", options.config), ("--state", options.state)) if value]
    return "".join([*flags, *named])


async def continue_thread(session: Session, thread: str | None, last: bool, *, on_event: bool = True) -> None:
    """Continue the requested conversation."""
    if last:
        thread = await last_thread(session.app.journal)
        if thread is None:
            raise NotFound("There is no conversation to continue yet.", next_step="Start one with `mmos chat`.")
    if thread is not None:
        await switch_to(session, thread, on_event=on_event)


def caution(app: App) -> str:
    """Warn that scripted or tiny models answer. Empty for the user's own fleet."""
    if app.rehearsed:
        return REHEARSAL
    built_in = app.config.path is None and any(server.kind == "embedded" for server in app.config.servers().values())
    return EMBEDDED if built_in else ""


def short(thread: str | None) -> str:
    """Shorten an id to its last characters, which --thread accepts."""
    return thread[-SHOWN:] if thread else ""


def header(session: Session) -> str:
    """Write the first line: version, model, hosts, thread."""
    app, who = session.app, session.answerer.role
    parts = [
        f"mmos {__version__}",
        f"{who.name} {who.model}",
        counted(len(app.config.servers()), "host"),
        f"thread {session.name or short(session.thread) or 'new'}",
        "/help",
    ]
    return " · ".join(parts)


# ---------------------------------------------------------------- /thread and /threads

TAIL = 2
"""When the user returns to a conversation, the chat shows this many tasks with their answers."""


async def thread(session: Session, argument: str) -> None:
    if argument == "new":
        session.begin(None, "")
        session.say("A new conversation begins with your next message.")
    elif argument:
        await switch_to(session, argument)
    elif session.thread is None:
        session.say("This is a new conversation. Nothing has been said yet.")
    else:
        number = sum(not task.withdrawn for task in await tasks_of(session.app.journal, session.thread))
        session.say(f"Thread {session.name or session.thread}, {counted(number, 'exchange')}. Resume it with: {resume_command(session)}")


def resume_command(session: Session) -> str:
    import shlex

    return f"mmos chat --thread {shlex.quote(session.name or session.thread or '')}{session.places}"


async def switch_to(session: Session, name: str, *, on_event: bool = True) -> None:
    """Continue the conversation with this name or id, or start one with this name. Show its last tasks and answers."""
    from mmos.errors import NotFound
    from mmos.messages import clean
    from mmos.views.listing import THREAD_KINDS, check_name, find_thread

    name = clean(name)
    check_name(name)
    listed = await session.app.journal.read(kinds=THREAD_KINDS)
    try:
        found = find_thread(listed, name)
    except NotFound:
        session.begin(name, name)
        if on_event:
            session.say(f"A new conversation named {name} begins with your next message.")
        return
    session.begin(found, next((row.name for row in _rows(listed) if row.thread == found), ""))
    tasks = [task for task in await tasks_of(session.app.journal, found) if not task.withdrawn]
    if tasks:
        session.last = tasks[-1].run, tasks[-1].typed
    if on_event:
        _show_tail(session, tasks)
        if text := await unfinished(session):
            session.say(text)


def _show_tail(session: Session, tasks: list[TaskRow]) -> None:
    """Show the last tasks and answers, so that users see where they stopped."""
    from mmos.views.transcript import with_files

    if len(tasks) > TAIL:
        session.say(f"… {len(tasks) - TAIL} earlier")
    for task in tasks[-TAIL:]:
        session.echo(with_files(task.task, task.files))
        session.page.markdown(task.answer or "(no answer)")
        if task.status != "answered" and task is not tasks[-1]:  # `unfinished` describes the last one
            session.say(f"[{task.status}]")


async def last_thread(journal: Journal) -> str | None:
    """Find the conversation that was used last."""
    from mmos.views.listing import THREAD_KINDS

    rows = [row for row in _rows(await journal.read(kinds=THREAD_KINDS)) if row.runs]
    return rows[-1].thread if rows else None


async def tasks_of(journal: Journal, thread: str) -> list[TaskRow]:
    from mmos.views.transcript import TRANSCRIPT_KINDS, transcript

    return transcript(await journal.read(thread=thread, kinds=TRANSCRIPT_KINDS))


async def threads(session: Session, argument: str) -> None:  # noqa: ARG001
    from mmos.views.listing import THREAD_KINDS

    found = _rows(await session.app.journal.read(kinds=THREAD_KINDS))
    if not found:
        session.say("No conversations yet.")
        return
    rows = [(row.name or row.thread, str(row.runs), when(row.last), row.first) for row in found]
    table(session.page, ("THREAD", "TURNS", "LAST", "FIRST TASK"), rows, ("LAST",))


def _rows(entries: Iterable[Entry]) -> list[ThreadRow]:
    from mmos.views.listing import threads as listed

    return listed(entries)


# ---------------------------------------------------------------- /resume

AGAIN = "/resume continues it, /retry asks it again."
ANSWER = "/resume ANSWER answers it and continues."
ANSWER_ONE = "/resume ID ANSWER answers one of them and continues."
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
    if view.thread != session.thread:
        raise UsageError("The last turn belongs to the conversation that this one is a fork of.", next_step="/retry asks it again here.")
    options = _options(session, view)
    questions = view.open_questions
    if argument and not questions:
        raise UsageError("The last turn has no open question.", next_step=AGAIN)
    if argument:
        await _answer(session, view, argument)
    elif questions and session.page.answerer() is None and options.on_question is None:
        raise UsageError(_questions_text(questions), next_step=_how_to_answer(questions))
    await session.resume_run(run, options)


async def _answer(session: Session, view: RunView, argument: str) -> None:
    """Answer the open question. If there are several, the argument begins with the id of one."""
    questions, (first, _, rest) = view.open_questions, argument.partition(" ")
    named = len(questions) > 1 and first in {question.question for question in questions}
    if len(questions) > 1 and not named:
        raise UsageError(_questions_text(questions), next_step=ANSWER_ONE)
    try:
        await session.app.answer(view.run, rest if named else argument, question=first if named else None)
    except LateAnswer as error:
        session.say(str(error))


def _options(session: Session, view: RunView) -> RunOptions:
    """Take the options of the run, with the values that are set in this session. Questions go to the user of this session."""
    from mmos.app import RunOptions

    on_question = "ask" if session.page.answerer() is not None else None
    return RunOptions.of_facts({**view.options, "on_question": on_question, **session.options.run_options().as_facts()})


async def unfinished(session: Session) -> str:
    """Say how the last turn ended and what to type. Empty if there is nothing to continue."""
    from mmos.views.listing import at_work

    if session.last is None:
        return ""
    view = await _view(session, session.last[0])
    if view.status == "answered":
        return ""
    questions = view.open_questions
    if at_work(view, session.app.journal.alive):
        return "Another process still works on the last turn."
    if questions and view.status in (None, "waiting"):
        return f"The last turn waits for your answer. {_questions_text(questions)} {_how_to_answer(questions)}"
    ending = "was interrupted before its end" if view.status is None else f"ended without a whole answer ({view.status})"
    return f"The last turn {ending}. {AGAIN}"


def _questions_text(questions: Sequence[QuestionAsked]) -> str:
    """The open questions; several of them with their ids."""
    ids = [f"{question.question}: " if len(questions) > 1 else "" for question in questions]
    return " ".join(f"{name}{_question_text(question)}" for name, question in zip(ids, questions, strict=True))


def _question_text(question: QuestionAsked) -> str:
    options = ", ".join(f"{number}. {flat(option)}" for number, option in enumerate(question.options, 1))
    ends = f" {until(question)}" if question.deadline is not None else ""
    return f"{question.role} asks: {flat(question.text)}{f' ({options})' if options else hint(question)}{ends}"


def _how_to_answer(questions: Sequence[QuestionAsked]) -> str:
    return ANSWER if len(questions) == 1 else ANSWER_ONE


async def _view(session: Session, run: str) -> RunView:
    from mmos.views.run import RunView

    return RunView.of(await session.app.journal.read(run=run))
