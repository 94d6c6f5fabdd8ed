"""Patterns over the servers: steps, one answer of several, votes with and without a judge, and a pattern as a tool of the arbiter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmos import Answer, RunOptions
from mmos.app import open_app
from tests.live.cast import text
from tests.live.peers import Talk

WINDOW = 16384
"""On these servers each byte is a token."""
SPIDERS = "How many legs do 3 spiders have? Give the number."
PATTERNS = {
    "chain": {"pattern": "sequential", "models": ["coder", "reasoner"]},
    "merged": {"pattern": "ensemble", "aggregate": "synthesize", "models": ["coder", "reasoner"], "aggregator_model": "conductor"},
    "count": {"pattern": "voting", "models": ["counter", {"model": "counter", "name": "again"}, "doubter"]},
    "split": {"pattern": "voting", "voting": "majority", "models": ["counter", "doubter"], "aggregator_model": "judge"},
}


def configuration(url: str) -> Mapping[str, Any]:
    role = {"model": "conductor", "server": "box", "context_window": WINDOW}
    return {"orchestration": {"servers": {"box": {"url": url}}, "arbiter": role, "patterns": PATTERNS}}


async def worked(server: Talk, state: Path, task: str, **options: Any) -> tuple[Answer, Mapping[str, Any]]:
    """The answer to a task, and its pattern in the document. A replay says the same."""
    async with open_app(configuration(server.url), state=state) as app:
        answer = await app.run(task, options=RunOptions(**options))
        assert answer.status == "answered", answer.document()["reason"]
        assert (await app.replay(answer.run)).same
        (document,) = answer.document()["patterns"]
        return answer, document


async def test_a_sequence_ends_with_the_words_of_its_last_step(server: Talk, tmp_path: Path) -> None:
    answer, document = await worked(server, tmp_path, "Merge two sorted lists.", pattern="chain")
    assert answer.text == text("reasoner")
    assert [(one["name"], one["status"], one["host"]) for one in document["members"]] == [
        ("coder", "answered", "box"),
        ("reasoner", "answered", "box"),
    ]


async def test_one_answer_is_written_of_two_and_names_who_disagrees(server: Talk, tmp_path: Path) -> None:
    answer, document = await worked(server, tmp_path, "Merge two sorted lists.", pattern="merged")
    ((name, said),) = [(one["model"], one["text"]) for one in document["dissent"]]
    assert name in ("coder", "reasoner")
    assert answer.text == f"Both say: advance through the lists in step.\n\n{name} disagrees: {said}"


async def test_two_members_that_agree_are_enough(server: Talk, tmp_path: Path) -> None:
    answer, document = await worked(server, tmp_path, SPIDERS, pattern="count")
    assert answer.text == text("counter")
    votes = {one["name"]: one["vote"] for one in document["members"]}
    assert votes["counter"] == votes["again"] == "24"
    assert document["agreement"] >= 2 / 3


async def test_a_judge_held_to_a_form_decides_a_split_vote(server: Talk, tmp_path: Path) -> None:
    answer, document = await worked(server, tmp_path, SPIDERS, pattern="split")
    assert answer.text in (text("counter"), text("doubter"))
    assert document["why"] == "the votes are split; the judge: It counts right."


async def test_the_arbiter_uses_a_pattern_and_answers(server: Talk, tmp_path: Path) -> None:
    answer, document = await worked(server, tmp_path, "Merge two sorted lists.")
    assert answer.text == text("conductor", "final")
    assert (document["name"], document["status"], len(document["members"])) == ("chain", "answered", 2)
