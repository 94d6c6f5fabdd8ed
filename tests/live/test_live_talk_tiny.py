"""A talk of real models, tiny ones: what is asserted is how it went, never what was said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.rehearsal import Host, Model, Prompt, serve
from mmos.rehearsal.personas import Turn
from mmos.talk_events import MessageReviewed, MessageSent
from mmos.testing import facts
from tests.embedded import needs_model
from tests.live.peers import WANTED
from tests.talking import OWN, PASS, VERDICT, start

SHORT = {"temperature": 0.2, "repeat_penalty": 1.15, "num_predict": 60}
TINY = {"model": "tiny", "server": "here", "context_window": 2048, "options": SHORT}


def arbiter(prompt: Prompt) -> Turn:
    """An arbiter by script: it starts the talk, passes each message, and concludes."""
    if "review" in prompt.toolbox:
        return PASS
    if "conclude" in prompt.toolbox:
        return VERDICT
    return OWN if not prompt.toolbox else "Done." if prompt.results else start("one", "two", max_turns=2)


def configuration(url: str) -> dict[str, Any]:
    return {
        "orchestration": {
            "servers": {"here": {"kind": "embedded", "models": {"tiny": "builtin"}, "parallel": 2}, "box": {"url": url}},
            "prompts": "small",
            "arbiter": {"model": "arbiter", "server": "box"},
            "specialists": {"one": TINY, "two": TINY},
        }
    }


@needs_model
@pytest.mark.live
@pytest.mark.skipif(not WANTED, reason="it takes half a minute: scripts/live runs it")
async def test_tiny_models_write_to_each_other(tmp_path: Path) -> None:
    async with (
        serve(Host("box", [Model.scripted("arbiter", [arbiter], repeat=True)], time_scale=None)) as url,
        mmos.open(configuration(url), state=tmp_path) as app,
    ):
        answer = await app.run("Is a list or a set faster for a search?")
        assert (answer.status, answer.text) == ("answered", "Done.")
        (talk,) = answer.document()["conversations"]
        assert talk["verdict"] == "A B-tree."
        sent = await facts(app, answer.run, MessageSent)
        left = {name for name in ("one", "two") if f"{name} leaves the conversation" in " ".join(answer.view.warnings)}
        assert {one.sender for one in sent} == {"one", "two"} - left, "who writes nothing that can be read leaves, and a warning says so"
        assert len(left) < 2
        assert all(one.text.strip() and one.to in ("one", "two", "all") for one in sent)
        assert [one.number for one in await facts(app, answer.run, MessageReviewed)] == [one.number for one in sent]
        assert talk["messages"] == len(sent) <= 2
