"""Stories of talks with models that do not write what is asked of them: messages in an odd form, empty messages, and no end."""

from __future__ import annotations

from typing import Any

import pytest

from mmos.rehearsal.pieces import Say, Stall
from mmos.talk_events import MessageReviewed, MessageSent
from mmos.testing import Call, facts, stage
from tests.talking import OWN, PASS, VERDICT, cast, say, start, talk_of

HASH = say("A hash.", "all", "new", "A hash is fast.")
TREE = say("A tree.", "all", "new", "A tree serves ranges.")


@pytest.mark.parametrize(
    ("to", "reaches"),
    [("everyone", "all"), ("the reasoning specialist", "reasoning"), ("Coding", "all"), ("reasoning, analysis", "all"), (7, "all")],
)
async def test_a_message_with_an_address_of_its_own_is_sent_and_reviewed(to: Any, reaches: str) -> None:
    odd = Call("say", {"to": to, "message": "A hash.", "claims": "none"})
    arbiter = [start(max_turns=2), OWN, PASS, PASS, VERDICT, "Done."]
    async with stage({**cast(arbiter, [odd], [TREE]), "analysis": []}) as on:
        answer = await on.app.run("Find an index.")
        (one, _) = await facts(on.app, answer.run, MessageSent)
        assert (one.sender, one.to, one.text, one.stance) == ("coding", reaches, "A hash.", "")
        assert talk_of(answer)["reviews"]["passed"] == 2, "the arbiter reviews it as any other"
        assert (await on.app.replay(answer.run)).same


async def test_a_message_to_a_role_that_does_not_take_part_is_dropped() -> None:
    odd = say("Leave the others out.", "analysis")
    arbiter = [start(max_turns=2), OWN, PASS, VERDICT, "Done."]
    async with stage({**cast(arbiter, [odd], [TREE]), "analysis": []}) as on:
        answer = await on.app.run("Find an index.")
        first = (await facts(on.app, answer.run, MessageReviewed))[0]
        assert (first.by, first.action) == ("rules", "drop")
        assert "analysis is not in this conversation" in first.reason


async def test_who_only_sends_empty_messages_has_a_few_tries() -> None:
    arbiter = [start("coding", "reasoning"), OWN, PASS, VERDICT, "Done."]
    async with stage(cast(arbiter, [say(" "), say(""), say("  ")], [TREE])) as on:
        answer = await on.app.run("Find an index.")
        assert len(on.sent("coding")) == 3
        assert any(warning.startswith("coding leaves the conversation") for warning in answer.document()["warnings"])


async def test_a_run_that_ends_in_a_talk_gives_its_verdict_or_its_newest_messages() -> None:
    first = [start(max_turns=2), OWN, PASS, PASS, VERDICT]
    roles = cast([*first, start(max_turns=2), "Another guess.", [Say("W"), Stall()]], [HASH, say("A hash, still.")], [TREE, say("A list.")])
    async with stage(roles, orchestration={"limits": {"seconds": 1}}) as on:
        answer = await on.app.run("Find an index.")
        assert answer.status == "partial"
        assert answer.text == "arbiter:\nA B-tree.\n\ncoding:\nA hash, still."
