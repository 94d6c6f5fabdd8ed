"""Servers that refuse a part of a request: they are asked without it, once, and from then on."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from mmos.errors import BadRequest, HostRefusal, LacksTools
from mmos.hosts.face import ChatRequest, Timeouts
from mmos.hosts.openai.request import MOST_LESSONS
from tests.openai_wire import HELLO, TOOLS, asking, delta, event, finished, opened, sent
from tests.wire import Script, answer

OK = sent(delta("ok"), finished())
SCHEMA = b'{"type":"object","properties":{"a":{"type":"string"}}}'


def refusal(message: str, param: str | None = None, status: int = 400) -> Script:
    return answer({"error": {"message": message, "type": "invalid_request_error", "param": param, "code": "unsupported_parameter"}}, status)


def extra(name: str) -> Script:
    return answer({"detail": [{"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}]}, 422)


@pytest.mark.parametrize(
    ("said", "dropped"),
    [
        (refusal("Unknown parameter: 'stream_options'.", "stream_options"), "stream_options"),
        (refusal("stream_options is only allowed with a newer API"), "stream_options"),
        (extra("stream_options"), "stream_options"),
        (refusal("Unsupported value: 'temperature' does not support 0.2 with this model.", "temperature"), "temperature"),
        (refusal("Unrecognized request argument supplied: top_k"), "top_k"),
        (extra("min_p"), "min_p"),
        (refusal('{"message": "property \'seed\' is unsupported"}'), "seed"),
    ],
)
async def test_what_a_server_does_not_know_is_left_out_from_then_on(said: Script, dropped: str) -> None:
    options = {"temperature": 0.2, "top_k": 40, "min_p": 0.1, "seed": 7}
    async with opened(said, OK, OK, OK) as (host, wire):
        for model in ("m", "m", "other"):
            reply = await host.chat(ChatRequest(model, HELLO, 4096, options=options), timeouts=Timeouts())
            assert reply.text == "ok"
    assert [dropped in request.json for request in wire.requests] == [True, False, False, True]
    others = {*options, "stream_options"} - {dropped}
    assert all(others <= request.json.keys() for request in wire.requests)


async def test_several_are_learnt_one_after_another() -> None:
    options = {"top_k": 40, "min_p": 0.1}
    async with opened(extra("top_k"), extra("min_p"), extra("stream_options"), OK, OK) as (host, wire):
        for _ in range(2):
            await host.chat(asking(options=options), timeouts=Timeouts())
    assert set(wire.requests[-1].json) == {"model", "messages", "stream"}
    assert len(wire.requests) == 5


async def test_a_limit_goes_by_its_newer_name_where_that_is_asked_for() -> None:
    text = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    async with opened(refusal(text, "max_tokens"), OK, OK) as (host, wire):
        for _ in range(2):
            await host.chat(asking(options={"num_predict": 50}), timeouts=Timeouts())
    assert [(request.json.get("max_tokens"), request.json.get("max_completion_tokens")) for request in wire.requests] == [
        (50, None), (None, 50), (None, 50),
    ]  # fmt: skip


async def test_a_schema_is_asked_for_in_a_weaker_way_until_one_is_taken() -> None:
    refused = [
        refusal("Invalid schema for response_format 'answer': 'additionalProperties' is required to be false.", "response_format"),
        refusal("'response_format.type' must be 'json_object' or 'text'"),
        refusal("This response_format type is unavailable now"),
    ]
    async with opened(*refused, OK, OK) as (host, wire):
        for _ in range(2):
            await host.chat(ChatRequest("m", HELLO, 4096, format=SCHEMA), timeouts=Timeouts())
    forms: list[Any] = [request.json.get("response_format") for request in wire.requests]
    assert [form and form["type"] for form in forms] == ["json_schema", "json_schema", "json_object", None, None]
    assert [form["json_schema"].get("strict") for form in forms[:2]] == [True, None]
    assert all(form["json_schema"]["schema"]["properties"] for form in forms[:2])


@pytest.mark.parametrize(
    "said",
    [
        refusal("temperature must be between 0 and 2", "temperature"),
        refusal("Invalid 'seed': integer below minimum value.", "seed"),
        refusal("messages[0]: content is empty", "messages"),
        refusal("Bad Request"),
        refusal("Unsupported parameter: 'logit_bias'"),
    ],
)
async def test_a_mistake_of_the_users_is_told_and_not_hidden(said: Script) -> None:
    async with opened(said) as (host, wire):
        with pytest.raises(BadRequest):
            await host.chat(asking(options={"temperature": 5, "seed": -1}), timeouts=Timeouts())
    assert len(wire.requests) == 1


async def test_tools_are_never_left_out_in_silence() -> None:
    async with opened(extra("tools")) as (host, wire):
        with pytest.raises(LacksTools):
            await host.chat(asking(tools=TOOLS), timeouts=Timeouts())
    assert len(wire.requests) == 1


async def test_what_is_refused_after_text_had_come_is_not_tried_again() -> None:
    late = event({"error": {"message": "Unknown parameter: 'stream_options'", "code": 400}})
    tokens: list[str] = []
    async with opened(sent(delta("so far"), late)) as (host, _):
        with pytest.raises(BadRequest) as caught:
            await host.chat(asking(), timeouts=Timeouts(), on_token=tokens.append)
    assert (caught.value.partial, tokens) == ("so far", ["so far"])


async def test_a_server_that_refuses_one_thing_after_another_is_given_up() -> None:
    options = {f"option_{number}": 1 for number in range(MOST_LESSONS + 1)}
    async with opened(*[extra(name) for name in options]) as (host, wire):
        with pytest.raises(HostRefusal, match="one part of the request after another"):
            await host.chat(asking(options=options), timeouts=Timeouts())
    assert len(wire.requests) == MOST_LESSONS


async def test_what_was_left_out_is_in_the_log_without_its_value(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mmos")
    async with opened(extra("top_k"), OK) as (host, _):
        await host.chat(asking(options={"top_k": 4711}), timeouts=Timeouts())
    [record] = [record for record in caplog.records if "parameter_left_out" in record.getMessage()]
    assert "top_k" in record.getMessage()
    assert "4711" not in record.getMessage()
