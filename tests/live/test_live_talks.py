"""A talk of two participants over the servers: they answer alone, agree, and the arbiter changes what nothing shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmos.app import open_app
from tests.live.cast import text
from tests.live.peers import Talk

WINDOW = 32768
"""On these servers each byte is a token."""


def configuration(url: str) -> Mapping[str, Any]:
    role = {"model": "talker", "server": "box", "context_window": WINDOW}
    return {"orchestration": {"servers": {"box": {"url": url}}, "arbiter": role, "specialists": {"coding": role, "reasoning": role}}}


async def test_two_participants_talk_and_the_arbiter_reviews(server: Talk, tmp_path: Path) -> None:
    async with open_app(configuration(server.url), state=tmp_path) as app:
        answer = await app.run("Why does the service leak?")
        assert (answer.status, answer.text) == ("answered", text("talker", "final"))
        (talk,) = answer.document()["conversations"]
        assert (talk["ended"], talk["verdict"]) == ("agreement", "The pool leaks.")
        assert talk["reviews"] == {"passed": 2, "modified": 2, "redirected": 0, "dropped": 0}
        assert talk["record"]["consensus"][0] == {"text": "The pool leaks.", "who": ["coding", "reasoning"], "evidence": [1, 2]}
        assert (await app.replay(answer.run)).same
