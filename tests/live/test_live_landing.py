"""Calls that land: what models write in place of a call ends in the right one, and nobody is told a call for an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmos.app import Answer, open_app
from tests.live.cast import text
from tests.live.peers import Talk
from tests.live.test_live_stories import MERGE, configuration


async def landed(server: Talk, folder: Path, **arbiter: Any) -> Answer:
    async with open_app(configuration(server.url, **arbiter), state=folder) as app:
        return await app.run(MERGE)


def consulted(answer: Answer) -> dict[str, tuple[int, int]]:
    return {tool["name"]: (tool["calls"], tool["failed"]) for tool in answer.document()["tools"]}


def stages(answer: Answer) -> set[str]:
    return {repair["stage"] for repair in answer.document()["repairs"]}


async def test_a_call_written_as_text_is_carried_out(server: Talk, tmp_path: Path) -> None:
    answer = await landed(server, tmp_path, model="coder-as-text")
    assert (answer.status, answer.text) == ("answered", text("coder-as-text", "final"))
    assert consulted(answer) == {"consult_coding_specialist": (1, 0)}
    assert stages(answer) == {"extract"}


async def test_a_call_of_an_unknown_tool_is_said_again_and_carried_out(server: Talk, tmp_path: Path) -> None:
    """Its host swallows the call and answers nothing; asked again as JSON, the model says what it meant."""
    answer = await landed(server, tmp_path, model="waverer")
    assert (answer.status, answer.text) == ("answered", text("waverer", "final"))
    assert consulted(answer) == {"consult_coding_specialist": (1, 0)}
    assert stages(answer) == {"arbiter"}


async def test_in_schema_mode_every_call_is_the_right_one(server: Talk, tmp_path: Path) -> None:
    answer = await landed(server, tmp_path, model="router", channel="schema")
    assert answer.status == "answered"
    assert consulted(answer) == {"consult_coding_specialist": (1, 0), "consult_reasoning_specialist": (1, 0)}
    assert stages(answer) == set()
