"""What holds for the OpenAI-shaped client against any server of the kind: one list of checks for rehearsed, embedded and real ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

import mmos
from mmos.errors import LacksEmbedding, LacksTools, ModelMissing, WindowExceeded
from mmos.hosts.face import ChatRequest, Timeouts
from mmos.hosts.openai import OpenAIHost
from mmos.messages import Message

PATIENCE = Timeouts(connect=10, first_byte=100, between_chunks=100)
PLAIN = {"temperature": 0.0, "seed": 7, "num_predict": 12}
TOOLS = orjson.dumps(
    [{"type": "function", "function": {"name": name, "description": "Asks.", "parameters": {
        "type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"],
    }}} for name in ("consult_coding_specialist", "consult_reasoning_specialist")]
)  # fmt: skip
CHOICE = {
    "type": "object",
    "properties": {"choice": {"type": "string", "enum": ["left", "right"]}},
    "required": ["choice"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Peer:
    """A server, which of its models does what, and what it cannot."""

    url: str
    talker: str
    chooser: str
    """Holds to a schema."""
    endless: str
    caller: str = ""
    deaf: str = ""
    """Refuses tools."""
    embedder: str = ""
    knows_names: bool = True
    """Another name is another model, or none."""
    window: int | None = None
    """Told, and held: what is longer is refused."""
    headers: dict[str, str] = field(default_factory=dict)

    def host(self) -> OpenAIHost:
        return OpenAIHost("peer", self.url, headers=self.headers)


Check = Callable[[Peer, OpenAIHost], Awaitable[None]]


def say(model: str, text: str = "What is the capital of France?", **more: Any) -> ChatRequest:
    return ChatRequest(model, (Message("user", text),), 4096, **{"options": PLAIN, **more})


async def text_streams_and_is_counted(peer: Peer, host: OpenAIHost) -> None:
    pieces: list[str] = []
    reply = await host.chat(say(peer.talker), timeouts=PATIENCE, on_token=pieces.append)
    assert len(pieces) > 1
    assert "".join(pieces) == reply.text != ""
    assert (reply.model, reply.host, reply.done_reason in ("stop", "length")) == (peer.talker, "peer", True)
    assert reply.usage.prompt_tokens > 3
    assert 0 < reply.usage.output_tokens <= PLAIN["num_predict"]
    assert reply.usage.total_seconds > 0


async def a_limit_holds(peer: Peer, host: OpenAIHost) -> None:
    reply = await host.chat(say(peer.endless, "Tell a long story.", options={"num_predict": 5, "temperature": 0.0}), timeouts=PATIENCE)
    assert (reply.done_reason, reply.usage.output_tokens) == ("length", 5)


async def a_schema_holds(peer: Peer, host: OpenAIHost) -> None:
    request = say(peer.chooser, "Left or right?", format=orjson.dumps(CHOICE), options={"temperature": 1.0, "seed": 3, "num_predict": 300})
    reply = await host.chat(request, timeouts=PATIENCE)
    assert orjson.loads(reply.text)["choice"] in ("left", "right")


async def tools_are_called_and_their_results_read(peer: Peer, host: OpenAIHost) -> None:
    if not peer.caller:
        pytest.skip("its model has no place for tools")
    ask = Message("user", "Ask them.")
    first = await host.chat(ChatRequest(peer.caller, (ask,), 4096, tools=TOOLS), timeouts=PATIENCE)
    assert {call.name for call in first.calls} <= {"consult_coding_specialist", "consult_reasoning_specialist"}
    assert all(call.arguments["query"] for call in first.calls)
    assert len({call.id for call in first.calls}) == len(first.calls) > 0
    assert first.done_reason == "stop"
    results = tuple(Message("tool", "So.", tool_name=call.name, call_id=call.id) for call in first.calls)
    second = await host.chat(ChatRequest(peer.caller, (ask, first.message, *results), 4096, tools=TOOLS), timeouts=PATIENCE)
    assert second.text
    assert not second.calls


async def a_model_without_tools_says_so(peer: Peer, host: OpenAIHost) -> None:
    if not peer.deaf:
        pytest.skip("it refuses tools to no model")
    with pytest.raises(LacksTools):
        await host.chat(say(peer.deaf, tools=TOOLS), timeouts=PATIENCE)


async def models_are_listed(peer: Peer, host: OpenAIHost) -> None:
    found = {model.name: model for model in await host.tags()}
    card = await host.show(peer.talker)
    assert card.name in found
    assert card.context_length == peer.window
    assert host.abilities.tells_window == (peer.window is not None)


async def a_model_that_is_not_there_is_missing(peer: Peer, host: OpenAIHost) -> None:
    with pytest.raises(ModelMissing):
        await host.show("no-such-model")
    if peer.knows_names:
        with pytest.raises(ModelMissing):
            await host.chat(say("no-such-model"), timeouts=PATIENCE)


async def vectors_come_in_order(peer: Peer, host: OpenAIHost) -> None:
    if not peer.embedder:
        with pytest.raises(LacksEmbedding):
            await host.embed(peer.talker, ["one"], timeouts=PATIENCE)
        return
    one, other = await host.embed(peer.embedder, ["one thing", "something else"], timeouts=PATIENCE)
    assert len(one) == len(other) > 1
    again = await host.embed(peer.embedder, ["something else", "one thing"], timeouts=PATIENCE)
    assert again == [pytest.approx(other, abs=1e-3), pytest.approx(one, abs=1e-3)]


async def a_cancelled_call_frees_its_place(peer: Peer, host: OpenAIHost) -> None:
    heard = asyncio.Event()
    request = say(peer.endless, "Tell a very long story.", options={"num_predict": 2000})
    task = asyncio.create_task(host.chat(request, timeouts=PATIENCE, on_token=lambda _: heard.set()))
    await heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await host.chat(say(peer.talker), timeouts=PATIENCE)).text


async def several_at_once_are_all_served(peer: Peer, host: OpenAIHost) -> None:
    replies = await asyncio.gather(*(host.chat(say(peer.talker), timeouts=PATIENCE) for _ in range(4)))
    assert all(reply.text for reply in replies)


async def what_is_too_long_is_said_with_its_numbers(peer: Peer, host: OpenAIHost) -> None:
    if peer.window is None:
        pytest.skip("it tells no window, and cuts what is longer")
    with pytest.raises(WindowExceeded) as caught:
        await host.chat(say(peer.talker, "word " * 2 * peer.window), timeouts=PATIENCE)
    assert caught.value.window == peer.window < (caught.value.prompt_tokens or 0)


async def a_fleet_has_it_like_any_other(peer: Peer, _: OpenAIHost) -> None:
    async with mmos.Fleet.open({"peer": {"url": peer.url, "kind": "openai", "headers": peer.headers}}) as fleet:
        reply = await fleet.ask(peer.talker, [{"role": "user", "content": "Hello!"}], options=PLAIN)
        assert (reply.host, bool(reply.text)) == ("peer", True)
        described = await fleet.describe(peer.talker, ())
    assert described is not None
    assert described.capabilities is None or "completion" in described.capabilities


CHECKS: tuple[Check, ...] = (
    text_streams_and_is_counted,
    a_limit_holds,
    a_schema_holds,
    tools_are_called_and_their_results_read,
    a_model_without_tools_says_so,
    models_are_listed,
    a_model_that_is_not_there_is_missing,
    vectors_come_in_order,
    a_cancelled_call_frees_its_place,
    several_at_once_are_all_served,
    what_is_too_long_is_said_with_its_numbers,
    a_fleet_has_it_like_any_other,
)
every_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


async def held(check: Check, peer: Peer) -> None:
    host = peer.host()
    try:
        await check(peer, host)
    finally:
        await host.close()


def ollama(url: str) -> Peer:
    """An Ollama with the cast of the live comparison, behind its `/v1`."""
    return Peer(f"{url}/v1", talker="arbiter", chooser="random", endless="looper", caller="arbiter", deaf="coder", embedder="embed")
