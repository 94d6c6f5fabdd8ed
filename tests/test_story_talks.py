"""Stories of specialists that talk with each other, over real HTTP."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from mmos.app import RunOptions
from mmos.rehearsal.pieces import Say, Stall
from mmos.talk_events import MessageReviewed, MessageSent, TalkClosed
from mmos.testing import Call, Model, facts, stage
from tests.talking import OWN, PASS, TOPIC, VERDICT, cast, conclude, last_words, review, say, start, talk_of

FIRST = (say("A hash.", "all", "new", "A hash is fast."), say("A tree.", "all", "new", "A tree serves ranges."))


async def test_participants_answer_alone_then_criticise_and_the_arbiter_concludes() -> None:
    coding = [FIRST[0], say("You are right about ranges.", "reasoning", "partly", "A hash serves no ranges.")]
    reasoning = [FIRST[1], say("Then a tree.", "coding", "agree")]
    lost = {"text": "Lost.", "who": ["nobody"], "evidence": [1]}
    record = {"unique_insights": [{"text": "Trees serve ranges.", "who": ["reasoning"], "evidence": [2]}, lost]}
    async with stage(cast([start(), OWN, PASS, PASS, PASS, PASS, conclude(**record), "Use a B-tree."], coding, reasoning)) as on:
        answer = await on.app.run("Find an index for my query.")
        assert (answer.status, answer.text) == ("answered", "Use a B-tree.")
        first = on.heard("coding")[0]
        assert "Find an index for my query." in first, "the user's own words"
        assert TOPIC in first
        assert "A tree." not in first, "nobody reads the others before the first answer"
        second = on.heard("coding")[1]
        assert "Message 2, reasoning to all:\n<<<\nA tree.\n>>>" in second
        assert second.index(TOPIC) > second.index("A tree."), "the topic is said again at the end"
        assert on.heard("arbiter")[1].count("Nobody has written yet") == 1, "the arbiter writes its own verdict before it reads anything"
        result = json.loads(last_words(on, "arbiter"))
        assert result["verdict"] == "A B-tree."
        assert result["own_verdict"] == OWN
        assert result["record"]["unique_insights"][0] == {"text": "Trees serve ranges.", "who": ["reasoning"], "evidence": [2]}
        assert result["record"]["consensus"][0]["who"] == ["coding", "reasoning"], "rules add what they find"
        assert "Lost." not in str(result["record"]), "what names nobody of the conversation is left out"
        (warning,) = answer.document()["warnings"]
        assert "unique_insights: nobody did not take part: Lost." in warning
        assert result["answers"] == {"coding": "You are right about ranges.", "reasoning": "Then a tree."}
        assert result["messages"] == 4
        talk = talk_of(answer)
        assert (talk["mode"], talk["ended"], talk["messages"], talk["reviews"]["passed"]) == ("direct", "verdict", 4, 4)
        assert (await on.app.replay(answer.run)).same


async def test_each_participant_keeps_a_thread_of_its_own_that_only_grows() -> None:
    arbiter = [start(), OWN, PASS, PASS, PASS, PASS, VERDICT, "Done."]
    async with stage(cast(arbiter, [FIRST[0], say("So.", stance="partly")], [FIRST[1], say("No.", stance="disagree")])) as on:
        await on.app.run("Find an index.")
        for role in ("coding", "reasoning"):
            one, two = (body["messages"] for body in on.sent(role))
            assert two[: len(one)] == one
            tools = [[tool["function"]["name"] for tool in body["tools"]] for body in on.sent(role)]
            assert tools == [["say", "conclude"]] * 2
        reviews = [body["messages"] for body in on.sent("arbiter") if "Call review" in body["messages"][-1]["content"]]
        assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(reviews))


async def test_a_changed_a_redirected_and_a_dropped_message() -> None:
    change = review("modify", quote="HASH is  fast", message="A hash is fast for single rows.")
    roles = {
        "arbiter": [start("coding", "reasoning", "analysis"), OWN, change, review("drop", quote="Ask my boss."), review("redirect", to="coding"), PASS, PASS, PASS, VERDICT, "Done."],
        "coding": [say("A hash is fast."), say("Mine.", stance="partly")],
        "reasoning": [say("Ask my boss."), say("Ours.", stance="partly")],
        "analysis": [say("Look at the ranges.", "reasoning"), say("Hm.", stance="partly")],
    }  # fmt: skip
    async with stage(roles) as on:
        answer = await on.app.run("Find an index.")
        of_coding, of_reasoning, of_analysis = (on.heard(role)[1] for role in ("coding", "reasoning", "analysis"))
        assert "A hash is fast for single rows." in of_analysis
        assert "the words are not all the sender's: arbiter changed them" in of_analysis
        assert "Ask my boss." not in of_coding + of_analysis
        assert "arbiter did not pass on your message 2" in of_reasoning
        assert "Look at the ranges." in of_coding
        assert "Look at the ranges." not in of_reasoning
        assert "arbiter changed your message 1" in of_coding
        assert talk_of(answer)["reviews"] == {"passed": 3, "modified": 1, "redirected": 1, "dropped": 1}
        reviewed = await facts(on.app, answer.run, MessageReviewed)
        assert [one.reason for one in reviewed[:3]] == ["It is wrong."] * 3


async def test_who_cannot_quote_what_is_wrong_lets_the_message_pass() -> None:
    change = review("modify", quote="It is slow.", message="It is slow, you fool.")
    async with stage(
        cast([start(), OWN, change, PASS, PASS, PASS, VERDICT, "Done."], [FIRST[0], say("So.")], [FIRST[1], say("So.")])
    ) as on:
        answer = await on.app.run("Find an index.")
        assert "A hash." in on.heard("reasoning")[1]
        assert "fool" not in on.heard("reasoning")[1]
        one = (await facts(on.app, answer.run, MessageReviewed))[0]
        assert (one.action, one.verified) == ("pass", False)
        assert talk_of(answer)["unverified"] == 1


async def test_a_review_that_fails_lets_the_message_pass_with_a_warning() -> None:
    silent = ["", "", ""]
    roles = cast([start(max_turns=2), OWN, *silent, PASS, VERDICT, "Done."], [FIRST[0]], [FIRST[1]])
    async with stage(roles, orchestration={"recovery": {"enabled": False}}) as on:
        answer = await on.app.run("Find an index.")
        assert answer.status == "answered"
        assert any("did not review message 1" in warning for warning in answer.document()["warnings"])
        assert talk_of(answer)["ended"] == "budget", "two messages were allowed"


async def test_without_a_conclusion_of_the_arbiter_there_is_what_the_participants_wrote() -> None:
    silent = ["", "", ""]
    roles = cast([start(max_turns=2), *silent, PASS, PASS, *silent, "Both."], [FIRST[0]], [FIRST[1]])
    async with stage(roles, orchestration={"recovery": {"enabled": False}}) as on:
        answer = await on.app.run("Find an index.")
        assert answer.text == "Both."
        result = json.loads(last_words(on, "arbiter"))
        assert (result["verdict"], result["own_verdict"], result["answers"]["coding"]) == ("", "", "A hash.")
        warnings = " ".join(answer.document()["warnings"])
        assert "wrote down no verdict of its own" in warnings
        assert "ended without a verdict" in warnings


async def test_without_reviews_by_the_arbiter_rules_still_stop_a_message() -> None:
    key = "AKIA" + "Q3EGRTBBH7WPLM2Z"
    roles = cast(
        [start(), OWN, VERDICT, "Done."],
        [say(f"I use the key {key} for that."), say("So.", stance="partly")],
        [FIRST[1], say("Well.", stance="partly")],
    )
    async with stage(roles, orchestration={"conversation": {"arbiter_reviews_all": False}}) as on:
        answer = await on.app.run("Find an index.")
        assert key not in on.heard("reasoning")[1]
        assert [one.by for one in await facts(on.app, answer.run, MessageReviewed)] == ["rules"]
        assert len(on.sent("arbiter")) == 4, "no request for a review"


async def test_all_agree() -> None:
    roles = cast(
        [start(), OWN, PASS, PASS, PASS, PASS, VERDICT, "Done."],
        [FIRST[0], say("Yes.", "all", "agree", "A tree.")],
        [FIRST[1], say("Good.", stance="agree")],
    )
    async with stage(roles, orchestration={"conversation": {"max_rounds": 3}}) as on:
        answer = await on.app.run("Find an index.")
        assert talk_of(answer)["ended"] == "agreement"


async def test_a_round_without_a_new_claim_ends_it() -> None:
    again = say("I stay with it.", "all", "disagree", "A hash is fast.")
    roles = cast([start(), OWN, PASS, PASS, PASS, PASS, VERDICT, "Done."], [FIRST[0], again], [FIRST[1], say("Me too.", stance="disagree")])
    async with stage(roles, orchestration={"conversation": {"max_rounds": 3}}) as on:
        answer = await on.app.run("Find an index.")
        assert (talk_of(answer)["ended"], talk_of(answer)["messages"]) == ("no_progress", 4)


async def test_a_participant_proposes_to_conclude_and_the_arbiter_decides() -> None:
    refused = Call("decide", {"accept": False, "reason": "Nobody has measured it."})
    accepted = Call("decide", {"accept": True, "reason": "It is measured."})
    arbiter = [start(), OWN, PASS, PASS, refused, PASS, accepted, conclude("Something else."), "Done."]
    roles = cast(arbiter, [FIRST[0], conclude("A tree, by 3 ms.", dissent="analysis wants a hash")], [FIRST[1], conclude("A hash it is.")])
    async with stage(roles) as on:
        answer = await on.app.run("Find an index.")
        assert "A hash it is." in on.heard("coding")[1], "a conclusion that is refused is a message"
        talk = talk_of(answer)
        assert (talk["ended"], talk["verdict"], talk["dissent"]) == ("verdict", "A tree, by 3 ms.", "analysis wants a hash")


@pytest.mark.parametrize(
    ("call", "keys", "words"),
    [
        (start(), {"allow_model_to_model": False}, "Use mode mediated"),
        (start("coding", "reasoning", "analysis"), {"max_models_per_conversation": 2}, "At most 2 may take part"),
        (start("coding", "reasoning", "analysis"), {"max_turns": 2}, "At most 2 may take part"),
        (start("coding", "coding"), {}, "coding is named twice"),
        (start("coding"), {}, "needs two participants"),
        (start(max_turns=13), {}, "Give 2 to 12"),
        (start(max_turns=1), {}, "Give 2 to 12"),
    ],
)
async def test_a_talk_that_may_not_be_held_is_refused(call: Call, keys: dict[str, Any], words: str) -> None:
    roles = {**cast([call, "Then not."], [], []), "analysis": []}
    async with stage(roles, orchestration={"conversation": keys}) as on:
        answer = await on.app.run("Find an index.")
        assert answer.text == "Then not."
        assert words in last_words(on, "arbiter")
        assert answer.document()["conversations"] == []


async def test_the_arbiter_is_no_participant_and_one_specialist_alone_has_no_talks() -> None:
    async with stage(cast([start("coding", "arbiter"), "Then not."], [], [])) as on:
        await on.app.run("Find an index.")
        assert '"arbiter" is not allowed' in last_words(on, "arbiter")
    async with stage({"arbiter": ["So."], "coding": []}) as on:
        await on.app.run("Find an index.")
        assert "start_multi_model_conversation" not in str(on.sent("arbiter")[0]["tools"])


async def test_the_talk_goes_on_without_a_participant_that_fails() -> None:
    roles = {
        "arbiter": [start("coding", "reasoning", "analysis"), OWN, PASS, PASS, PASS, PASS, VERDICT, "Done."],
        "coding": ["", "", ""],
        "reasoning": [FIRST[1], say("So.", stance="partly")],
        "analysis": [FIRST[0], say("Well.", stance="partly")],
    }
    async with stage(roles, orchestration={"recovery": {"enabled": False}}) as on:
        answer = await on.app.run("Find an index.")
        assert answer.status == "answered"
        assert any(warning.startswith("coding leaves the conversation") for warning in answer.document()["warnings"])
        assert talk_of(answer)["messages"] == 4


async def test_without_any_participant_there_is_no_talk() -> None:
    roles = cast([start(), OWN, "Alone, then."], ["", "", ""], ["", "", ""])
    async with stage(roles, orchestration={"recovery": {"enabled": False}}) as on:
        answer = await on.app.run("Find an index.")
        assert answer.text == "Alone, then."
        assert "None of coding, reasoning gave an answer" in last_words(on, "arbiter")
        assert [one.ended for one in await facts(on.app, answer.run, TalkClosed)] == ["failed"]


async def test_the_limits_of_a_run_hold_and_leave_room_for_the_answer() -> None:
    roles = cast([start(), OWN, PASS, PASS, VERDICT, "So far."], [FIRST[0]], [FIRST[1]])
    async with stage(roles, orchestration={"limits": {"total_turns": 9}}) as on:
        answer = await on.app.run("Find an index.")
        assert (answer.status, answer.text) == ("answered", "So far.")
        assert talk_of(answer)["ended"] == "budget"
        assert '"verdict":"A B-tree."' in last_words(on, "arbiter")
    async with stage(cast([start(), "Then not."], [], []), orchestration={"limits": {"calls": 6}}) as on:
        answer = await on.app.run("Find an index.")
        assert "The limits of this run leave too little" in last_words(on, "arbiter")


async def test_models_that_know_no_tools_talk_by_grammar_or_in_prose() -> None:
    plain = {"capabilities": ("completion",)}
    roles = {
        "arbiter": [start(), OWN, PASS, PASS, PASS, PASS, VERDICT, "Done."],
        "coding": Model.scripted("coding", ["It is a hash.", "Well, yes."]),
        "reasoning": Model.scripted("reasoning", [said("A tree."), said("I stay.", "partly")], **plain),
    }
    async with stage(roles) as on:
        answer = await on.app.run("Find an index.")
        assert len(on.sent("coding")) == 2, "prose is a message to all, and is not asked for again"
        (form,) = {json.dumps(body["format"]) for body in on.sent("reasoning")}
        assert '"answer"' not in form, "the grammar allows the calls alone"
        sent = await facts(on.app, answer.run, MessageSent)
        assert [(one.sender, one.to, one.text, one.stance) for one in sent] == [
            ("coding", "all", "It is a hash.", ""), ("reasoning", "all", "A tree.", "new"),
            ("reasoning", "all", "I stay.", "partly"), ("coding", "all", "Well, yes.", ""),
        ]  # fmt: skip


def said(message: str, stance: str = "new") -> str:
    """A call of `say` as a model without tools writes it."""
    return json.dumps({"calls": [{"tool": "say", "arguments": {"to": "all", "stance": stance, "message": message}}]})


async def test_what_rules_notice_is_told_to_the_arbiter_and_to_the_next_participant() -> None:
    long = "The index must serve the ranges of the query, so that the rows come in order and no sort is needed after it, and the cache holds the upper levels."
    arbiter = [start(), OWN, PASS, PASS, PASS, PASS, VERDICT, "Done."]
    async with stage(cast(arbiter, [say(long), say("Well.", stance="partly")], [say("A hash."), say(long, stance="agree")])) as on:
        answer = await on.app.run("Find an index.")
        assert "copy" in [one["what"] for one in talk_of(answer)["noticed"]]
        fact = "Noticed: message 3 of reasoning copies message 1 of coding"
        assert fact in on.heard("coding")[1]
        reviews = [text for text in on.heard("arbiter") if "Call review" in text]
        assert [fact in text for text in reviews] == [False, False, True, False]


async def test_the_arbiter_chooses_when_several_are_addressed() -> None:
    roles = {
        "arbiter": [start("coding", "reasoning", "analysis"), OWN, PASS, PASS, PASS, Call("next_speaker", {"name": "analysis"}), PASS, PASS, PASS, VERDICT, "Done."],
        "coding": [say("Reasoning?", "reasoning"), say("C.", stance="partly")],
        "reasoning": [say("Analysis?", "analysis"), say("R.", stance="partly")],
        "analysis": [say("A."), say("A again.", stance="partly")],
    }  # fmt: skip
    async with stage(roles) as on:
        answer = await on.app.run("Find an index.")
        sent = await facts(on.app, answer.run, MessageSent)
        assert [one.sender for one in sent if one.round] == ["analysis", "reasoning", "coding"]


async def test_a_participant_uses_its_own_tools_in_a_talk() -> None:
    def measure(index: str) -> str:
        """Measure an index."""
        return f"{index}: 3 ms"

    roles = cast(
        [start(), OWN, PASS, PASS, PASS, PASS, VERDICT, "Done."],
        [Call("measure", {"index": "tree"}), FIRST[0], say("So.", stance="partly")],
        [FIRST[1], say("So.", stance="partly")],
    )
    async with stage(roles, tools=[measure], orchestration={"specialists": {"coding": {"tools": ["measure"]}}}) as on:
        await on.app.run("Find an index.")
        assert [tool["function"]["name"] for tool in on.sent("coding")[0]["tools"]] == ["measure", "say", "conclude"]
        assert "tree: 3 ms" in on.heard("coding")[1]


async def test_a_long_message_reaches_the_arbiter_as_a_reference_and_the_user_whole() -> None:
    long = "x = 1\n" * 1000
    roles = cast([start(max_turns=2), OWN, PASS, PASS, VERDICT, _reference], [say(long)], [FIRST[1]])
    async with stage(roles, orchestration={"limits": {"answer_chars": 1000}}) as on:
        answer = await on.app.run("Find an index.")
        assert long not in last_words(on, "arbiter")
        assert answer.text.strip() == long.strip()


def _reference(prompt: Any) -> str:
    text = prompt.messages[-1]["content"]
    return "artifact:" + text.split("artifact:")[1].split(".")[0]


async def test_small_models_read_short_texts_and_write_no_record() -> None:
    arbiter = [start(), OWN, PASS, PASS, PASS, PASS, VERDICT, "Done."]
    async with stage(
        cast(arbiter, [FIRST[0], say("Hm.", stance="partly")], [FIRST[1], say("Hm.", stance="partly")]), orchestration={"prompts": "small"}
    ) as on:
        await on.app.run("Find an index.")
        assert all(len(text) < 400 for text in on.heard("coding"))
        (closing,) = [body for body in on.sent("arbiter") if "Call conclude" in body["messages"][-1]["content"]]
        assert list(closing["tools"][0]["function"]["parameters"]["properties"]) == ["verdict", "reasons", "dissent"]


async def test_messages_that_would_fill_the_window_of_the_arbiter_reach_it_as_digests() -> None:
    long = "The index serves the range of the query. " * 200
    arbiter = [start(), OWN, VERDICT, "Done."]
    keys = {"conversation": {"arbiter_reviews_all": False}, "arbiter": {"context_window": 6000}, "limits": {"answer_chars": 100_000}}
    async with stage(
        cast(arbiter, [say(long), say("A", stance="partly")], [say(long), say("B", stance="partly")]), orchestration=keys
    ) as on:
        answer = await on.app.run("Find an index.")
        (closing,) = [text for text in on.heard("arbiter") if "Call conclude" in text]
        assert "is kept as artifact:" in closing
        assert long not in closing
        assert answer.status == "answered"


async def test_a_participant_that_asks_the_user_pauses_the_talk_and_nothing_is_lost() -> None:
    ask = Call("escalate_to_user", {"question": "How many rows?"})
    roles = cast(
        [start(), OWN, PASS, PASS, PASS, PASS, VERDICT, "Done."],
        [ask, FIRST[0], say("So.", stance="partly")],
        [FIRST[1], say("So.", stance="partly")],
    )
    keys = {"specialists": {"coding": {"tools": {"allow": ["escalate_to_user"], "ask": ["s*"]}}}}
    async with stage(roles, orchestration=keys) as on:
        waiting = await on.app.run("Find an index.", options=RunOptions(on_question="wait"))
        assert waiting.document()["question"]["text"] == "How many rows?"
        await on.app.answer(waiting.run, "A million.")
        answer = await on.app.resume(waiting.run)
        assert answer.text == "Done."
        assert "A million." in on.heard("coding")[1]
        assert len(on.sent("reasoning")) == 2, "who had answered before the pause is not asked again"
        assert len(await facts(on.app, answer.run, MessageSent)) == 4


async def test_a_participant_that_is_too_late_leaves_the_talk() -> None:
    roles = cast([start(), OWN, PASS, VERDICT, "Done."], [[Say("Wait"), Stall()]], [FIRST[1]])
    async with stage(roles, orchestration={"specialists": {"coding": {"timeout": 0.3}}}) as on:
        answer = await on.app.run("Find an index.")
        assert answer.text == "Done."
        assert any(warning.startswith("coding leaves the conversation") for warning in answer.document()["warnings"])
        assert (talk_of(answer)["messages"], talk_of(answer)["ended"]) == (1, "verdict")


async def test_words_of_mmos_are_no_message_of_a_participant_that_a_limit_stopped() -> None:
    def measure(index: str) -> str:
        """Measure an index."""
        return f"{index}: 3 ms"

    calls = [Call("measure", {"index": "a"}), Call("measure", {"index": "b"})]
    roles = cast([start(), OWN, PASS, VERDICT, "Done."], calls, [FIRST[1]])
    keys = {"specialists": {"coding": {"tools": ["measure"]}}, "limits": {"turns": 2}, "recovery": {"enabled": False}}
    async with stage(roles, tools=[measure], orchestration=keys) as on:
        answer = await on.app.run("Find an index.")
        assert [one.sender for one in await facts(on.app, answer.run, MessageSent)] == ["reasoning"]
        assert any(warning.startswith("coding leaves the conversation") for warning in answer.document()["warnings"])


async def test_a_window_that_is_nearly_full_is_noticed() -> None:
    long = "The index serves the range of the query, and here is one more reason for it. " * 60
    keys = {"specialists": {"reasoning": {"context_window": 2000}}, "conversation": {"arbiter_reviews_all": False}}
    roles = cast(
        [start(), OWN, VERDICT, "Done."], [say(long), say("C.", stance="partly")], [say("A."), say("B" + "b " * 900, stance="partly")]
    )
    async with stage(roles, orchestration=keys) as on:
        answer = await on.app.run("Find an index.")
        (found,) = [one for one in talk_of(answer)["noticed"] if one["what"] == "window"]
        assert found["who"] == ["reasoning"]
        assert "of the window of reasoning is used" in on.heard("coding")[1]


async def test_with_room_for_one_model_there_is_no_tool_for_talks() -> None:
    async with stage(cast(["So."], [], []), orchestration={"conversation": {"max_models_per_conversation": 1}}) as on:
        await on.app.run("Find an index.")
        assert "start_multi_model_conversation" not in str(on.sent("arbiter")[0]["tools"])
