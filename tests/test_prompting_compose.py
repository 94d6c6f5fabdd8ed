"""The prompt of one turn: it fits, it keeps what matters, and its beginning stays."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.errors import WindowExceeded
from mmos.events import Entry, LaneClosed, LaneOpened, ModelAsked, ModelReplied, RunWithdrawn
from mmos.messages import Message, Usage
from mmos.prompting.budget import MARGIN, USUAL, tokens_of, weigh
from mmos.prompting.compose import REPLY_SHARE, Plan, Scale, Space, compose
from mmos.prompting.digest import HEAD, TAIL, digest
from mmos.prompting.frame import Frame
from mmos.views.conversation import Conversation, Lane
from mmos.views.history import History
from tests.plausible import histories

SYSTEM = Message("system", "You help.")
WORDS = "word " * 160


TOOLS = 77 * 0.26
FRAME = Frame(SYSTEM, tools=b"x" * 77)


def tokens(weight: float) -> int:
    return int(weight) + 1


def lane_with(lengths: list[int], own: int = 10) -> Lane:
    history = History()
    for number, length in enumerate(lengths):
        history.extend([Message("user", f"Q{number}"), Message("assistant", "x" * length)], f"r{number}")
    return Lane("arbiter", history, len(lengths), [Message("user", "y" * own)])


def composed(lane: Lane, window: int, skip: int = 0) -> Plan:
    return compose(FRAME, lane, Scale(), Space(window, "m"), skip=skip)


def sent(lane: Lane, plan: Plan) -> list[Message]:
    return [SYSTEM, *lane.before(plan.skipped), *lane.messages]


LENGTHS = st.lists(st.integers(0, 3000), max_size=12)


@given(LENGTHS, st.integers(0, 4000), st.integers(64, 8192), st.integers(0, 14))
def test_a_prompt_fits_or_is_refused(lengths: list[int], own: int, window: int, skip: int) -> None:
    lane = lane_with(lengths, own)
    if tokens(TOOLS + weigh(SYSTEM) + weigh(lane.messages[0])) > window:
        with pytest.raises(WindowExceeded) as raised:
            composed(lane, window, skip)
        assert raised.value.window == window
        return
    prompt = composed(lane, window, skip)
    assert tokens_of(USUAL, prompt.counts) == pytest.approx(TOOLS + sum(map(weigh, sent(lane, prompt))))
    assert tokens(tokens_of(USUAL, prompt.counts)) <= window
    assert prompt.skipped >= skip


@given(LENGTHS, st.integers(512, 8192))
def test_nothing_is_left_out_that_has_room(lengths: list[int], window: int) -> None:
    lane = lane_with(lengths)
    whole = composed(lane, 1 << 20)
    fits = whole.tokens + whole.estimated * (MARGIN - 1) <= int(window * (1 - REPLY_SHARE))
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
    needed = tokens(TOOLS + weigh(SYSTEM) + weigh(lane.messages[0]))
    prompt = composed(lane, needed)
    assert prompt.skipped == 1
    assert tokens_of(USUAL, prompt.counts) == pytest.approx(TOOLS + weigh(SYSTEM) + weigh(lane.messages[0]))
    with pytest.raises(WindowExceeded, match=f"about {needed} tokens; the window of this role holds {needed - 1}"):
        composed(lane, needed - 1)


@given(histories, st.integers(0, 6))
def test_sums_are_those_of_the_messages_after_any_growth_and_any_taking_back(entries: list, skip: int) -> None:
    conversation, scale = Conversation(), Scale()
    for place, entry in enumerate(entries):
        conversation.apply(entry)
        if place % 3 == 0:  # whatever happened since it was asked last
            for lane in conversation.lanes.values():
                assert tokens_of(USUAL, scale.past(lane, skip)) == pytest.approx(sum(map(weigh, lane.before(skip))))


def test_sums_notice_an_end_that_was_taken_back_and_replaced_by_a_longer_one() -> None:
    history, scale = History(), Scale()
    history.extend([Message("user", "Q"), Message("assistant", "cut")], "r1")
    lane = Lane("arbiter", history, 1, [])
    scale.past(lane, 0)
    history.take_back()
    history.extend([Message("user", "Q"), Message("assistant", "a whole answer"), Message("user", "more")], "r2")
    assert tokens_of(USUAL, scale.past(lane, 0)) == pytest.approx(sum(map(weigh, history.messages)))


# ---------------------------------------------------------------- what hosts count


def asked(conversation: Conversation, run: str, question: str, reply: str, tokens: int, *, tail: str = "") -> None:
    """An exchange whose host counted these tokens."""
    request = ModelAsked("a1", "arbiter", "arbiter", "m", frame=FRAME.event.frame, tail=tail)
    replied = ModelReplied("a1", "arbiter", "arbiter", "m", "h", Message("assistant", reply), Usage(tokens))
    events = LaneOpened("arbiter", "arbiter", Message("user", question)), request, replied, LaneClosed("arbiter", "arbiter", "answered")
    for event in events:
        conversation.apply(Entry(run, "t", 0.0, event))


def planned(conversation: Conversation, question: str) -> Plan:
    conversation.apply(Entry("now", "t", 0.0, LaneOpened("arbiter", "arbiter", Message("user", question))))
    return compose(FRAME, conversation.lanes["now", "arbiter"], Scale(), Space(8192, "m"), skip=0)


def weight(*texts: str) -> float:
    return sum(weigh(Message("user", text)) for text in texts)


def test_only_what_is_new_since_the_newest_count_is_estimated() -> None:
    conversation = Conversation()
    asked(conversation, "r1", WORDS, WORDS, 250)
    plan = planned(conversation, "And now?")
    assert plan.tokens == int(250 + weight(WORDS, "And now?")) + 1
    assert plan.estimated == pytest.approx(weight(WORDS, "And now?"))


def test_a_tail_that_is_gone_no_longer_counts() -> None:
    conversation = Conversation()
    asked(conversation, "r1", WORDS, "Yes.", 300, tail="x" * 100)
    assert planned(conversation, "And?").tokens == pytest.approx(300 - 26 + weight("Yes.", "And?"), abs=1)


@pytest.mark.parametrize(("tokens", "space"), [(9, {}), (5000, {}), (0, {}), (250, {"images": 1000}), (250, {"model": "n"})])
def test_a_count_that_cannot_be_right_or_is_of_something_else_is_not_built_on(tokens: int, space: dict[str, Any]) -> None:
    conversation = Conversation()
    asked(conversation, "r1", WORDS, "Yes.", tokens)
    conversation.apply(Entry("now", "t", 0.0, LaneOpened("arbiter", "arbiter", Message("user", "And?"))))
    plan = compose(FRAME, conversation.lanes["now", "arbiter"], Scale(), Space(8192, **{"model": "m", **space}), skip=0)
    assert plan.known is None
    assert plan.tokens == pytest.approx(TOOLS + weigh(SYSTEM) + weight(WORDS, "Yes.", "And?") + space.get("images", 0), abs=1)


def test_a_history_that_changed_is_estimated_anew() -> None:
    conversation = Conversation()
    asked(conversation, "r1", WORDS, "Yes.", 250)
    conversation.apply(Entry("r1", "t", 0.0, RunWithdrawn()))
    assert planned(conversation, "And?").known is None


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
