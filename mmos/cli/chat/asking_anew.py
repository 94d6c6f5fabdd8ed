"""Commands that ask the last task anew: the old exchange is taken out of the history, so that no model reads it twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.cli.chat.session import Session


async def retry(session: Session, argument: str) -> None:  # noqa: ARG001
    run, task = _last(session)
    session.instead = run
    session.say("The last task is asked again; what was answered before no longer counts in this conversation.")
    await session.ask(task)


async def edit(session: Session, argument: str) -> None:  # noqa: ARG001
    run, task = _last(session)
    changed = await session.page.edit(task)
    if changed is not None and not changed.strip():
        session.say("The text is empty: nothing was changed.")
        return
    session.page.type((changed if changed is not None else task).rstrip("\n"))
    session.instead = run
    session.say("Enter asks this instead of the last task, whose answer then no longer counts in this conversation.")


def _last(session: Session) -> tuple[str, str]:
    if session.last is None:
        raise UsageError("Nothing has been asked in this conversation yet.")
    return session.last
