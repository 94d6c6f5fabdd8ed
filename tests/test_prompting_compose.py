"""The prompt of one turn: it fits, it keeps what matters, and its beginning stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.errors import WindowExceeded
from mmos.messages import Message
from mmos.prompting.budget import MARGIN, weigh
from mmos.prompting.compose import REPLY_SHARE, Plan, Scale, compose
from mmos.prompting.digest import HEAD, TAIL, digest
from mmos.views.conversation import Conversation, History, Lane
from tests.plausible import histories

SYSTEM = Message("system", "You help.")


def tokens(weight: float) -> int:
    return int(weight) + 1


def lane_with(lengths: list[int], own: int = 10) -> Lane:
    history = History()
    for number, length in enumerate(lengths):
        history.extend([Message("user", f"Q{number}"), Message("assistant", "x" * length)], f"r{number}")
    return Lane("arbiter", history, len(lengths), [Message("user", "y" * own)])


def composed(lane: Lane, window: int, skip: int = 0) -> Plan:
    return compose(SYSTEM, lane, Scale(), window=window, overhead=20.0, skip=skip, tokens=tokens)


def sent(lane: Lane, plan: Plan) -> list[Message]:
    return [SYSTEM, *lane.before(plan.skipped), *lane.messages]


LENGTHS = st.lists(st.integers(0, 3000), max_size=12)


@given(LENGTHS, st.integers(0, 4000), st.integers(64, 8192), st.integers(0, 14))
def test_a_prompt_fits_or_is_refused(lengths: list[int], own: int, window: int, skip: int) -> None:
    lane = lane_with(lengths, own)
    if tokens(20 + weigh(SYSTEM) + weigh(lane.messages[0])) > window:
        with pytest.raises(WindowExceeded) as raised:
            composed(lane, window, skip)
        assert raised.value.window == window
        return
    prompt = composed(lane, window, skip)
    assert prompt.weight == pytest.approx(20 + sum(map(weigh, sent(lane, prompt))))
    assert tokens(prompt.weight) <= window
    assert prompt.skipped >= skip


@given(LENGTHS, st.integers(512, 8192))
def test_nothing_is_left_out_that_has_room(lengths: list[int], window: int) -> None:
    lane = lane_with(lengths)
    whole = 20 + sum(map(weigh, [SYSTEM, *lane.before(), *lane.messages]))
    fits = tokens(whole * MARGIN) <= int(window * (1 - REPLY_SHARE))
    assert (composed(lane, window).skipped == 0) == (fits or not lengths)


def test_the_oldest_half_goes_at_a_time() -> None:
    lane = lane_with([1000] * 8)
    assert [composed(lane, window).skipped for window in (4000, 2400, 1400, 700)] == [0, 4, 6, 7]


def test_while_a_thread_grows_its_prefix_changes_seldom() -> None:
    history, skip, changes, before = History(), 0, 0, [SYSTEM]
    for number in range(60):
        history.extend([Message("user", f"Q{number}"), Message("assistant", "x" * 300)], f"r{number}")
        lane = Lane("arbiter", history, number + 1, [Message("user", "And now?")])
        prompt = composed(lane, 2048, skip)
        skip = prompt.skipped
        now = sent(lane, prompt)[:-1]
        changes += now[: len(before)] != before
        before = now
    assert 0 < changes <= 8


def test_the_exchange_in_progress_is_kept_even_where_the_reply_has_little_room() -> None:
    lane = lane_with([500], own=3000)
    needed = tokens(20 + weigh(SYSTEM) + weigh(lane.messages[0]))
    prompt = composed(lane, needed)
    assert prompt.skipped == 1
    assert prompt.weight == pytest.approx(20 + weigh(SYSTEM) + weigh(lane.messages[0]))
    with pytest.raises(WindowExceeded, match=f"about {needed} tokens; the window of this role holds {needed - 1}"):
        composed(lane, needed - 1)


@given(histories, st.integers(0, 6))
def test_sums_are_those_of_the_messages_after_any_growth_and_any_taking_back(entries: list, skip: int) -> None:
    conversation, scale = Conversation(), Scale()
    for place, entry in enumerate(entries):
        conversation.apply(entry)
        if place % 3 == 0:  # whatever happened since it was asked last
            for lane in conversation.lanes.values():
                assert scale.past(lane, skip) == pytest.approx(sum(map(weigh, lane.before(skip))))


def test_sums_notice_an_end_that_was_taken_back_and_replaced_by_a_longer_one() -> None:
    history, scale = History(), Scale()
    history.extend([Message("user", "Q"), Message("assistant", "cut")], "r1")
    lane = Lane("arbiter", history, 1, [])
    scale.past(lane, 0)
    history.take_back()
    history.extend([Message("user", "Q"), Message("assistant", "a whole answer"), Message("user", "more")], "r2")
    assert scale.past(lane, 0) == pytest.approx(sum(map(weigh, history.messages)))


# ---------------------------------------------------------------- digest


@given(st.text(max_size=4000))
def test_a_digest_is_made_of_the_texts_own_words_and_is_no_longer(text: str) -> None:
    made = digest(text)
    assert made.startswith(text[:HEAD])
    assert made.endswith(text[-TAIL:])
    assert (made == text) == (len(text) <= HEAD + TAIL)
    assert len(made) <= HEAD + TAIL + 2 * len(text[HEAD:-TAIL]) + 40


def test_a_digest_names_the_headings_that_it_leaves_out() -> None:
    parts = "\n".join(f"## Part {number}\n" + "words " * 100 for number in range(10))
    made = digest("Begin.\n" + "b" * HEAD + "\n" + parts + "\n" + "e" * TAIL)
    assert "\n## Part 3\n## Part 4\n" in made
    assert "[… " in made
