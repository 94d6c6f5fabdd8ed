"""Checks at the end of each story that journals alone give the exact bytes of every request to a model again."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
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
        _check(await stage.app.journal.read())
    for path in (path for place in folder for path in place.rglob("journal.db")):
        with suppress(StateError):
            async with await Journal.open(path.parent, read_only=True) as journal:
                _check(await journal.read())


def _check(entries: Iterable[Entry]) -> None:
    for body in _bodies(entries):
        assert body in sent, f"remade: {body!r}\nsent: {sent}"


def _bodies(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The bodies of all requests that a host of this test has answered. A journal reads its entries from SQLite, so each is as another process has it."""
    threads: defaultdict[str, list[Entry]] = defaultdict(list)
    answered: set[tuple[str, str]] = set()
    for entry in entries:
        threads[entry.thread].append(entry)
        if isinstance(entry.event, ModelReplied) and entry.event.host == "here" and entry.time > began[0]:
            answered.add((entry.run, entry.event.ask))
    for mine in threads.values():
        made = [(entry, request and chat_body(request)) for entry, request in requests_of(mine)]
        assert all(body for _, body in made), "a request without its frame or its lane"
        for entry, body in made:
            if (entry.run, entry.event.ask) in answered:
                yield body
