"""Stories of recoveries over the servers: a wrong model name, a full window and a failing tool end in an answer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mmos
from mmos.app import open_app
from tests.live.cast import text
from tests.live.peers import Talk
from tests.recovering import gist

LARGE = 16384
"""The window of models that read a whole failure: on these servers each byte is a token."""


def configuration(url: str, model: str, window: int = LARGE) -> Mapping[str, Any]:
    return {
        "orchestration": {
            "servers": {"box": {"url": url}},
            "arbiter": {"model": model, "server": "box", "context_window": window},
            "specialists": {
                "adviser": {"model": "adviser", "server": "box", "context_window": LARGE},
                "spare": {"model": "arbiter", "server": "box", "context_window": window},
            },
            "recovery": {"role": "adviser"},
        }
    }


@mmos.tool(name="consult_reasoning_specialist", after_crash="repeat")
def reason(query: str) -> str:
    """Ask the reasoning specialist."""
    return f"I thought about {len(query)} characters."


async def test_a_wrong_model_name_ends_in_an_answer(server: Talk, tmp_path: Path) -> None:
    @mmos.tool(name="consult_coding_specialist", after_crash="repeat")
    def code(query: str) -> str:
        """Ask the coding specialist."""
        return f"I wrote {len(query)} characters."

    async with open_app(configuration(server.url, "no-such-model"), state=tmp_path, tools=[code, reason]) as app:
        answer = await app.run("Merge two sorted lists.")
    assert (answer.status, answer.text) == ("answered", text("arbiter", "final"))
    assert gist(answer) == [("config", "suggest_retry_with_changes", "reasoning", True)]


async def test_a_full_window_ends_in_an_answer(server: Talk, tmp_path: Path) -> None:
    @mmos.tool(name="consult_coding_specialist", after_crash="repeat")
    def code(query: str) -> str:
        """Ask the coding specialist."""
        return f"A line about {len(query)} characters that says nothing new.\n" * 980

    async with open_app(configuration(server.url, "arbiter", 12_288), state=tmp_path, tools=[code, reason]) as app:
        answer = await app.run("Merge two sorted lists.")
    assert (answer.status, answer.text) == ("answered", text("arbiter", "final"))
    assert gist(answer) == [("window", "shorten_results", "rules", True)]


async def test_a_failing_tool_ends_in_an_answer(server: Talk, tmp_path: Path) -> None:
    @mmos.tool(name="consult_coding_specialist", after_crash="repeat")
    def code(query: str) -> str:
        """Ask the coding specialist."""
        if query != "good":
            raise ValueError(f"I do not know {query}")
        return "It is good."

    async with open_app(configuration(server.url, "quirks"), state=tmp_path, tools=[code, reason]) as app:
        answer = await app.run("twice")
    assert (answer.status, answer.text) == ("answered", text("quirks", "final"))
    assert gist(answer) == [("tool", "suggest_retry_with_changes", "reasoning", True)]
