"""A streamed answer, fed by hand: lines cut anywhere, calls from every chunk, and what makes it whole."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.errors import HostError, MalformedCall, ProtocolFault, RunnerCrashed, StreamCut
from mmos.hosts.face import Timeouts
from mmos.hosts.faults import Site
from mmos.hosts.growing import MAX_ANSWER, MAX_CALLS, MAX_LINE, call_ids
from mmos.hosts.ollama_stream import OllamaStream
from mmos.hosts.patience import Patience
from mmos.messages import Reply
from tests.wire import call, done, line, said

NUMBERS = {
    "total_duration": 54_437_004,
    "load_duration": 9_182_721,
    "prompt_eval_count": 6,
    "prompt_eval_duration": 1_500_000,
    "eval_count": 3,
    "eval_duration": 30_000_000,
}


class Pieces:
    """A source that hands out what it was given, then ends."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)

    async def readany(self) -> bytes:
        return next(self._pieces, b"")


def _answer(tokens: list[str] | None = None) -> OllamaStream:
    return OllamaStream(Site("box", "http://box:11434", "m"), call_ids(random.Random(1)), None if tokens is None else tokens.append)


def _fed(*pieces: bytes) -> Reply:
    answer = _answer()
    for piece in pieces:
        if answer.feed(piece):
            return answer.reply()
    raise AssertionError("never done")


async def _read(*pieces: bytes) -> OllamaStream:
    answer = _answer()
    with Patience(Timeouts()) as patience:
        await answer.read(Pieces(pieces), patience)
    return answer


def test_text_and_numbers() -> None:
    reply = _fed(said("Hel"), said("lo"), done(prompt_eval_cached_count=2, **NUMBERS))
    assert (reply.text, reply.model, reply.host, reply.done_reason) == ("Hello", "m", "box", "stop")
    usage = reply.usage
    assert (usage.prompt_tokens, usage.output_tokens, usage.cached_tokens) == (6, 3, 2)
    assert (usage.load_seconds, usage.prompt_seconds, usage.output_seconds) == (0.009182721, 0.0015, 0.03)
    assert usage.total_seconds == 0.054437004
    assert usage.queue_seconds == pytest.approx(0.013754283)


def test_what_is_missing_is_nothing_and_what_is_unknown_is_ignored() -> None:
    last = json.dumps({"done": True, "remote_host": "x", "logprobs": [1], "eval_count": None}).encode() + b"\n"
    reply = _fed(line(message={"content": "a", "images": []}), line(status="still here"), last)
    assert reply.text == "a"
    assert reply.usage.output_tokens == 0
    assert reply.usage.cached_tokens is None
    assert reply.done_reason == "stop"


def test_no_cached_tokens_are_not_the_same_as_an_unknown_number_of_them() -> None:
    assert _fed(done(prompt_eval_cached_count=0)).usage.cached_tokens == 0


@pytest.mark.parametrize("reason", ["stop", "length", "load"])
def test_the_reason_of_the_end_is_kept(reason: str) -> None:
    assert _fed(said("a"), done(reason=reason)).done_reason == reason


def test_tokens_are_told_as_they_come_and_thinking_is_not() -> None:
    tokens: list[str] = []
    answer = _answer(tokens)
    answer.feed(said("", thinking="two and"))
    answer.feed(said("", thinking=" two"))
    answer.feed(said("fo"))
    assert tokens == ["fo"]
    assert answer.feed(said("ur") + done())
    assert tokens == ["fo", "ur"]
    assert answer.reply().message.thinking == "two and two"
    assert answer.reply().text == "four"


def test_calls_of_every_chunk_are_merged_in_their_order() -> None:
    reply = _fed(
        said("first ", tool_calls=[call("a", {"n": 1}, id="call_aaaaaaaa")]),
        said("", tool_calls=[call("b", {"n": 2}, id="call_bbbbbbbb"), call("a", {"n": 3}, id="call_cccccccc")]),
        done("", message={"tool_calls": [call("c", {"n": 4}, id="native")]}),
    )
    assert [(one.id, one.name, one.arguments["n"]) for one in reply.calls] == [
        ("call_aaaaaaaa", "a", 1),
        ("call_bbbbbbbb", "b", 2),
        ("call_cccccccc", "a", 3),
        ("native", "c", 4),
    ]
    assert reply.text == "first "


def test_ids_are_made_where_they_are_absent_empty_or_taken() -> None:
    chunk = said(
        tool_calls=[call("a", {}), call("b", {}, id=""), call("c", {}, id="x"), call("d", {}, id="x"), call("e", {}, id=7)],
    )
    ids = [one.id for one in _fed(chunk, done()).calls]
    assert ids[2] == "x"
    assert len(set(ids)) == 5
    made = [one for one in ids if one != "x"]
    assert all(len(one) == 13 and one.startswith("call_") for one in made)
    assert [one.id for one in _fed(chunk, done()).calls] == ids  # the same chance, the same ids


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        ({"a": 1}, {"a": 1}),
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        ("  ", {}),
        (None, {}),
        ({}, {}),
        ("{}", {}),
        ("null", {}),
        ([], {}),
    ],
)
def test_arguments_are_an_object(arguments: Any, read: dict[str, Any]) -> None:
    assert _fed(said(tool_calls=[call("a", arguments)]), done()).calls[0].arguments == read


def test_a_call_without_arguments_or_name_is_kept_as_it_is() -> None:
    reply = _fed(said(tool_calls=[{"function": {"name": "a"}}, {"function": {"name": "", "arguments": {}}}, {"function": {}}]), done())
    assert [(one.name, one.arguments) for one in reply.calls] == [("a", {}), ("", {}), ("", {})]


@pytest.mark.parametrize(
    ("arguments", "raw"),
    [('{"a": ', '{"a": '), ("plain words", "plain words"), ("[1]", "[1]"), ([1, 2], "[1,2]"), (7, "7")],
)
def test_arguments_that_are_no_object_are_the_models_fault(arguments: Any, raw: str) -> None:
    answer = _answer()
    answer.feed(said("so far"))
    with pytest.raises(MalformedCall) as caught:
        answer.feed(said(tool_calls=[call("dig", arguments)]))
    assert caught.value.raw == raw
    assert "`dig`" in str(caught.value)
    assert answer.text == "so far"


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\xff\xfe garbage\n",
        b"<html>nginx</html>\n",
        b"[1, 2]\n",
        b'"text"\n',
        b"data: {}\n",
        line(message="hello"),
        line(message={"content": 7}),
        line(message={"content": ["a"]}),
        line(message={"thinking": {"a": 1}}),
        line(message={"tool_calls": ["a"]}),
        line(message={"tool_calls": 5}),
        line(message={"tool_calls": {"a": 1}}),
        line(message={"tool_calls": [{"name": "a"}]}),
        line(message={"tool_calls": [call(["a"], {})]}),  # type: ignore[arg-type]
    ],
)
def test_what_is_not_the_protocol_is_named_so(data: bytes) -> None:
    with pytest.raises(ProtocolFault) as caught:
        _answer().feed(data)
    assert "nginx" not in str(caught.value)
    assert "http://box:11434" in str(caught.value)


async def test_an_end_without_done_is_a_cut() -> None:
    for pieces in ([], [said("a")], [said("a"), line(message={"content": ""}, done=False)], [said("a"), b'{"model":"m","mess'], [b'{"mod']):
        with pytest.raises(StreamCut):
            await _read(*pieces)


async def test_a_stream_of_another_protocol_is_no_cut() -> None:
    for pieces in ([b'{"status":"ok"}\n'], [b'{"status":"ok"}'], [b"hello"], [b"\n\n"]):
        with pytest.raises(ProtocolFault):
            await _read(*pieces)


async def test_the_last_line_may_lack_its_line_break() -> None:
    assert (await _read(said("a"), done("b").rstrip())).reply().text == "ab"
    with pytest.raises(RunnerCrashed):
        await _read(said("a"), b'{"error":"model runner has unexpectedly stopped"}')


async def test_what_follows_the_end_is_not_read() -> None:
    answer = await _read(said("a") + done() + said("b") + b"garbage\n")
    assert answer.text == "a"


def test_blank_lines_and_carriage_returns_do_not_matter() -> None:
    stream = (said("a") + b"\n" + said("b") + done()).replace(b"\n", b"\r\n")
    assert _fed(stream.replace(b"\r\n\r\n", b"\n\n")).text == "ab"


def test_an_error_beside_done_is_an_error() -> None:
    with pytest.raises(HostError):
        _answer().feed(line(error="something", done=True))


def test_a_line_has_an_end() -> None:
    answer = _answer()
    piece = b"x" * (1 << 20)
    answer.feed(b'{"message":{"content":"' + piece)
    for _ in range((MAX_LINE >> 20) - 2):
        answer.feed(piece)
    with pytest.raises(ProtocolFault, match="8 MiB"):
        answer.feed(piece)


def test_a_long_line_within_the_limit_is_read() -> None:
    text = "y" * (MAX_LINE - 1000)
    data = said(text)
    answer = _answer()
    for start in range(0, len(data), 1 << 20):
        answer.feed(data[start : start + (1 << 20)])
    assert answer.text == text


def test_an_answer_has_an_end() -> None:
    answer = _answer()
    data = said("z" * (4 << 20))
    for _ in range(MAX_ANSWER // len(data)):
        answer.feed(data)
    with pytest.raises(ProtocolFault, match="64 MiB"):
        answer.feed(data)


STREAM = b"".join(
    [
        said("Grüße, ", thinking="hm"),
        said("世界 \N{ROCKET}\n"),
        said("", tool_calls=[call("a", {"text": "x\ny"}, id="one"), call("b", '{"n": 1}', id="two")]),
        b"\n",
        done("", **NUMBERS),
    ]
)


def test_one_byte_at_a_time_reads_the_same() -> None:
    assert _fed(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == _fed(STREAM)


def test_a_cut_at_each_byte_reads_the_same() -> None:
    whole = _fed(STREAM)
    for at in range(1, len(STREAM)):
        assert _fed(STREAM[:at], STREAM[at:]) == whole, at


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_cuts_read_the_same(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(edges)]
    assert _fed(*(piece for piece in pieces if piece)) == _fed(STREAM)


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1), max_size=20))
def test_any_text_comes_through_as_it_was(texts: list[str]) -> None:
    tokens: list[str] = []
    answer = _answer(tokens)
    assert answer.feed(b"".join(said(text) for text in texts) + done())
    assert answer.text == "".join(texts)
    assert tokens == texts


def test_an_answer_has_only_so_many_calls() -> None:
    answer = _answer()
    for _ in range(MAX_CALLS // 100):
        answer.feed(line(message={"tool_calls": [call("dig", {})] * 100}))
    with pytest.raises(ProtocolFault, match="1000 tool calls"):
        answer.feed(line(message={"tool_calls": [call("dig", {})]}))


def test_a_reason_that_is_no_word_is_none() -> None:
    answer = _answer()
    answer.feed(line(message={"content": "Yes."}, done=True, done_reason={"a": 1}))
    assert answer.reply().done_reason == "stop"


_CONTENTS = st.one_of(st.text(max_size=8), st.none(), st.integers())
_LINES = st.one_of(
    st.builds(said, st.text(max_size=8)),
    st.builds(lambda content: line(message={"role": "assistant", "content": content}), _CONTENTS),
    st.builds(lambda content: line(message={"role": "user", "content": content}), st.text(max_size=8)),
    st.builds(lambda content: said("", thinking=content), st.text(max_size=8)),
    st.builds(lambda content: line(message={"role": "assistant", "content": content}, error="boom"), st.text(max_size=8)),
    st.builds(lambda content: said(content, tool_calls=[call("a", {"n": 1})]), st.text(max_size=8)),
    st.sampled_from([b"\n", b"{}\n", b"[1]\n", b"7\n", b'{"a": "b\n', b'{"done": true}\n', done(), said("x" * 300)]),
)


@given(st.lists(_LINES, min_size=1, max_size=12))
def test_a_block_of_lines_is_read_like_each_line_by_itself(lines: list[bytes]) -> None:
    def outcome(pieces: Iterable[bytes]) -> object:
        heard: list[str] = []
        answer = _answer(heard)
        try:
            complete = any(answer.feed(piece) for piece in pieces)
        except HostError as error:
            return type(error), heard
        reply = answer.reply()
        return complete, heard, reply.text, reply.message.thinking, len(reply.calls)

    assert outcome([b"".join(lines)]) == outcome(lines)
