"""Tests of `mmos.cache.keys`: which requests share a key."""

from __future__ import annotations

from typing import Any

import pytest

from mmos.cache.keys import Frame, Key, keys_of
from mmos.messages import Message, ToolCall

SYSTEM, WORDS = Message("system", "You help."), Message("user", "What is a mutex?")


def key(*messages: Message, digest: str = "sha256:1", alike: bool = True, **frame: Any) -> Key:
    return keys_of([digest], messages or (SYSTEM, WORDS), Frame(**frame), alike=alike)[0]


def test_the_same_request_has_the_same_key_whatever_the_order_of_its_options() -> None:
    assert key(options={"seed": 1, "top_k": 2}) == key(options={"top_k": 2, "seed": 1})


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "sha256:2"}, {"tools": b"[1]"}, {"format": b"{}"}, {"options": {"seed": 2}}, {"think": False}, {"think": "low"}, {"window": 1},
    ],
)  # fmt: skip
def test_whatever_changes_the_reply_changes_the_key(change: dict[str, Any]) -> None:
    one, other = key(), key(**change)
    assert one.exact != other.exact
    assert one.rest != other.rest


def test_earlier_messages_change_the_key_and_other_last_words_only_the_exact_one() -> None:
    assert key(WORDS).rest != key().rest
    same = key(SYSTEM, Message("user", "Please, what is the mutex"))
    assert (same.exact != key().exact, same.rest, same.form) == (True, key().rest, key().form)


def test_parts_are_not_mixed_up() -> None:
    assert key(tools=b"ab", format=b"c").exact != key(tools=b"a", format=b"bc").exact


def test_images_are_a_part_of_both_keys() -> None:
    one, other = (Message.verbatim({"role": "user", "content": "What is this?", "images": [image]}) for image in ("AAAA", "BBBB"))
    assert key(one).exact != key(other).exact
    assert key(one).rest != key(other).rest


def talk(first: str, second: str, result: str) -> list[Message]:
    calls = (ToolCall(first, "add", {"a": 1}), ToolCall(second, "add", {"a": 2}))
    results = [Message("tool", "one", tool_name="add", call_id=result), Message("tool", "two", tool_name="add", call_id=second)]
    return [WORDS, Message("assistant", "", calls), *results]


def test_the_ids_of_calls_do_not_count_but_which_result_belongs_to_which_call_does() -> None:
    assert key(*talk("call_a", "call_b", "call_a")) == key(*talk("call_x", "call_y", "call_x"))
    assert key(*talk("call_a", "call_b", "call_a")).exact != key(*talk("call_a", "call_b", "call_b")).exact


def test_only_words_of_the_user_have_a_form_and_only_if_it_is_asked_for() -> None:
    assert key(*talk("a", "b", "a")).rest == b""
    assert (key(alike=False).rest, key(alike=False).words) == (b"", "")
    assert key(SYSTEM, Message("user", "long " * 1000)).rest == b""
    assert key(alike=False).exact == key().exact


def test_each_digest_has_its_keys() -> None:
    assert [one.exact for one in keys_of(["a", "b"], [WORDS], Frame())] == [keys_of([name], [WORDS], Frame())[0].exact for name in "ab"]
