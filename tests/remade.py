"""Checks at the end of each story that journals alone give the exact bytes of every request to a model again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from mmos.errors import StateError
from mmos.events import Entry, ModelReplied
from mmos.hosts.ollama import chat_body
from mmos.journal import Journal
from mmos.prompting.request import requests_of
from mmos.testing import Stage

sent: set[bytes] = set()
"""The bodies of all requests to models in the test that runs."""
folder: list[Path] = []
"""The folder of that test, if it has one. Commands keep their journals there."""


began: list[float] = [0.0]
"""When that test began. A journal may have older runs."""


def begin(place: Path | None) -> None:
    sent.clear()
    began[:] = [time.time()]
    folder[:] = [place] if place else []


async def every_request_again(stage: Stage) -> None:
    chats = [seen.body for seen in stage.host.requests if seen.path == "/api/chat"]
    sent.update(chats)
    if stage.host.requests.total > len(stage.host.requests) or b"" in sent:
        return  # the host's log is full
    with suppress(StateError):  # the test closed or spoiled it
        await _check(stage.app.journal)
    for path in (path for place in folder for path in place.rglob("journal.db")):
        with suppress(StateError):
            async with await Journal.open(path.parent, read_only=True) as journal:
                await _check(journal)


async def _check(journal: Journal) -> None:
    for thread in dict.fromkeys(entry.thread for entry in await journal.read()):
        for body in _bodies(await journal.read(thread=thread)):
            assert body in sent, f"remade: {body!r}\nsent: {sent}"


def _bodies(entries: Sequence[Entry]) -> Iterator[bytes]:
    """The bodies of all requests of a thread that a host of this test has answered. A journal reads its entries from SQLite, so each is as another process has it."""
    answered = {
        (entry.run, entry.event.ask)
        for entry in entries
        if isinstance(entry.event, ModelReplied) and entry.event.host == "here" and entry.time > began[0]
    }
    made = [(entry, request and chat_body(request)) for entry, request in requests_of(entries)]
    assert all(body for _, body in made), "a request without its frame or its lane"
    for entry, body in made:
        if (entry.run, entry.event.ask) in answered:
            yield body
