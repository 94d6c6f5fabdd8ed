"""The reader of a stream: plain text goes on at once, calls are held back, and where the stream is cut makes no difference."""

from __future__ import annotations

import itertools

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmos.calls.channels import ToolsChannel
from mmos.calls.stream import TextStream
from mmos.messages import Message, Reply
from tests.test_calls_text import NAMES, ONE, PIECES, read


def streamed(pieces: list[str]) -> tuple[list[str], TextStream]:
    told: list[str] = []
    stream = TextStream(told.append, NAMES)
    for piece in pieces:
        stream.feed(piece)
    return told, stream


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[start:end] for start, end in itertools.pairwise(ends)]


def calls_of(text: str) -> list[object]:
    return [(call.name, call.arguments) for call in read(text).calls]


WHOLE = [text for text in ONE if not text.startswith("They want")]
"""Without the one whose thinking shows itself only at its end: that cannot be held back."""


@pytest.mark.parametrize("text", WHOLE)
def test_nothing_of_a_call_is_passed_on_wherever_the_stream_is_cut(text: str) -> None:
    for size in (1, 2, 3, 7, 1000):
        told, _ = streamed([text[at : at + size] for at in range(0, len(text), size)])
        said = "".join(told)
        assert "Paris" not in said
        assert "tool_call" not in said
        assert read(text).content.startswith(said.rstrip()) or not said.strip()


@given(st.sampled_from(WHOLE), st.lists(st.integers(0, 10_000), max_size=12))
@settings(max_examples=150, deadline=None)
def test_a_call_cut_anywhere_reads_the_same_as_whole(text: str, places: list[int]) -> None:
    data = text.encode()
    pieces = [
        data[start:end]
        for start, end in zip([0, *sorted(p % len(data) for p in places)], [*sorted(p % len(data) for p in places), len(data)], strict=True)
    ]
    whole = b"".join(pieces).decode()
    told, stream = streamed(cut(text, places))
    assert calls_of(whole) == calls_of(text) != []
    assert "".join(told) in ("", *[read(text).content[:end] for end in range(len(read(text).content) + 1)]) or not "".join(told).strip()
    assert stream.rest(read(text).content) is not None


PROSE = st.sampled_from(
    ["Hello, ", "the weather ", "is fine. ", "\n\n", "(20°C) ", "[1] ", "x < y ", "a <b>bold</b> ", "`code` ", "```python\nx = {1: 2}\n```\n", "{}", "get_wea", "get_weather ", "{\"a\": 1} ", "* item\n", "1. ", "<think>hm</think>", "f(x) ", "cost: 3 ", "```", "<", "[", "{", "[link](http://x) "]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(PROSE, max_size=14), st.lists(st.integers(0, 10_000), max_size=20))
@example(["\n\n", "1. ", "<think>hm</think>"], [])
def test_what_was_passed_on_and_the_rest_are_the_content(parts: list[str], places: list[int]) -> None:
    text = "".join(parts)
    made = read(text)
    told, stream = streamed(cut(text, places))
    if not made.calls and not made.unclear:
        said = "".join(told)
        assert said + stream.rest(made.content) == made.content or made.content == said.strip()


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=30), st.integers(1, 5))
def test_any_pieces_are_taken_without_a_fault(parts: list[str], size: int) -> None:
    text = "".join(parts)
    told, _ = streamed([text[at : at + size] for at in range(0, len(text), size)])
    assert len("".join(told)) <= len(text)


def test_plain_text_goes_on_at_once() -> None:
    told, _ = streamed(["It is ", "20°C (warm) ", "in Paris. ", "See [1] "])
    assert "".join(told).startswith("It is 20°C (warm) in Paris. See")


def test_a_sample_is_released_when_it_is_one() -> None:
    text = 'For example:\n```json\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n```\nThat is all.\n'
    told, stream = streamed(list(text))
    assert "".join(told) + stream.rest(read(text).content) == text
    assert "That is" in "".join(told)


def test_the_channel_listens_and_reads() -> None:
    channel = ToolsChannel(list(NAMES.specs.values()))
    told: list[str] = []
    listen = channel.listen(told.append)
    text = 'Let me see.\n<tool_call>{"name": "get_weather", "arguments": {"city": "Paris",}}</tool_call>'
    for sign in text:
        listen(sign)
    reading = channel.read(Reply(Message("assistant", text), "m", "h"))
    assert "".join(told) == "Let me see.\n"
    assert [(call.name, call.arguments) for call in reading.message.calls] == [("get_weather", {"city": "Paris"})]
    assert {repair.stage for repair in reading.repairs} == {"extract", "repair"}
    assert orjson.loads(reading.message.wire)["tool_calls"]
