"""Reads the library in the chat: /rag and /sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mmos.cli.sources import place
from mmos.cli.text import flat
from mmos.errors import UsageError, UserError

if TYPE_CHECKING:
    from mmos.cli.chat.session import Session
    from mmos.views.run import RunView

ON, OFF = "on", "off"
AROUND = 400
"""Characters before and after a passage that /sources N shows."""


async def rag(session: Session, argument: str) -> None:
    """Give the next turns passages of a collection, or none."""
    name = argument.strip()
    if name == OFF:
        session.options.rag = None
        session.say("Tasks are no longer looked up in the library.")
    elif name:
        _choose(session, "" if name == ON else name)
    else:
        collections = ", ".join(session.app.shelves.collections) or "none; mmos rag add PATH -C NAME makes one"
        session.say(f"Collections: {collections}. {_state(session)}")


def _choose(session: Session, name: str) -> None:
    shelves = session.app.shelves
    terms = shelves.terms(name)
    shelves.check(terms)
    session.options.rag = terms.collection
    session.say(f"Tasks are looked up in {terms.collection} from now on. /rag {OFF} ends this.")


def _state(session: Session) -> str:
    using = session.options.rag
    return f"Tasks are looked up in {using}." if using else "Tasks are not looked up. /rag COLLECTION changes that."


async def sources(session: Session, argument: str) -> None:
    """List the passages of the last answer, or show one with its surroundings."""
    view = next((answer.view for answer in reversed(session.answers) if answer.view.passages.found), None)
    rows = {one["number"]: one for one in view.passages} if view is not None else {}
    if view is None or not rows:
        raise UsageError("No answer of this session was given passages.", next_step="/rag COLLECTION looks tasks up in the library.")
    if not argument.strip():
        session.page.lines(_listed(view))
        return
    number = argument.strip().strip("[]")
    if not number.isdecimal() or int(number) not in rows:
        raise UsageError(f"There is no passage {argument.strip()!r}.", next_step=f"There are: {', '.join(map(str, rows))}.")
    await _show(session, rows[int(number)])


def _listed(view: RunView) -> list[str]:
    cited = {one["number"] for one in view.passages.documents(view.answer) if one["cited"]}
    return [f"[{one['number']}] {place(one)}{'  cited' if one['number'] in cited else ''}" for one in view.passages]


async def _show(session: Session, row: Mapping[str, object]) -> None:
    """The passage as the answer had it. Around it stands what the library has now, if the passage is still there. No file is opened."""
    text, start, end = str(row["text"]), int(str(row["start"])), int(str(row["end"]))
    before = after = ""
    try:
        whole = await session.app.library.text(str(row["collection"]), str(row["source"]))
        if whole[start:end] == text:
            before, after = whole[max(0, start - AROUND) : start], whole[end : end + AROUND]
    except UserError:
        pass  # it was deleted since
    session.page.lines([place(row), ""])
    session.page.lines([flat(line) for line in f"{before}{text}{after}".splitlines()])
