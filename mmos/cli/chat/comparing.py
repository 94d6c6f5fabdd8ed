"""Shows how two models, roles or patterns answer the last task, beside each other: /compare."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmos.cli.chat import patterns
from mmos.cli.chat.session import Session, split_role
from mmos.cli.output import how_long
from mmos.cli.sides import sides
from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.app import Answer, RunOptions

USAGE = "Type /compare A B, each a model, a role or a pattern."
PATTERN, ROLE = "pattern:", "role:"


async def compare(session: Session, argument: str) -> None:
    """Ask both at once. Neither answer becomes a part of the conversation."""
    names = argument.split()
    if len(names) != 2:
        raise UsageError("Two names are needed.", next_step=USAGE)
    if session.last is None:
        raise UsageError("Nothing has been asked in this conversation yet.", next_step="Ask something, then compare.")
    run, typed = session.last
    _, task = split_role(typed, session.cast())
    each = [options_of(name, session) for name in names]
    for options in each:
        session.app.cast(options)  # a wrong name is said before anybody is asked
    files = await session.app.files_of(run)
    session.say(f"{names[0]} and {names[1]} answer the last task. They see nothing of this conversation.")
    asking = [asyncio.create_task(session.app.run(task, files=files, options=options)) for options in each]
    try:
        _show(session, names, await asyncio.gather(*asking))
    finally:
        for one in asking:
            one.cancel()


def options_of(name: str, session: Session) -> RunOptions:
    """The options with which a role, a pattern or a model answers alone."""
    from mmos.app import RunOptions

    if name.startswith(ROLE) or name in session.app.config.roles():
        return RunOptions(role_only=name.removeprefix(ROLE), on_question="fail")
    if name.startswith(PATTERN) or name in patterns.names(session):
        return RunOptions(pattern=name.removeprefix(PATTERN), on_question="fail")
    return RunOptions(model=name, on_question="fail")


def _show(session: Session, names: Sequence[str], answers: Sequence[Answer]) -> None:
    heads = [f"{name} · {_cost(answer)}" for name, answer in zip(names, answers, strict=True)]
    texts = [answer.text or f"({answer.status}: {answer.reason.message if answer.reason else 'no answer'})" for answer in answers]
    session.page.lines(sides(heads, texts, session.page.width))


def _cost(answer: Answer) -> str:
    usage = answer.usage
    return f"{how_long(usage['seconds'])}, {usage['output_tokens']:,} tokens"
