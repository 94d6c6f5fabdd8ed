"""How votes are counted, and whom a cascade asks."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.voting.ballot import Ballot
from mmos.voting.cascade import Cascade
from mmos.voting.lines import Poll, decided, learned
from mmos.voting.tally import tally
from mmos.voting.trust import Mark, Trust
from tests.shell import command


def cast(**votes):
    return {name: Ballot(vote) for name, vote in votes.items()}


def test_heads_weights_and_ranks():
    votes = cast(a="x", b="y", c="y")
    assert (tally(votes).vote, tally(votes).behind, tally(votes).agreement) == ("y", ("b", "c"), 0.6667)
    weighted = tally(votes, "weighted", weights={"a": 3.0, "b": 1.0, "c": 1.0})
    assert (weighted.vote, weighted.agreement, weighted.against) == ("x", 0.6, {"y": ("b", "c")})


def test_ranks():
    ranked = tally(cast(a="x\ny\nz", b="z\ny\nx", c="y\nx\nz"), "ranked")
    assert (ranked.vote, ranked.behind, ranked.agreement) == ("y", ("c",), 0.7778)
    nobody_first = tally(cast(a="x\ny\nz", b="z\ny\nx"), "ranked")
    assert (nobody_first.vote, nobody_first.is_tie, nobody_first.agreement) == ("x", True, 0.6667)
    second = tally(cast(a="x\ny", b="z\ny", c="w\ny"), "ranked")
    assert (second.vote, second.behind) == ("y", ("a", "b", "c"))


@pytest.mark.parametrize(
    "answer", ["B > A > C", "1. Jupiter\n2. Mars\n3. Venus", '["B", "A", "C"]', ["B", "A", "C"], "My ranking:\n(B) > (A) > (C)", "B\nA\nC"]
)
def test_a_ranking_is_read(answer):
    poll = Poll("choice", "Which planet?\n(A) Mars\n(B) Jupiter\n(C) Venus", {"a": answer, "b": "The answer is (A)."})
    assert {name: one.vote for name, one in poll.rankings.items()} == {"a": "B\nA\nC", "b": "A"}
    assert decided(poll, "ranked", Trust()).answer == "A"


def test_reasoning_is_no_ranking():
    assert Poll("choice", "", {"a": "1. A is small.\n2. C > A.\nNow compare.\nThe answer is B"}).rankings["a"].vote == "B"
    assert Poll("number", "", {"a": "1. 3 + 4 = 7\n2. 7 > 5"}).rankings["a"].vote == "5"
    assert Poll("tool_calls", "", {"a": [CALL]}).rankings["a"].vote == "add(a=1)"


def test_a_ranked_text_is_given_as_it_is_written():
    poll = Poll("text", "Which plan?", {"a": "Use a Queue! > Use a lock.", "b": "1. Use a queue.\n2. Do nothing.", "c": None})
    verdict = decided(poll, "ranked", Trust())
    assert (verdict.answer, verdict.tally.behind, verdict.tally.abstained) == ("Use a Queue!", ("a", "b"), ("c",))


def test_a_tie_is_told_and_the_first_voter_decides():
    result = tally(cast(b="y", a="x"))
    assert (result.vote, result.is_tie) == ("y", True)


def test_who_abstains_weakens_the_agreement():
    result = tally({**cast(a="x"), "b": Ballot(None, "empty")})
    assert (result.vote, result.agreement, result.abstained) == ("x", 0.5, ("b",))
    assert tally({"b": Ballot(None)}).vote is None


VOTES = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("xyz").map(Ballot) | st.just(Ballot(None)), min_size=1)


@given(VOTES, st.randoms(use_true_random=False))
def test_the_order_of_the_ballots_counts_only_between_equals(votes, chance):
    names = list(votes)
    chance.shuffle(names)
    one, other = tally(votes), tally({name: votes[name] for name in names})
    assert one.is_tie or one.vote == other.vote
    assert one.agreement == other.agreement


@given(VOTES, st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 4)), st.sampled_from(["majority", "weighted", "ranked"]))
def test_a_further_vote_for_the_winner_does_not_make_it_lose(votes, weights, voting):
    before = tally(votes, voting, weights=weights)
    assert before.vote is None or tally({**votes, "more": Ballot(before.vote)}, voting, weights=weights).vote == before.vote


@given(
    st.dictionaries(st.sampled_from(["qwen:7b", "gemma:7b", "qwen:14b", "phi:3b"]), st.sampled_from("ABC"), min_size=1),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_answers_does_not_change_what_a_cascade_says(answers, chance):
    names = list(answers)
    chance.shuffle(names)
    trust = Trust.of(
        [
            Mark("choice", name, place > turn)
            for place, name in enumerate(["phi:3b", "gemma:7b", "qwen:7b", "qwen:14b"], 1)
            for turn in range(4)
        ]
    )
    one, other = (decided(Poll("choice", "", given), "auto", trust) for given in (answers, {name: answers[name] for name in names}))
    assert (one.answer, one.asked, one.tally) == (other.answer, other.asked, other.tally)


TRUST = Trust.of(
    Mark("g", model, right)
    for model, share in (("qwen:7b", 8), ("qwen:14b", 7), ("gemma:7b", 7), ("phi:3b", 3))
    for right in [True] * share + [False] * (10 - share)
)


def test_two_are_asked_first_and_of_two_families():
    cascade = Cascade(["phi:3b", "gemma:7b", "qwen:14b", "qwen:7b"], TRUST, "g")
    assert cascade.order()[:2] == ["qwen:7b", "gemma:7b"]
    assert cascade.next({}) == ["qwen:7b", "gemma:7b"]
    assert cascade.next(cast(**{"qwen:7b": "x", "gemma:7b": "x"})) == [], "they agree"
    split = cast(**{"qwen:7b": "x", "gemma:7b": "y"})
    assert cascade.next(split) == ["qwen:14b"]
    assert cascade.next({**split, "qwen:14b": Ballot("y")}) == []
    assert cascade.result({**split, "qwen:14b": Ballot("y")}).vote == "y"


def test_who_fails_is_replaced_by_the_next():
    cascade = Cascade(["qwen:7b", "gemma:7b", "qwen:14b"], TRUST, "g")
    assert cascade.next({"qwen:7b": Ballot(None, "failed"), "gemma:7b": Ballot("x")}) == ["qwen:14b"]


def test_without_any_knowledge_the_larger_model_is_asked_first():
    assert Cascade(["gemma:2b", "llama3:70b", "qwen:7b"]).order()[0] == "llama3:70b"


def test_the_best_decides_where_votes_would_do_harm():
    poll = Poll("yes_no", "Is it safe?", {"good": "Yes.", "bad": "No.", "worse": "No."}, "g")
    trust = Trust.of(
        Mark("g", model, right)
        for model, share in (("good", 19), ("bad", 11), ("worse", 11))
        for right in [True] * share + [False] * (20 - share)
    )
    assert decided(poll, "majority", trust).tally.vote == "no"
    assert decided(poll, "weighted", trust).tally.vote == "yes"
    assert decided(poll, "best", trust).asked == ("good",)


def test_trust_is_learned_from_lines_with_the_truth():
    rows = [{"kind": "number", "group": "sums", "question": "1+1?", "answers": {"a": "2", "b": "3"}, "truth": "2"}] * 9
    calls = [{"name": "add", "arguments": {"a": 1}}]
    rows += [
        {
            "kind": "tool_calls",
            "group": "calls",
            "question": "Add.",
            "answers": {"a": [], "b": calls},
            "truth": [{"add": {"a": [1], "b": ["", 0]}}],
        }
    ] * 9
    trust = learned(rows)
    assert trust.share("a", "sums") > trust.share("b", "sums")
    assert trust.share("b", "calls") > trust.share("a", "calls")


ADD = {"name": "add", "description": "Adds.", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}
CALL = {"name": "add", "arguments": {"a": 1}}


@pytest.mark.parametrize("tools", [None, [ADD]])
@pytest.mark.parametrize(
    "answer", [[CALL], json.dumps([CALL]), {"tool_calls": [{"function": CALL}]}, {"content": json.dumps(CALL)}, CALL, {"calls": [CALL]}]
)
def test_calls_are_read_wherever_they_stand(tools, answer):
    poll = Poll.of({"kind": "tool_calls", "question": "Add.", "answers": {"a": answer}, "tools": tools})
    assert poll.ballots["a"].vote == "add(a=1)"
    assert isinstance(decided(poll, "auto", Trust()).answer, list)


def test_calls_in_the_text_of_a_model_are_read_with_the_tools():
    row = {
        "kind": "tool_calls",
        "question": "Add.",
        "tools": [ADD],
        "answers": {"a": '<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>', "b": "No."},
    }
    assert {name: one.vote for name, one in Poll.of(row).ballots.items()} == {"a": "add(a=1)", "b": "no call"}


def test_an_expected_value_may_have_parts():
    truth = [{"add": {"of": [{"a": [1, 2], "b": ["", 3]}]}}]
    answers = {
        name: [{"name": "add", "arguments": {"of": given}}] for name, given in (("a", {"a": 2}), ("b", {"a": 3}), ("c", {"a": 1, "x": 1}))
    }
    answers |= {"d": [{"function": "add"}], "e": "add"}
    assert [mark.right for mark in Poll("tool_calls", "", answers, truth=truth).marks()] == [True, False, False, False, False]


@pytest.mark.parametrize(("kind", "truth", "answer"), [("number", 42, "#### 42"), ("yes_no", True, "Yes."), ("label", "Bug", "bug")])
def test_a_truth_may_be_a_value(kind, truth, answer):
    assert [mark.right for mark in Poll(kind, "", {"a": answer}, truth=truth).marks()] == [True]


async def test_the_command_answers_each_line(tmp_path):
    (tmp_path / "l.jsonl").write_text(
        "\n".join([json.dumps({"kind": "choice", "question": "", "answers": {"a": "A", "b": "B"}, "truth": "B"})] * 6)
    )
    line = {
        "id": 7,
        "kind": "choice",
        "question": "",
        "answers": {"a": "The answer is A", "b": "The answer is B", "c": "The answer is B"},
        "own": [1],
    }
    given = (json.dumps(line) + "\n{}\nno\n").encode()
    done = await command(tmp_path, "patterns", "tally", "--voting", "auto", "--learn", "l.jsonl", given=given)
    first, second, third = map(json.loads, done.out.splitlines())
    assert (first["id"], first["own"], first["answer"], first["from"]) == (7, [1], "B", ["b", "c"])
    assert first["asked"][0] == "b"
    assert ("answers" in second["error"], "answers" in third["error"], done.code) == (True, True, 1)


@pytest.mark.parametrize("text", ['{"kind": "choice"}', "x"])
async def test_a_line_that_cannot_be_learned_from_is_named(tmp_path, text):
    (tmp_path / "l.jsonl").write_text(text)
    done = await command(tmp_path, "patterns", "tally", "--learn", "l.jsonl", given=b"")
    assert done.code == 2
    assert "l.jsonl:1" in done.err


async def test_one_stream_cannot_be_both_files(tmp_path):
    done = await command(tmp_path, "patterns", "tally", "--learn", "-", given=b"{}")
    assert done.code == 2
    assert "both" in done.err
