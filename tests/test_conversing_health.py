"""What is noticed in a talk: each fault is found, and nothing in talks that are healthy."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from mmos.conversing.health import found
from mmos.prompting.templates import Templates
from mmos.talk_events import ALL, MessageReviewed
from mmos.views.talks import Talk
from tests.healthy_talks import HEALTHY, LEAK, talk


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_noticed_in_a_healthy_talk_at_any_time(name: str) -> None:
    whole = HEALTHY[name]
    for upto in range(1, len(whole.sent) + 1):
        part = Talk(whole.opened, {number: sent for number, sent in whole.sent.items() if number <= upto})
        assert [(one.what, one.who, one.detail) for one in found(part, Templates(), shares={"coding": 0.5})] == []


def noticed(made: Talk, **shares: float) -> dict[str, tuple[str, ...]]:
    return {one.what: one.who for one in found(made, Templates(), shares=shares)}


def test_rounds_without_a_new_claim_are_a_stall() -> None:
    made = talk(
        LEAK,
        ("coding", ALL, 0, "new", "The pool leaks sockets.", ("The pool leaks sockets.",)),
        ("reasoning", ALL, 0, "new", "The cache grows.", ("The cache grows.",)),
        ("coding", ALL, 1, "partly", "As I see it, the pool of the service leaks its sockets.", ("The pool leaks sockets.",)),
        ("reasoning", ALL, 1, "partly", "One may see it this way or that way.", ()),
        ("coding", ALL, 2, "partly", "It would be good to know more about the memory.", ()),
    )
    assert noticed(made) == {"stall": ("coding", "reasoning")}
    made.sent[5] = replace(made.sent[5], claims=("The parser holds each buffer for ever.",))
    assert noticed(made) == {}


def test_two_that_only_contradict_each_other_play_ping_pong() -> None:
    made = talk(
        LEAK,
        ("coding", ALL, 0, "new", "The pool leaks sockets.", ("The pool leaks sockets.",)),
        ("reasoning", ALL, 0, "new", "The cache grows.", ("The cache grows.",)),
        ("coding", "reasoning", 1, "disagree", "No, it is the pool of this service.", ("The pool leaks sockets.",)),
        ("reasoning", "coding", 1, "disagree", "I do not see that. The cache.", ("The cache grows.",)),
        ("coding", "reasoning", 2, "disagree", "Look again.", ("The pool leaks sockets.",)),
        ("reasoning", "coding", 2, "disagree", "I did.", ("The cache grows.",)),
        participants=("coding", "reasoning", "analysis"),
    )
    assert noticed(made)["ping_pong"] == ("coding", "reasoning")


def test_a_participant_that_says_the_same_again_is_noticed() -> None:
    text = "The pool of connections never closes idle sockets, so the service keeps 40 kB for each of them."
    made = talk(
        LEAK,
        ("coding", ALL, 0, "new", text, ("The pool never closes idle sockets.",)),
        ("reasoning", ALL, 0, "new", "The listener of the cache holds it.", ("The listener holds the cache.",)),
        ("coding", ALL, 1, "partly", f"As said: {text}", ("The pool never closes idle sockets.",)),
    )
    assert noticed(made) == {"repetition": ("coding",)}


def test_a_talk_that_left_its_question_is_noticed() -> None:
    made = talk(
        LEAK,
        ("coding", ALL, 0, "new", "The pool never closes sockets.", ("The pool never closes sockets.",)),
        ("reasoning", ALL, 0, "new", "The cache listener holds buffers.", ("The listener holds buffers.",)),
        ("coding", ALL, 1, "new", "By the way, pineapple belongs on pizza.", ("Pineapple belongs on pizza.",)),
        ("reasoning", ALL, 1, "disagree", "Only mushrooms belong there, with olives.", ("Mushrooms belong there.",)),
        ("coding", ALL, 2, "partly", "Olives are fine, and anchovies are better.", ("Anchovies are better than olives.",)),
    )
    assert noticed(made) == {"drift": ("coding", "reasoning")}


def test_one_voice_that_dominates_is_noticed() -> None:
    lines = [
        ("coding", ALL, 1, "new", f"Service memory point {word}: the {word} module leaks.", (f"The {word} module leaks.",))
        for word in ("pool", "cache", "parser", "socket", "buffer")
    ]
    made = talk(
        LEAK,
        *lines,
        ("reasoning", ALL, 1, "new", "The release matters.", ("The release matters.",)),
        participants=("coding", "reasoning", "analysis"),
    )
    assert noticed(made) == {"dominance": ("coding",)}


@pytest.mark.parametrize(
    ("one", "other"),
    [("The parser takes 900 ms.", "The parser takes 200 ms."), ("The pool closes idle sockets.", "The pool never closes idle sockets.")],
)
def test_a_contradiction_that_nobody_settles_is_noticed(one: str, other: str) -> None:
    made = talk(
        LEAK,
        ("coding", ALL, 0, "new", one, (one,)),
        ("reasoning", ALL, 0, "new", other, (other,)),
        (
            "coding",
            ALL,
            1,
            "new",
            "The service has a second thread, which keeps the memory of the log.",
            ("A second thread keeps the log.",),
        ),
        ("reasoning", ALL, 1, "new", "The release notes name a new allocator for memory.", ("There is a new allocator.",)),
    )
    assert noticed(made) == {"contradiction": ("coding", "reasoning")}
    made.sent[4] = replace(made.sent[4], claims=(one,))
    assert noticed(made) == {}


def test_a_user_may_write_what_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "replies.md").write_text("## noticed_dominance_words\n{{ name }} wrote {{ share }} of it.\n")
    long = "The pool leaks sockets because the finalizer of each client holds the buffer of the request until the process ends."
    lines = [("coding", ALL, 1, "new", f"{long} {number}", (f"Cause {number}.",)) for number in (11, 12, 13)]
    lines += [("reasoning", ALL, 1, "new", f"Perhaps {number}.", (f"Reason {number}.",)) for number in (21, 22, 23)]
    details = {one.detail for one in found(talk(LEAK, *lines), Templates(tmp_path)) if one.what == "dominance"}
    assert details == {"coding wrote 91% of it."}


def test_a_window_that_is_nearly_full_is_noticed() -> None:
    made = HEALTHY["two find a cause and a fix"]
    (one,) = found(made, Templates(), shares={"coding": 0.85, "reasoning": 0.4})
    assert (one.what, one.who, one.detail) == ("window", ("coding",), "85% of the window of coding is used")


def test_a_copy_is_noticed_and_a_quote_is_none() -> None:
    text = "The growth began with release 2.4, which changed the listener of the cache, and the listener holds each buffer until the process ends."
    made = talk(
        LEAK,
        ("coding", ALL, 0, "new", "The pool leaks sockets in the service.", ("The pool leaks sockets.",)),
        ("reasoning", ALL, 0, "new", text, ("The listener holds each buffer.",)),
        ("coding", ALL, 1, "agree", f"{text} So the fix belongs there.", ("The fix belongs into the listener.",)),
    )
    assert noticed(made) == {"copy": ("coding", "reasoning")}
    made.sent[3] = replace(
        made.sent[3], text=f'You wrote "{text}" I tested that, and the listener really is the one that keeps them all in its list.'
    )
    assert noticed(made) == {}


def test_an_agreement_at_once_is_noticed() -> None:
    made = talk(
        LEAK,
        ("coding", ALL, 0, "new", "The pool leaks sockets.", ("The pool leaks sockets.",)),
        ("reasoning", ALL, 0, "new", "The cache grows without a limit.", ("The cache grows without a limit.",)),
        ("coding", "reasoning", 1, "agree", "Yes, I agree with you.", ()),
    )
    assert noticed(made) == {"early_agreement": ("coding",)}
    made.sent[3] = replace(made.sent[3], claims=("The heap dump shows the cache, not the pool.",))
    assert noticed(made) == {}


def test_words_that_another_never_wrote_are_noticed() -> None:
    made = talk(
        LEAK,
        ("coding", ALL, 0, "new", "The pool leaks sockets.", ("The pool leaks sockets.",)),
        ("reasoning", ALL, 0, "new", "The cache of the service grows.", ("The cache grows.",)),
        (
            "coding",
            ALL,
            1,
            "new",
            "reasoning says: I take my claim back, only coding is right about everything.",
            ("The release has a pool.",),
        ),
    )
    assert noticed(made) == {"impersonation": ("coding", "reasoning")}


def test_a_finding_is_told_once() -> None:
    made = talk(LEAK, ("coding", ALL, 1, "new", "The pool of the service.", ("The pool leaks.",)))
    made.noticed += found(made, Templates(), shares={"coding": 0.9})
    assert [one.what for one in made.noticed] == ["window"]
    assert found(made, Templates(), shares={"coding": 0.95}) == []


def test_what_nobody_read_is_not_noticed() -> None:
    made = talk(
        LEAK,
        ("coding", ALL, 0, "new", "The parser takes 900 ms.", ("The parser takes 900 ms.",)),
        ("reasoning", ALL, 0, "new", "The parser takes 200 ms.", ("The parser takes 200 ms.",)),
        ("coding", ALL, 1, "new", "The memory of the service is fine.", ("The memory is fine.",)),
        ("reasoning", ALL, 1, "new", "The release has a new allocator.", ("A new allocator.",)),
    )
    made.reviews[2] = MessageReviewed("t1", 2, "drop")
    assert noticed(made) == {}


def test_a_long_talk_takes_no_long_time() -> None:
    lines = [
        (
            "coding" if number % 2 else "reasoning",
            ALL,
            1,
            "new",
            f"The memory of part {number} grows by {number} kB. " * 20,
            tuple(f"Part {number}{n} grows by {n} kB" for n in range(5)),
        )
        for number in range(60)
    ]
    begin = time.process_time()
    found(talk(LEAK, *lines), Templates())
    assert time.process_time() - begin < 10
