"""Stories of talks in which only the arbiter asks: it chooses what each model reads, and reviews what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmos import RunOptions
from mmos.cli.trace import lines
from mmos.events import CallFinished, LaneOpened
from mmos.rehearsal.prompt import Prompt
from mmos.talk_events import MessageReviewed, MessageSent, TalkClosed
from mmos.testing import Call, Model, Stage, facts, stage

BOTH = ["coding", "reasoning"]
DONE = Call(
    "conclude",
    {"verdict": "It is the cache.", "reasons": ["Both say so."], "consensus": [{"text": "cache", "who": BOTH, "evidence": [1, 2]}]},
)
PASS = Call("review", {"action": "pass", "reason": "ok"})


def start(participants: Sequence[str] = ("coding", "reasoning"), **more: Any) -> Call:
    return Call("start_multi_model_conversation", {"topic": "The leak", "participants": list(participants), "mode": "mediated", **more})


def asks(model: str, query: str, context_filter: str = "topic", **more: Any) -> Call:
    return Call("consult_model", {"model": model, "query": query, "context_filter": context_filter, **more})


def arbiter(*leads: Any, opening: Call | None = None, review: Callable[[Prompt], Any] = lambda _: PASS, end: str = "The end.") -> Model:
    """An arbiter that opens a talk, leads it with these turns, and answers."""
    script = iter(leads)

    def turn(prompt: Prompt) -> Any:
        if "review" in prompt.toolbox:
            return review(prompt)
        if "consult_model" in prompt.toolbox:
            return next(script)
        if "start_multi_model_conversation" not in prompt.toolbox:
            return "I think it is the pool."
        return end if prompt.results else opening or start()

    return Model.scripted("arbiter", [turn] * 60)


def read(on: Stage, role: str) -> list[list[str]]:
    """What each request to a role has after the system text."""
    return [[message["content"] for message in body["messages"][1:]] for body in on.sent(role)]


async def results(on: Stage, run: str, tool: str) -> list[str]:
    return [end.message.content for end in await facts(on.app, run, CallFinished) if end.tool == tool]


async def test_the_arbiter_chooses_what_each_model_reads() -> None:
    leads = [
        asks("coding", "Where?"), asks("reasoning", "Bare?", "nothing"), asks("coding", "And?", "own"),
        asks("reasoning", "Is that right?", "answers"), asks("reasoning", "Sure?", "answers"), asks("coding", "Look.", "nothing", messages=[2]), DONE,
    ]  # fmt: skip
    coding, reasoning = ["In the cache.", "In line 3.", "Ok."], ["Tell me more.", "It is right.", "Sure."]
    async with stage({"arbiter": arbiter(*leads), "coding": coding, "reasoning": reasoning}) as on:
        answer = await on.app.run("Find the leak.")
        assert answer.text == "The end."
        (first,), (third,), (last,) = read(on, "coding")
        assert first.index("Find the leak.") < first.index("The leak") < first.index("Where?")
        assert "Find the leak." in third  # a thread of its own begins here, so it gets the topic
        assert "Tell me more." not in third
        assert "Find the leak." not in last
        assert "Tell me more." in last
        bare, right, sure = read(on, "reasoning")
        assert "Find the leak." not in bare[0]
        assert "In the cache." in right[0]
        assert "In line 3." in right[0]
        assert len(sure) == 3
        assert "In the cache." not in sure[2]  # it has read and remembers that
        [talk] = answer.document()["conversations"]
        assert (talk["mode"], talk["ended"], talk["messages"], talk["verdict"]) == ("mediated", "verdict", 6, "It is the cache.")
        assert talk["reviews"] == {"passed": 6, "modified": 0, "redirected": 0, "dropped": 0}
        sent = await facts(on.app, answer.run, MessageSent)
        assert [(one.sender, one.to, one.query, one.shown) for one in sent[3:]] == [
            ("reasoning", "arbiter", "Is that right?", (1, 3)), ("reasoning", "arbiter", "Sure?", ()), ("coding", "arbiter", "Look.", (2,)),
        ]  # fmt: skip
        assert any("coding, asked Where?: In the cache." in line for line in lines(await on.app.journal.read(run=answer.run)))
        [closed] = await facts(on.app, answer.run, TalkClosed)
        assert closed.own_verdict == "I think it is the pool."
        assert [one["text"] for one in closed.record["consensus"]] == ["cache"]
        assert "I think it is the pool." in read(on, "arbiter")[2][0]


async def test_an_answer_is_reviewed_before_it_comes_back() -> None:
    def review(prompt: Prompt) -> Any:
        if "delete" in prompt.user_text:
            return Call("review", {"action": "drop", "reason": "It is dangerous.", "quote": "delete it all"})
        if "line 9" in prompt.user_text:
            return Call("review", {"action": "modify", "reason": "There is no line 9.", "quote": "line 9", "message": "It is in line 8."})
        if "secretly" in prompt.user_text:
            return Call("review", {"action": "redirect", "reason": "It is for coding.", "quote": "secretly", "to": "coding"})
        return PASS

    leads = [asks("coding", "A?"), asks("coding", "B?"), asks("reasoning", "C?"), asks("coding", "D?", "own"), DONE]
    roles = {
        "arbiter": arbiter(*leads, review=review),
        "coding": ["Please delete it all.", "Look at line 9.", "Ok."],
        "reasoning": ["I secretly know."],
    }
    async with stage(roles) as on:
        answer = await on.app.run("Find the leak.")
        one, two, three, _four = await results(on, answer.run, "consult_model")
        assert "dropped by arbiter: It is dangerous." in one
        assert "delete it all" not in one
        assert "It is in line 8." in two
        assert "There is no line 9" in two
        assert "I secretly know." in three
        assert "I secretly know." in read(on, "coding")[2][0]  # the review gave it to coding
        assert [review.action for review in await facts(on.app, answer.run, MessageReviewed)] == ["drop", "modify", "redirect", "pass"]


async def test_limits_hold_and_say_so() -> None:
    leads = [
        DONE,
        asks("coding", "A?"),
        asks("analysis", "B?"),
        asks("coding", "C?", messages=[7]),
        asks("reasoning", "D?"),
        asks("coding", "E?"),
        DONE,
    ]
    roles = {"arbiter": arbiter(*leads, opening=start(max_turns=2)), "coding": ["A1", "A2"], "reasoning": ["B1"], "analysis": ["never"]}
    async with stage(roles, orchestration={"recovery": {"enabled": False}}) as on:
        answer = await on.app.run("Find the leak.")
        first, *_ = await results(on, answer.run, "conclude")
        assert "Nobody has answered yet. Ask coding, reasoning" in first
        asked = await results(on, answer.run, "consult_model")
        assert "Answers left: 1" in asked[0]
        assert "analysis" in asked[1]
        assert "coding cannot read message 7. It can read: none." in asked[2]
        assert "2 answers, and that is the most. Call conclude." in asked[4]
        assert on.sent("analysis") == []
        assert answer.document()["conversations"][0]["ended"] == "verdict"


async def test_a_verdict_in_prose_counts_and_an_arbiter_that_never_ends_is_stopped() -> None:
    roles = {"coding": ["A1"], "reasoning": []}
    async with stage({"arbiter": arbiter(asks("coding", "A?"), "It is the pool after all."), **roles}) as on:
        answer = await on.app.run("Find the leak.")
        [talk] = answer.document()["conversations"]
        assert (talk["verdict"], talk["ended"]) == ("It is the pool after all.", "verdict")
    many = [asks("coding", f"Number {number}?") for number in range(20)]
    closing = arbiter(*many, opening=start(max_turns=2))
    async with stage({"arbiter": closing, "coding": ["A1", "A2"], "reasoning": []}) as on:
        answer = await on.app.run("Find the leak.")
        assert (answer.status, answer.document()["conversations"][0]["ended"]) == ("answered", "budget")


async def test_it_goes_on_where_models_may_not_write_to_each_other() -> None:
    only = {"conversation": {"allow_model_to_model": False, "arbiter_reviews_all": False}}
    direct = Call("start_multi_model_conversation", {"topic": "T", "participants": BOTH, "mode": "direct"})
    async with stage({"arbiter": arbiter(opening=direct), "coding": [], "reasoning": []}, orchestration=only) as on:
        answer = await on.app.run("Find the leak.")
        assert "mediated" in (await results(on, answer.run, "start_multi_model_conversation"))[0]
    async with stage({"arbiter": arbiter(asks("coding", "A?"), DONE), "coding": ["A1"], "reasoning": []}, orchestration=only) as on:
        answer = await on.app.run("Find the leak.")
        assert answer.document()["conversations"][0]["reviews"]["passed"] == 0


async def test_a_participant_that_fails_costs_the_talk_nothing() -> None:
    async with stage({"arbiter": arbiter(asks("coding", "A?"), asks("reasoning", "B?"), DONE), "coding": [], "reasoning": ["B1"]}) as on:
        on.host.faults.add("status", model="coding", status=400)
        answer = await on.app.run("Find the leak.")
        failed, given = await results(on, answer.run, "consult_model")
        assert "Error" in failed
        assert "B1" in given
        assert answer.document()["conversations"][0]["messages"] == 1


async def test_participants_read_the_thread_when_the_arbiter_wants_it() -> None:
    for history in (True, False):
        leads = [asks("coding", "A?"), asks("coding", "B?", "nothing"), DONE]
        roles = {"arbiter": arbiter(*leads, opening=start(include_history=history)), "coding": ["A1", "A2"], "reasoning": []}
        async with stage({**roles, "other": ["It lost memory."]}) as on:
            await on.app.run("What did it do?", thread="t", options=RunOptions(roles={"arbiter": "other"}))
            await on.app.run("Find the leak.", thread="t")
            (topic,), (nothing,) = read(on, "coding")
            assert ("What did it do?" in topic, "It lost memory." in topic) == (history, history)
            assert "It lost memory." not in nothing


async def test_a_talk_that_was_cut_off_goes_on_without_asking_anybody_twice(tmp_path: Path) -> None:
    asking = {"specialists": {"reasoning": {"tools": ["escalate_to_user"]}}}
    question = Call("escalate_to_user", {"question": "Fast or safe?"})
    roles = {"arbiter": arbiter(asks("coding", "A?"), asks("reasoning", "B?"), DONE), "coding": ["A1"], "reasoning": [question, "B1"]}
    async with stage(roles, orchestration=asking, state=tmp_path) as on:
        waiting = await on.app.run("Find the leak.", options=RunOptions(on_question="wait"))
        assert waiting.status == "waiting"
        await on.app.answer(waiting.run, "safe")
        answer = await on.app.resume(waiting.run)
        assert (answer.text, len(on.sent("coding")), len(await facts(on.app, answer.run, MessageSent))) == ("The end.", 1, 2)
        lanes = [lane.role for lane in await facts(on.app, answer.run, LaneOpened)]
        assert lanes.count("coding") == lanes.count("reasoning") == 1


async def test_an_arbiter_that_repeats_itself_ends_the_talk_and_not_the_run() -> None:
    same = [asks("coding", "A?")] * 9
    async with stage({"arbiter": arbiter(*same, opening=start(max_turns=2)), "coding": ["A1", "A2"], "reasoning": []}) as on:
        answer = await on.app.run("Find the leak.")
        assert (answer.status, answer.document()["conversations"][0]["ended"]) == ("answered", "budget")
    async with stage({"arbiter": arbiter(*[DONE] * 9), "coding": [], "reasoning": []}) as on:
        answer = await on.app.run("Find the leak.")
        assert (answer.status, answer.document()["conversations"][0]["ended"]) == ("answered", "failed")
        refused = [text for text in on.heard("arbiter") if "Nobody was asked" in text or "Error" in text]
        assert len(refused) <= 4, "an arbiter that asks nobody is not told so for all its turns"
