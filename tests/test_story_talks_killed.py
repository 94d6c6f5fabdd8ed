"""A talk that is cut off goes on, wherever the cut is: nobody is asked twice, and nothing is recorded twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import mmos
from mmos.app import RunOptions
from mmos.events import Entry, FrameKept, LaneClosed, ModelAsked, ModelFailed, ModelLearned, ModelReplied, RunFinished
from mmos.rehearsal.pieces import Say, Stall
from mmos.talk_events import ConclusionProposed, MessageReviewed, MessageSent, TalkClosed, TalkNoticed, TalkOpened
from mmos.testing import Call, Model, Turn, facts, stage, until
from tests.talking import OWN, PASS, VERDICT, cast, conclude, review, say, start, talk_of

KINDS = (TalkOpened, MessageSent, MessageReviewed, ConclusionProposed, TalkNoticed, TalkClosed)
SCRIPTS: Mapping[str, Sequence[Turn]] = {
    "arbiter": [
        start("coding", "reasoning", "analysis"), OWN, PASS, review("modify", quote="A tree", message="A B-tree."), PASS,
        Call("next_speaker", {"name": "analysis"}), PASS, Call("decide", {"accept": False, "reason": "No."}), PASS,
        review("drop", quote="I like it."), VERDICT, "Done.",
    ],
    "coding": [say("A hash.", "reasoning"), conclude("A hash it is.")],
    "reasoning": [say("A tree.", "analysis"), say("I like it.", "all", "agree")],
    "analysis": [say("Ask for ranges."), say("A tree, then.", "coding", "partly", "Ranges are asked for.")],
}  # fmt: skip


def models(turns: Mapping[str, Sequence[Turn]]) -> dict[str, Model]:
    return {name: Model.scripted(name, script or ["unused"]) for name, script in turns.items()}


async def cut(entries: Sequence[Entry]) -> tuple[mmos.Answer, list[Any]]:
    """The run of which only these entries are left, resumed. Models go on with their scripts."""
    replied = Counter(entry.event.model.partition(":")[0] for entry in entries if isinstance(entry.event, ModelReplied | ModelFailed))
    left = {role: turns[replied[role] :] for role, turns in SCRIPTS.items()}
    async with stage(models(left)) as on:
        for entry in entries:
            on.app.journal.append(entry.run, entry.thread, entry.event)
        answer = await on.app.resume(entries[0].run, options=RunOptions())
        assert {role: len(on.sent(role)) for role in left} == {role: len(turns) for role, turns in left.items()}, "nobody is asked twice"
        return answer, await facts(on.app, answer.run, *KINDS)


async def test_a_talk_goes_on_wherever_it_was_cut() -> None:
    async with stage(models(SCRIPTS)) as on:
        answer = await on.app.run("Find an index.")
        entries = await on.app.journal.read(run=answer.run)
    assert (answer.text, talk_of(answer)["ended"]) == ("Done.", "verdict")
    then = [entry.event for entry in entries if isinstance(entry.event, KINDS)]
    last = next(place for place, entry in enumerate(entries) if isinstance(entry.event, RunFinished))
    first = next(place for place, entry in enumerate(entries) if isinstance(entry.event, ModelReplied))
    places = [
        place for place in range(first + 1, last + 1) if not isinstance(entries[place - 1].event, FrameKept | ModelAsked | ModelLearned)
    ]
    assert len(places) > 60
    for place in places[::7]:
        again, events = await cut(entries[:place])
        where = f"cut after {place} entries: {entries[place - 1].event}"
        assert again.text == "Done.", where
        assert [(one.kind, getattr(one, "number", 0)) for one in events] == [(one.kind, getattr(one, "number", 0)) for one in then], where
        assert [one for one in events if isinstance(one, MessageReviewed)] == [one for one in then if isinstance(one, MessageReviewed)], (
            where
        )


async def test_ctrl_c_stops_everybody_in_a_talk() -> None:
    async with stage(cast([start(), OWN], [[Say("So "), Stall()]], [[Say("So "), Stall()]])) as on:
        task = asyncio.create_task(on.app.run("Find an index."))
        await until(lambda: on.sent("coding"))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await until(lambda: all(entry.status for entry in on.host.requests.to("/api/chat")))
        (run,) = {entry.run for entry in await on.app.journal.read()}
        closed = {one.lane.rpartition("/")[2]: one.status for one in await facts(on.app, run, LaneClosed)}
        assert (closed["coding-0"], closed["reasoning-0"]) == ("cancelled", "cancelled")
        assert await facts(on.app, run, TalkClosed) == []
