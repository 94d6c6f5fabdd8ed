"""The record of a talk: what rules find, and what of the arbiter's own record may stay."""

from __future__ import annotations

from mmos.conversing.record import FIELDS, checked, contradictions, drafted, merged
from mmos.talk_events import ALL, MessageReviewed
from tests.healthy_talks import HEALTHY, LEAK, talk

DISPUTE = talk(
    LEAK,
    ("coding", ALL, 0, "new", "The pool leaks.", ("The pool never closes idle sockets.", "Each request keeps 40 kB.")),
    ("reasoning", ALL, 0, "new", "The pool is fine.", ("The pool closes idle sockets.", "The growth began with release 2.4.")),
    ("coding", "reasoning", 1, "partly", "The release fits.", ("The growth began with release 2.4.",)),
    goal="Name the leaking object of the service and plan the rollout for the customers.",
)


def test_a_claim_of_several_is_consensus_with_who_and_where() -> None:
    assert drafted(DISPUTE)["consensus"] == [
        {"text": "The growth began with release 2.4.", "who": ["reasoning", "coding"], "evidence": [2, 3]}
    ]


def test_opposite_claims_are_a_contradiction() -> None:
    (one,) = drafted(DISPUTE)["contradictions"]
    assert one == {
        "text": "The pool never closes idle sockets. / The pool closes idle sockets.",
        "who": ["coding", "reasoning"],
        "evidence": [1, 2],
    }


def test_other_numbers_of_one_unit_are_a_contradiction_and_other_units_are_none() -> None:
    def pair(one: str, other: str) -> bool:
        return bool(contradictions(talk(LEAK, ("coding", ALL, 0, "new", one, (one,)), ("reasoning", ALL, 0, "new", other, (other,)))))

    assert pair("The parser takes 900 ms.", "The parser takes 200 ms.")
    assert pair("The API should return 403.", "The API should return 404.")
    assert not pair("The parser takes 900 ms.", "The parser takes 3 threads.")
    assert not pair("The parser takes 900 ms.", "The cache keeps 200 ms of audio.")


def test_what_one_takes_back_is_no_contradiction() -> None:
    assert drafted(HEALTHY["an open point is conceded"])["contradictions"] == []
    (first, *_) = drafted(HEALTHY["an open point is conceded"])["consensus"]
    assert first["text"] == "The API should return 404."


def test_what_one_alone_claims_is_an_insight() -> None:
    assert [one["text"] for one in drafted(DISPUTE)["unique_insights"]] == []  # a point in dispute is none
    texts = [one["text"] for one in drafted(HEALTHY["a new word in each message"])["unique_insights"]]
    assert "With a CDN the median falls to 0.9 s." in texts


def test_a_point_of_the_goal_that_nobody_touched_is_a_blind_spot() -> None:
    made = talk(
        LEAK,
        ("coding", ALL, 0, "new", "The pool leaks.", ()),
        ("reasoning", ALL, 0, "new", "It is the cache.", ()),
        goal="Name the leaking object, plan the rollout for all customers",
    )
    assert drafted(made)["blind_spots"] == [{"text": "plan the rollout for all customers", "who": [], "evidence": []}]


def test_without_a_goal_nothing_is_missing() -> None:
    assert drafted(talk(LEAK, ("coding", ALL, 0, "new", "The pool.", ())))["blind_spots"] == []


def test_a_dropped_message_proves_nothing() -> None:
    made = talk(
        LEAK,
        ("coding", ALL, 0, "new", "A", ("The parser takes 900 ms.",)),
        ("reasoning", ALL, 0, "new", "B", ("The parser takes 900 ms.",)),
    )
    made.reviews[2] = MessageReviewed("t1", 2, "drop")
    assert drafted(made)["consensus"] == []


def test_what_the_arbiter_writes_needs_witnesses_that_exist() -> None:
    right = {"text": "The growth began with release 2.4.", "who": ["reasoning"], "evidence": [2]}
    written = {
        "consensus": [
            right,
            {"text": "All agree.", "who": ["finance"], "evidence": [1]},
            {"text": "All agree.", "who": ["coding"], "evidence": [9]},
        ],
        "contradictions": [
            {"text": "Nobody proves this.", "who": ["coding"], "evidence": []},
            {"text": "He did not.", "who": ["coding"], "evidence": [2]},
        ],
        "blind_spots": ["Nobody looked at the disk.", 7, {"who": []}],
        "other": ["ignored"],
    }
    kept, problems = checked(written, DISPUTE)
    assert kept == {
        "consensus": [right],
        "contradictions": [],
        "partial_coverage": [],
        "unique_insights": [],
        "blind_spots": [{"text": "Nobody looked at the disk.", "who": [], "evidence": []}],
    }
    assert [problem.split(": ")[1] for problem in problems] == [
        "finance did not take part",
        "there is no message 9",
        "no message is named as evidence",
        "coding wrote none of these messages",
    ]


def test_a_record_in_a_wrong_form_is_empty() -> None:
    for wrong in (
        {},
        {"consensus": "all"},
        {"consensus": [{"text": 3}]},
        {"consensus": [{"text": "a", "who": "coding", "evidence": True}]},
    ):
        kept, _ = checked(wrong, DISPUTE)
        assert all(kept[name] == [] for name in FIELDS)


def test_rules_add_what_the_arbiter_did_not_mention() -> None:
    kept, _ = checked(
        {
            "contradictions": [
                {"text": "One says the pool never closes idle sockets, one says it closes them.", "who": [], "evidence": [1, 2]}
            ]
        },
        DISPUTE,
    )
    record = merged(drafted(DISPUTE), kept)
    assert list(record) == list(FIELDS)
    assert record["consensus"] == drafted(DISPUTE)["consensus"]
    assert record["contradictions"][0]["text"].startswith("One says")


def test_a_claim_is_not_of_one_and_of_all() -> None:
    (shared, *_) = drafted(DISPUTE)["consensus"]
    kept, _ = checked({"unique_insights": [shared]}, DISPUTE)
    record = merged(drafted(DISPUTE), kept)
    assert shared["text"] in [one["text"] for one in record["unique_insights"]]
    assert shared["text"] not in [one["text"] for one in record["consensus"]]
