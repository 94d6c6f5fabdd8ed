"""Has the message of a commit written by a model. One that does not fit is asked for once more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from mmos.app.answer import Answer
from mmos.app.lifecycle import RunOptions, Watch
from mmos.fences import fence
from mmos.prompting.templates import Templates
from mmos.rewriting.message import CommitMessage, NoMessage, message_of


class Writer(Protocol):
    """What writing a message needs of an app."""

    templates: Templates

    async def run(self, task: str, *, options: RunOptions | None = None, watch: Watch | None = None) -> Answer: ...


@dataclass(frozen=True)
class Staged:
    """What a commit would contain."""

    files: str
    """As `git diff --stat` lists them."""
    diff: str
    left_out: int = 0
    """Lines of the diff that the model does not read, because there are too many."""


async def commit_message(app: Writer, staged: Staged, options: RunOptions, watch: Watch) -> tuple[CommitMessage | None, Answer]:
    """The message, and the answer that it comes from. None: the run had no answer."""
    options = replace(options, on_question="fail")
    task = app.templates.fill("commit", files=staged.files, diff=staged.diff, fence=fence(f"{staged.files}\n{staged.diff}"))
    answer = await app.run(task, options=options, watch=watch)
    if answer.status != "answered":
        return None, answer
    try:
        return message_of(answer.text or ""), answer
    except NoMessage as error:
        again = await app.run(f"{task}\n\n{app.templates.fill('commit_again', problem=str(error))}", options=options, watch=watch)
    for last in (again, answer):
        try:
            return message_of(last.text or "", shorten=True), last
        except NoMessage:
            continue
    return None, again
