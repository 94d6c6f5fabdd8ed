"""Streams as OpenAI-shaped servers really send them: every oddity that is known, and what it must read as."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.errors import HostError, HostFault, HostTimeout, MalformedCall, ProtocolFault, StreamCut
from mmos.hosts.face import Timeouts
from mmos.hosts.faults import Site
from mmos.hosts.growing import MAX_LINE
from mmos.hosts.openai.stream import OpenAIStream
from mmos.messages import Reply
from tests.openai_wire import DONE, EVENTS, TOOLS, asking, delta, event, finished, opened, piece, sent
from tests.wire import ABORT, CLOSE, HANG, LAST_CHUNK, Script, answer, chunk

SOON = 0.05
WHOLE = delta("Hel") + delta("lo") + finished()


async def read(*parts: bytes, **fields: Any) -> Reply:
    async with opened(sent(*parts)) as (host, _):
        return await host.chat(asking(**fields), timeouts=Timeouts())


def fresh() -> OpenAIStream:
    ids = iter(f"call_{number}" for number in range(100))
    ticks = iter(range(1000))
    return OpenAIStream(Site("studio", "http://studio/v1", "m"), lambda: next(ids), None, lambda: float(next(ticks)))


# ---------------------------------------------------------------- text


async def test_text_streams_and_is_whole() -> None:
    tokens: list[str] = []
    async with opened(sent(delta("", role="assistant"), delta("Hel"), delta("lo"), finished())) as (host, _):
        reply = await host.chat(asking(), timeouts=Timeouts(), on_token=tokens.append)
    assert tokens == ["Hel", "lo"]
    assert (reply.text, reply.host, reply.model, reply.done_reason) == ("Hello", "studio", "m", "stop")
    assert (reply.usage.prompt_tokens, reply.usage.output_tokens, reply.usage.cached_tokens) == (7, 2, None)
    assert reply.usage.total_seconds >= reply.usage.prompt_seconds + reply.usage.output_seconds - 1e-9 > 0


async def test_tokens_are_told_before_the_answer_is_whole() -> None:
    heard, go_on = asyncio.Event(), asyncio.Event()
    async with opened([EVENTS + chunk(delta("first")), go_on, chunk(finished()), LAST_CHUNK]) as (host, _):
        task = asyncio.create_task(host.chat(asking(), timeouts=Timeouts(), on_token=lambda _: heard.set()))
        await heard.wait()
        assert not task.done()
        go_on.set()
        assert (await task).text == "first"


def json_of(content: str, **more: Any) -> str:
    return json.dumps({"choices": [{"delta": {"content": content}, "finish_reason": None}], **more})


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(WHOLE.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(WHOLE.replace(b"\n", b"\r"), id="CR"),
        pytest.param(WHOLE.replace(b"data: ", b"data:"), id="no space"),
        pytest.param(WHOLE.replace(b"\n\n", b"\n"), id="no blank lines"),
        pytest.param(b"\xef\xbb\xbf" + WHOLE, id="byte order mark"),
        pytest.param(b"\n\n" + WHOLE, id="blank lines first"),
        pytest.param(b": OPENROUTER PROCESSING\n\n" + WHOLE.replace(b"\n\n", b"\n\n: ping\n\n"), id="comments"),
        pytest.param(b"retry: 3000\n\nevent: message\nid: 1\n" + WHOLE, id="other fields"),
        pytest.param(b"event: ping\ndata:\n\n" + WHOLE, id="empty data"),
        pytest.param(WHOLE.removesuffix(DONE), id="no DONE"),
        pytest.param(delta("Hello") + delta(finish="stop"), id="no usage and no DONE"),
        pytest.param((delta("Hello") + delta(finish="stop")).rstrip(), id="no last line break"),
        pytest.param(delta("Hello") + DONE, id="no finish_reason"),
        pytest.param(delta("Hello", finish="stop") + DONE, id="finish with the last text"),
        pytest.param(delta("Hel", finish="stop") + delta("lo", finish="stop") + DONE, id="finish with every text"),
        pytest.param(delta("Hello", finish="") + delta(finish="eos") + DONE, id="empty and strange reasons"),
        pytest.param(event({"choices": [], "prompt_filter_results": [{}]}) + WHOLE, id="no choices at first"),
        pytest.param(event({"choices": [{"index": 0, "delta": None, "finish_reason": None}]}) + WHOLE, id="no delta"),
        pytest.param(b"data: " + json_of("Hello").replace(", ", ",\ndata: ").encode() + b"\n\n" + finished(), id="data on several lines"),
        pytest.param(delta("Hello") + b"data: [DONE]\n\n" + b"data: whatever\n\n", id="more after DONE"),
        pytest.param(event({"choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}) + DONE, id="message for delta"),
        pytest.param(delta([{"type": "text", "text": "Hel"}]) + delta([{"type": "text", "text": "lo"}]) + finished(), id="content in parts"),  # type: ignore[arg-type]
        pytest.param(delta(refusal="Hello") + finished(), id="refusal"),
    ],
)  # fmt: skip
async def test_one_answer_in_many_forms(body: bytes) -> None:
    assert (await read(body)).text == "Hello"


async def test_a_server_that_does_not_stream_is_read_as_well() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "dig", "arguments": '{"deep": 1}'}}
    message = {"role": "assistant", "content": "Hello", "reasoning_content": "Hm.", "tool_calls": [call]}
    body = {"choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    for data in (json.dumps(body), json.dumps(body, indent=2), "\n\n" + json.dumps(body)):
        async with opened(answer(data.encode())) as (host, _):
            reply = await host.chat(asking(tools=TOOLS), timeouts=Timeouts())
        assert (reply.text, reply.message.thinking, reply.usage.output_tokens, reply.done_reason) == ("Hello", "Hm.", 4, "stop")
        assert [(one.id, one.name, one.arguments) for one in reply.calls] == [("c1", "dig", {"deep": 1})]


@given(st.lists(st.text()), st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_any_text_comes_through_however_the_bytes_are_cut(texts: list[str], cuts: list[int]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    data = b"".join(delta(text) for text in texts) + finished()
    grown, at, done = fresh(), 0, False
    for number in range(len(data)):
        if at >= len(data):
            break
        step = cuts[number % len(cuts)]
        done = grown.feed(data[at : at + step]) or done
        at += step
    assert done
    assert grown.text == "".join(texts)


async def test_a_stream_that_comes_byte_by_byte_reads_the_same() -> None:
    body = b"".join(part for part in sent(delta("Grüße, "), delta("世界"), finished()) if isinstance(part, bytes))
    async with opened([body[at : at + 1] for at in range(len(body))]) as (host, _):
        assert (await host.chat(asking(), timeouts=Timeouts())).text == "Grüße, 世界"


# ---------------------------------------------------------------- thinking, usage, reasons


@pytest.mark.parametrize(
    "thought",
    [
        delta(reasoning_content="Hm, ") + delta("", reasoning_content="so."),
        delta("", reasoning="Hm, ") + delta("", reasoning="so."),
        delta(reasoning="Hm, ", reasoning_content="Hm, ") + delta(reasoning="so.", reasoning_content="so."),
        delta([{"type": "thinking", "thinking": [{"type": "text", "text": "Hm, "}]}, {"type": "thinking", "thinking": "so."}]),  # type: ignore[arg-type]
    ],
)
async def test_thinking_is_kept_apart_under_every_name(thought: bytes) -> None:
    heard: list[str] = []
    async with opened(sent(thought, delta("Four."), finished())) as (host, _):
        reply = await host.chat(asking(), timeouts=Timeouts(), on_token=heard.append)
    assert (reply.message.thinking, reply.text, heard) == ("Hm, so.", "Four.", ["Four."])


@pytest.mark.parametrize(
    ("told", "prompt", "output", "cached"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 3}, 9, 3, None),
        ({"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}}, 9, 3, 8),
        ({"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": None}, 9, 3, None),
        ({"prompt_tokens": 9, "completion_tokens": 3, "prompt_cache_hit_tokens": 0}, 9, 3, 0),
        ({"prompt_tokens": None, "completion_tokens": "3"}, 0, 0, None),
        ("none", 0, 0, None),
    ],
)
async def test_usage_as_it_is_told(told: Any, prompt: int, output: int, cached: int | None) -> None:
    for last in (event({"choices": [], "usage": told}), event({"choices": [], "x_groq": {"usage": told}})):
        usage = (await read(delta("a"), delta(finish="stop"), last, DONE)).usage
        assert (usage.prompt_tokens, usage.output_tokens, usage.cached_tokens) == (prompt, output, cached)


async def test_of_many_counts_the_last_one_counts() -> None:
    parts = [
        event({"choices": [{"delta": {"content": "a"}}], "usage": {"prompt_tokens": 5, "completion_tokens": count}}) for count in (1, 2)
    ]
    assert (await read(*parts, delta(finish="stop"), DONE)).usage.output_tokens == 2


async def test_a_servers_own_seconds_go_before_ours() -> None:
    timings = {"prompt_n": 3, "prompt_ms": 250.0, "predicted_n": 4, "predicted_ms": 1500.0, "cache_n": 6}
    last = event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}, "timings": timings})
    usage = (await read(delta("a"), delta(finish="stop"), last, DONE)).usage
    assert (usage.prompt_seconds, usage.output_seconds, usage.cached_tokens) == (0.25, 1.5, 6)


def test_seconds_are_told_by_the_clock_that_was_given() -> None:
    grown = fresh()  # begun at 0
    assert grown.feed(delta("a") + finished())  # first piece at 1
    usage = grown.reply().usage  # asked for at 2
    assert (usage.prompt_seconds, usage.output_seconds, usage.total_seconds) == (1.0, 1.0, 2.0)


@pytest.mark.parametrize(
    ("reason", "meant"),
    [("stop", "stop"), ("length", "length"), ("tool_calls", "stop"), ("function_call", "stop"), ("model_length", "length"),
     ("content_filter", "content_filter")],
)  # fmt: skip
async def test_reasons_in_our_words(reason: str, meant: str) -> None:
    assert (await read(delta("a"), finished(reason))).done_reason == meant


# ---------------------------------------------------------------- tool calls


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        pytest.param([piece(0, "dig", "", id="a"), piece(0, None, '{"de'), piece(0, None, 'ep":1}')], [("a", "dig", {"deep": 1})], id="pieces"),
        pytest.param([piece(0, "dig", '{"deep":1}', id="a")], [("a", "dig", {"deep": 1})], id="whole at once"),
        pytest.param([piece(0, "dig", {"deep": 1}, id="a")], [("a", "dig", {"deep": 1})], id="arguments as an object"),
        pytest.param([piece(0, "dig", id="a")], [("a", "dig", {})], id="no arguments"),
        pytest.param([piece(0, "dig", "", id="a"), piece(0, None, "null")], [("a", "dig", {})], id="null arguments"),
        pytest.param(
            [piece(0, "dig", "", id="a"), piece(1, "fill", "", id="b"), piece(1, None, '{"x":2}'), piece(0, None, '{"x":1}')],
            [("a", "dig", {"x": 1}), ("b", "fill", {"x": 2})], id="two at once, mixed",
        ),
        pytest.param(
            [piece(0, "dig", "", id="a"), piece(0, "dig", '{"x"', id="a"), piece(0, "dig", ":1}", id="a")],
            [("a", "dig", {"x": 1})], id="name and id said again",
        ),
        pytest.param(
            [piece(0, "dig", '{"x"', id="a"), piece(0, None, ":1}", id="z")], [("a", "dig", {"x": 1})], id="an id of its own for each piece"
        ),
        pytest.param([piece(0, "d", id="a"), piece(0, "ig"), piece(0, None, "{}")], [("a", "dig", {})], id="name in pieces"),
        pytest.param(
            [piece(0, "dig", '{"x":1}', id="a"), piece(0, "dig", '{"x":2}', id="b")],
            [("a", "dig", {"x": 1}), ("b", "dig", {"x": 2})], id="all numbered 0",
        ),
        pytest.param(
            [piece(0, "dig", '{"x":1}'), piece(0, "dig", '{"x":2}')],
            [("call_0", "dig", {"x": 1}), ("call_1", "dig", {"x": 2})], id="all numbered 0, no ids",
        ),
        pytest.param(
            [piece(None, "dig", '{"x":1}', id="a"), piece(None, "fill", '{"x":2}', id="b")],
            [("a", "dig", {"x": 1}), ("b", "fill", {"x": 2})], id="no numbers",
        ),
        pytest.param(
            [piece(None, "dig", '{"x":1}'), piece(None, "fill", '{"x"'), piece(None, None, ":2}")],
            [("call_0", "dig", {"x": 1}), ("call_1", "fill", {"x": 2})], id="neither numbers nor ids",
        ),
        pytest.param(
            [piece(0, "dig", "{}", id="a"), piece(1, "dig", "{}", id="a")], [("a", "dig", {}), ("call_0", "dig", {})], id="an id twice"
        ),
        pytest.param([piece(0, "dig", "{}", id="")], [("call_0", "dig", {})], id="empty id"),
    ],
)  # fmt: skip
def test_tool_calls_in_every_shape(pieces: list[bytes], calls: list[Any]) -> None:
    grown = fresh()
    assert grown.feed(b"".join(pieces) + finished("tool_calls"))
    reply = grown.reply()
    assert [(call.id, call.name, dict(call.arguments)) for call in reply.calls] == calls
    assert reply.done_reason == "stop"


async def test_arguments_that_are_no_json_are_a_typed_fault_with_what_was_written() -> None:
    with pytest.raises(MalformedCall) as caught:
        await read(delta("I dig."), piece(0, "dig", '{"deep": ', id="a"), finished("length"), tools=TOOLS)
    assert (caught.value.raw, caught.value.partial) == ('{"deep": ', "I dig.")


# ---------------------------------------------------------------- streams that break


@pytest.mark.parametrize(
    ("script", "kind", "partial"),
    [
        pytest.param([CLOSE], StreamCut, "", id="closed before it answers"),
        pytest.param(sent(), StreamCut, "", id="nothing at all"),
        pytest.param(sent(DONE), StreamCut, "", id="DONE alone"),
        pytest.param(sent(b": ping\n\n"), ProtocolFault, "", id="comments alone"),
        pytest.param(sent(delta("so far")), StreamCut, "so far", id="no end"),
        pytest.param(sent(delta("so far"), event({"choices": [{"delta": {"content": ""}}], "model": ""})), StreamCut, "so far", id="as Ollama loses an error"),
        pytest.param(sent(delta("so far"), b'data: {"choices": [{"del'), StreamCut, "so far", id="half an event"),
        pytest.param([EVENTS, chunk(delta("so far")), ABORT], StreamCut, "so far", id="reset"),
        pytest.param([EVENTS, chunk(delta("so far")), CLOSE], StreamCut, "so far", id="closed within"),
        pytest.param(sent(delta("so far"), delta(finish="error")), StreamCut, "so far", id="finish error"),
        pytest.param(sent(delta("so far"), delta(finish="abort"), DONE), StreamCut, "so far", id="finish abort"),
        pytest.param(sent(b"data: hello\n\n"), ProtocolFault, "", id="no JSON"),
        pytest.param(sent(b"data: [1]\n\n"), ProtocolFault, "", id="no object"),
        pytest.param(sent(b'data: {"a"\n\n', delta("a")), ProtocolFault, "", id="half an event and another"),
        pytest.param(sent(event({"choices": ["a"]})), ProtocolFault, "", id="no choice"),
        pytest.param(sent(delta(7)), ProtocolFault, "", id="no text"),  # type: ignore[arg-type]
        pytest.param(sent(delta(tool_calls=["a"])), ProtocolFault, "", id="no call"),
        pytest.param(answer(b"<html>", kind="text/html"), ProtocolFault, "", id="a page"),
        pytest.param(answer(b'{"choices": [', kind="application/json"), StreamCut, "", id="half an object"),
        pytest.param(answer({"hello": 1}), ProtocolFault, "", id="another object"),
        pytest.param(answer([1]), ProtocolFault, "", id="a list"),
        pytest.param(sent(b"data: " + b"x" * MAX_LINE), ProtocolFault, "", id="an endless line"),
        pytest.param(sent(delta("so far"), event({"error": {"message": "boom", "code": 502}})), HostError, "so far", id="error with a status"),
        pytest.param(sent(delta("so far"), event({"error": "boom"})), HostFault, "so far", id="error as a text"),
        pytest.param(sent(delta("so far"), b'event: error\ndata: {"message": "boom"}\n\n'), HostFault, "so far", id="error event"),
        pytest.param(sent(delta("so far"), b'error: {"code": 500, "message": "boom"}\n\n'), HostFault, "so far", id="error field"),
        pytest.param(sent(delta("so far"), event({"object": "error", "message": "boom", "code": 500}), DONE), HostFault, "so far", id="error object"),
        pytest.param(sent(delta("so far"), b'{"error": {"message": "boom"}}\n'), HostFault, "so far", id="a bare error"),
        pytest.param(answer({"error": {"message": "boom"}}), HostFault, "", id="an error for an answer"),
    ],
)  # fmt: skip
async def test_a_stream_that_breaks_is_a_typed_fault(script: Script, kind: type[HostError], partial: str) -> None:
    async with opened(script, sent(delta("next"), finished())) as (host, _):
        with pytest.raises(kind) as caught:
            await host.chat(asking(), timeouts=Timeouts())
        assert caught.value.partial == partial
        assert (await host.chat(asking(), timeouts=Timeouts())).text == "next"


@pytest.mark.parametrize("end", [CLOSE, ABORT])
async def test_an_answer_is_whole_once_its_reason_came(end: str) -> None:
    async with opened([EVENTS, chunk(delta("whole", finish="stop")), end]) as (host, _):
        assert (await host.chat(asking(), timeouts=Timeouts())).text == "whole"


@pytest.mark.parametrize(
    ("script", "timeouts", "stage"),
    [
        ([HANG], Timeouts(first_byte=SOON), "first_byte"),
        ([EVENTS, HANG], Timeouts(first_byte=SOON), "first_byte"),
        ([EVENTS, chunk(b": ping\n\n"), HANG], Timeouts(first_byte=SOON), "first_byte"),
        ([EVENTS, chunk(delta("", role="assistant")), HANG], Timeouts(first_byte=SOON), "first_byte"),
        ([EVENTS, chunk(delta("a")), HANG], Timeouts(between_chunks=SOON), "between_chunks"),
        ([EVENTS, chunk(delta("a")), HANG], Timeouts(total=SOON), "total"),
    ],
)
async def test_patience_ends_in_the_stage_that_took_too_long(script: Script, timeouts: Timeouts, stage: str) -> None:
    async with opened(script) as (host, _):
        with pytest.raises(HostTimeout) as caught:
            await host.chat(asking(), timeouts=timeouts)
    assert caught.value.stage == stage


async def test_headers_and_comments_are_no_first_byte() -> None:
    """A prompt may be read for longer than a pause between two pieces may last."""
    go_on = asyncio.Event()
    async with opened([EVENTS, chunk(b": ping\n\n"), go_on, chunk(delta("a") + finished()), LAST_CHUNK]) as (host, wire):
        task = asyncio.create_task(host.chat(asking(), timeouts=Timeouts(first_byte=60, between_chunks=SOON / 2)))
        await wire.asked.wait()
        done, _ = await asyncio.wait([task], timeout=SOON * 3)
        assert not done
        go_on.set()
        assert (await task).text == "a"


def test_an_event_on_ever_more_lines_is_given_up() -> None:
    lines = b'data: {"a":"' + b"x" * 1000 + b"\n"
    with pytest.raises(ProtocolFault, match="no JSON"):
        fresh().feed(lines * 300)


def test_an_answer_has_only_so_many_calls() -> None:
    pieces = [delta(tool_calls=[{"index": index, "function": {"name": "a", "arguments": "{}"}}]) for index in range(1001)]
    with pytest.raises(ProtocolFault, match="1000 tool calls"):
        fresh().feed(b"".join(pieces))
