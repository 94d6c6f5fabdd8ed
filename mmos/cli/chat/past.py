"""Changes what a conversation remembers: /clear, /compact, /undo and /fork."""

from __future__ import annotations

from mmos.cli.chat.conversations import short, tasks_of
from mmos.cli.chat.session import Session
from mmos.cli.text import flat
from mmos.errors import UsageError
from mmos.messages import clean

LONGEST = 60
"""Characters of a task that a message repeats."""


async def clear(session: Session, argument: str) -> None:
    """Begin a new conversation. The settings of the session stay, what was attached to the next message goes."""
    if argument:
        raise UsageError("/clear takes no argument: it begins a new conversation.", next_step="/thread NAME begins one with a name.")
    kept = session.thread if session.last is not None else None
    goes_back = f"The old one is kept: /thread {session.name or kept} continues it." if kept else ""
    session.begin(None, "")
    session.attachments.clear()
    session.say(f"A new conversation begins with your next message. {goes_back}".strip())


async def compact(session: Session, argument: str) -> None:
    """Have the older exchanges summarised now, not only when they no longer fit."""
    if argument:
        raise UsageError("/compact takes no argument: it has all exchanges but the newest summarised.")
    from mmos.cli.threads_compact import sentence

    if session.thread is None:
        raise UsageError("Nothing has been said in this conversation yet.")
    session.say(sentence(await session.app.compact(session.thread, options=session.options.run_options())))


async def undo(session: Session, argument: str) -> None:
    """Take the newest exchange back. The one before it is then the newest."""
    if argument:
        raise UsageError("/undo takes no argument: it takes one exchange back.", next_step="Type it again to take back the one before.")
    if session.last is None or session.thread is None:
        raise UsageError("There is nothing to take back in this conversation.")
    run, typed = session.last
    await session.app.withdraw(run, thread=session.thread)
    session.instead = ""
    left = [task for task in await tasks_of(session.app.journal, session.thread) if not task.withdrawn]
    session.last = (left[-1].run, left[-1].typed) if left else None
    now = f"The newest one now: {_begun(left[-1].typed)}" if left else "Nothing is left of this conversation."
    session.say(f"Taken back: {_begun(typed)} No model knows it any more. {now}")


async def fork(session: Session, argument: str) -> None:
    """Go on in a copy of the conversation. The old one stays as it is."""
    if session.last is None or session.thread is None:
        raise UsageError("Nothing has been said in this conversation yet, so there is nothing to fork.")
    name = clean(argument)
    before, last = session.name or short(session.thread), session.last
    new = await session.app.fork_thread(session.thread, name=name)
    session.begin(new, name)
    session.last = last
    session.say(f"The conversation goes on in {name or short(new)}. The old one stays as it is: /thread {before} goes back to it.")


def _begun(task: str) -> str:
    """A task in quotes, shortened."""
    line = flat(task)
    return f"“{line}”" if len(line) <= LONGEST else f"“{line[:LONGEST].rstrip()}…”"
