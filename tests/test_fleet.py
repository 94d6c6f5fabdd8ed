"""The fleet over real HTTP: one `ask` for all hosts, which waits, retries, fails over, and says why when nothing helps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

import mmos
from mmos.errors import BadRequest, HostTimeout, UsageError, WindowExceeded
from mmos.messages import Message
from mmos.testing import Call, Host, Model, Turn, serve, until

ASK = [{"role": "user", "content": "How?"}]


@dataclass
class Hosts:
    fleet: mmos.Fleet
    hosts: dict[str, Host]

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def asked(self) -> dict[str, int]:
        return {name: len(host.requests.to("/api/chat")) for name, host in self.hosts.items()}

    async def ask(self, model: str = "m", **rest: Any) -> mmos.messages.Reply:
        return await self.fleet.ask(model, ASK, **rest)


@asynccontextmanager
async def hosts(*names: str, turns: Sequence[Turn] = ("So.",), time_scale: float | None = None, **options: Any) -> AsyncIterator[Hosts]:
    """Hosts that all have the model `m`, each saying its name, and the fleet over them."""
    models = {name: [Model.scripted("m", list(turns) or [name], repeat=True)] for name in names} | options.pop("models", {})
    async with AsyncExitStack() as stack:
        made = {name: Host(name, models[name], **options) for name in names}
        servers = {name: {"url": await stack.enter_async_context(serve(host)), "parallel": host.parallel} for name, host in made.items()}
        fleet = await stack.enter_async_context(mmos.Fleet.open(servers, **({"time_scale": time_scale} if time_scale else {})))
        yield Hosts(fleet, made)


async def quiet(host: Host) -> None:
    await until(lambda: not host.open)


# ---------------------------------------------------------------- the face


async def test_one_ask_gives_the_text_and_where_it_came_from() -> None:
    tokens: list[str] = []
    async with hosts("a", turns=["So it is."]) as on:
        reply = await on.ask(on_token=tokens.append, options={"temperature": 0.0}, session="s", group="g", urgency="batch")
        assert (reply.text, reply.calls, reply.host, "".join(tokens)) == ("So it is.", (), "a", "So it is.")
        assert reply.usage.output_tokens > 0
        assert (reply.placement["host"], reply.placement["warm"]) == ("a", False)
        assert all(seconds >= 0 for name, seconds in reply.placement.items() if name.endswith("seconds"))
        body = on["a"].requests[-1].json
        assert (body["options"]["temperature"], body["truncate"], body["stream"]) == (0.0, False, True)
        assert (await on.ask()).placement["warm"] is True


async def test_tools_are_given_as_mappings_in_either_wrapping() -> None:
    look = {"name": "look", "description": "Look.", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}
    async with hosts("a", turns=[Call("look", {"at": "x"})]) as on:
        reply = await on.ask(tools=[look, {"type": "function", "function": {"name": "clock"}}])
        assert [(call.name, call.arguments, bool(call.id)) for call in reply.calls] == [("look", {"at": "x"}, True)]
        sent = on["a"].requests[-1].json["tools"]
        assert sent[0] == {"type": "function", "function": look}
        assert sent[1]["function"]["name"] == "clock"


async def test_messages_are_sent_as_they_stand() -> None:
    messages = [
        {"role": "system", "content": "You help."},
        {"role": "user", "content": "Look at this.", "images": ["aGk="]},
        {"role": "assistant", "content": "With words.", "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": {"at": 1}}}]},
        {"role": "tool", "content": "seen", "tool_name": "look", "tool_call_id": "c1"},
    ]
    seeing = Model.scripted("m", ["So."], capabilities=("completion", "tools", "vision"))
    async with hosts("a", models={"a": [seeing]}) as on:
        await on.fleet.ask("m", [*messages, Message("user", "And now?")])
        assert on["a"].requests[-1].json["messages"] == [*messages, {"role": "user", "content": "And now?"}]


@pytest.mark.parametrize(
    "message", [{}, {"content": "x"}, {"role": "user", "content": [{"type": "text"}]}, {"role": "user", "tool_calls": [7]}]
)
async def test_a_message_that_is_none_is_wrong_usage(message: dict[str, Any]) -> None:
    async with hosts("a") as on:
        with pytest.raises(UsageError, match=r"message"):
            await on.fleet.ask("m", [message])
        assert on.asked() == {"a": 0}


async def test_the_window_is_chosen_and_holds_prompt_and_tools_and_never_shrinks() -> None:
    async with hosts("a") as on:
        tools = [{"name": f"tool{n}", "description": "words " * 60} for n in range(60)]
        await on.ask()
        await on.fleet.ask("m", [{"role": "user", "content": "word " * 8000}])
        await on.ask()
        await on.ask(num_ctx=2048)
        first, *later = [seen.num_ctx or 0 for seen in on["a"].requests.to("/api/chat")]
        assert 4096 <= first < later[0] >= 8000
        assert later == [later[0]] * 3
        assert on["a"].loads == 2
        other = Model.scripted("n", ["So."])
        on["a"].installed[other.full_name] = other
        await on.ask("n", tools=tools)
        assert on["a"].requests.to("/api/chat")[-1].num_ctx > 4096


async def test_where_the_host_counts_more_than_we_did_the_window_is_widened() -> None:
    async with hosts("a", models={"a": [Model.scripted("m", ["So."], context_length=1 << 20)]}) as on:
        told = "the request (20000 tokens) exceeds the available context size (16384 tokens), try increasing it"
        refusal = {"error": {"code": 400, "message": told, "n_prompt_tokens": 20000, "n_ctx": 16384}}
        on["a"].faults.add("status", status=400, body=json.dumps(refusal), times=1)
        assert (await on.ask()).text == "So."
        first, second = [seen.num_ctx or 0 for seen in on["a"].requests.to("/api/chat")]
        assert first <= 16384 < 20000 < second


async def test_a_window_that_was_asked_for_is_not_widened() -> None:
    async with hosts("a") as on:
        with pytest.raises(WindowExceeded):
            await on.fleet.ask("m", [{"role": "user", "content": "word " * 9000}], num_ctx=2048)
        assert on.asked() == {"a": 1}


async def test_vectors_come_in_the_order_of_the_texts() -> None:
    async with hosts("a", "b", models={"b": [Model("nomic-embed-text", capabilities=("embedding",))]}) as on:
        texts = [f"text {n}" for n in range(40)]
        vectors = await on.fleet.embed("nomic-embed-text", texts)
        assert len(vectors) == 40
        assert vectors[7] == (await on.fleet.embed("nomic-embed-text", ["text 7"]))[0]


async def test_a_fleet_is_opened_from_a_file_too(tmp_path: Any) -> None:
    async with serve(Host("a", [Model.scripted("m", ["So."])])) as url:
        file = tmp_path / "orchestration.yaml"
        file.write_text(f"orchestration:\n  servers: {{box: {{url: '{url}'}}}}\n  arbiter: {{model: m, server: box}}\n")
        async with mmos.Fleet.open(str(file)) as fleet:
            assert (await fleet.ask("m", ASK)).host == "box"


async def test_a_wrong_host_is_an_error_of_the_configuration() -> None:
    with pytest.raises(mmos.ConfigError, match="urll"):
        mmos.Fleet.open({"a": {"urll": "http://localhost:1"}})
    async with hosts("a") as on:
        with pytest.raises(UsageError, match="no host named 'b'; hosts: a"):
            on.fleet.host("b")


# ---------------------------------------------------------------- failing over

FAILING_OVER: list[tuple[str, dict[str, Any]]] = [
    ("refuse", {}),
    ("status", {"status": 500, "error": "CUDA error: out of memory"}),
    ("status", {"status": 500, "error": "llama runner process has terminated"}),
    ("status", {"status": 401, "error": "unauthorized"}),
    ("cut", {"chunks": 2}),
    ("no_done", {}),
    ("garbage", {}),
    ("html", {}),
    ("error_line", {}),
]


@pytest.mark.parametrize(("kind", "options"), FAILING_OVER, ids=lambda value: value if isinstance(value, str) else value.get("error", ""))
async def test_another_host_answers_when_one_cannot(kind: str, options: dict[str, Any]) -> None:
    async with hosts("a", "b", turns=["A whole answer of some words."], time_scale=50.0) as on:
        await on.fleet.census()
        on["a"].faults.add(kind, **options)  # type: ignore[arg-type]
        reply = await on.ask()
        assert (reply.host, reply.text) == ("b", "A whole answer of some words.")
        assert (await on.ask()).host == "b"


async def test_a_host_that_lost_the_model_is_passed_over_and_not_blamed() -> None:
    async with hosts("a", "b") as on:
        await on.fleet.census()
        kept = dict(on["a"].installed)
        on["a"].installed.clear()
        assert (await on.ask()).host == "b"
        on["a"].installed.update(kept)
        both = await asyncio.gather(on.ask(), on.ask(), on.ask())
        assert {reply.host for reply in both} == {"a", "b"}


async def test_a_fault_that_passes_is_waited_out_on_the_same_host() -> None:
    async with hosts("a", time_scale=50.0) as on:
        on["a"].faults.add("status", status=500, error="an error was encountered while running the model", times=2)
        assert (await on.ask()).text == "So."
        assert on.asked() == {"a": 3}


async def test_a_fault_that_does_not_pass_is_given_up_after_three_attempts() -> None:
    async with hosts("a", time_scale=50.0) as on:
        on["a"].faults.add("status", status=500, error="an error was encountered while running the model")
        with pytest.raises(mmos.NoHost):
            await on.ask()
        assert on.asked() == {"a": 3}


async def test_a_full_queue_is_tried_again_and_answers() -> None:
    async with hosts("a", time_scale=50.0) as on:
        on["a"].faults.add("status", status=503, error="server busy, please try again. maximum pending requests exceeded", times=1)
        assert (await on.ask()).text == "So."
        assert on.asked() == {"a": 2}


@pytest.mark.parametrize("error", ['invalid format: "xml"', "registry.ollama.ai/library/m does not support tools"])
async def test_a_request_that_is_wrong_everywhere_is_neither_retried_nor_passed_on(error: str) -> None:
    async with hosts("a", "b") as on:
        await on.fleet.census()
        on["a"].faults.add("status", status=400, error=error)
        with pytest.raises(mmos.HostError) as raised:
            await on.ask()
        assert isinstance(raised.value, BadRequest) or raised.value.code == "model_lacks_tools"
        assert on.asked() == {"a": 1, "b": 0}
        on["a"].faults.clear()
        assert (await on.ask()).host == "a"  # it is not the host's fault


async def test_a_refusal_for_no_known_reason_is_passed_on_and_stands_where_nobody_sees_it_otherwise() -> None:
    async with hosts("a", "b") as on:
        await on.fleet.census()
        on["a"].faults.add("status", status=400, error="I do not like it")
        assert (await on.ask()).host == "b"
        on["b"].faults.add("status", status=400, error="nor do I")
        with pytest.raises(BadRequest, match=r"like it|nor do I"):
            await on.ask()


async def test_a_prompt_that_is_nowhere_near_its_window_is_not_believed_to_be_too_long() -> None:
    async with hosts("a", "b") as on:
        await on.fleet.census()
        on["a"].faults.add("status", status=400, error="request (99999 tokens) exceeds the available context size (4096 tokens)")
        assert (await on.ask()).host == "b"


async def test_when_none_can_each_says_why() -> None:
    async with hosts("a", "b", time_scale=50.0) as on:
        await on.fleet.census()
        on["a"].faults.add("refuse")
        on["b"].faults.add("status", status=500, error="CUDA error: out of memory")
        with pytest.raises(mmos.NoHost) as raised:
            await on.ask()
        assert {name: error.code for name, error in raised.value.said.items()} == {"a": "host_unreachable", "b": "out_of_memory"}
        assert raised.value.code == "no_host"
        assert "a: " in raised.value.message
        assert "out of memory" in raised.value.message
        assert raised.value.next_step


async def test_one_host_that_cannot_gives_the_error_its_own_name() -> None:
    async with hosts("a") as on:
        on["a"].faults.add("refuse")
        with pytest.raises(mmos.NoHost) as raised:
            await on.ask()
        assert (raised.value.code, list(raised.value.said)) == ("host_unreachable", ["a"])


async def test_what_had_come_of_an_answer_is_kept_with_the_error() -> None:
    async with hosts("a", turns=["Half of an answer and then no more."]) as on:
        on["a"].faults.add("cut", chunks=3)
        with pytest.raises(mmos.NoHost) as raised:
            await on.ask()
        assert raised.value.partial.startswith("Half")
        assert raised.value.code == "stream_cut"


# ---------------------------------------------------------------- who has what


async def test_any_host_that_has_the_model_may_serve_it() -> None:
    async with hosts("a", "b", "c", models={"b": [Model.scripted("n", ["From b."], repeat=True)]}) as on:
        assert (await on.ask("n")).host == "b"
        assert (await on.ask("n:latest")).host == "b"
        assert on.asked() == {"a": 0, "b": 2, "c": 0}


async def test_hosts_are_counted_once_a_while_and_by_one_caller() -> None:
    async with hosts("a", "b", parallel=8) as on:
        await asyncio.gather(*(on.ask() for _ in range(6)))
        assert [len(host.requests.to("/api/tags")) for host in on.hosts.values()] == [1, 1]


async def test_a_silent_host_does_not_hold_up_every_call() -> None:
    async with hosts("a", "b") as on:
        on["a"].faults.add("status", path="/api/tags", status=500, error="not now")
        assert [(await on.ask()).host for _ in range(3)] == ["b", "b", "b"]
        assert len(on["a"].requests.to("/api/tags")) == 1


async def test_what_nobody_had_a_moment_ago_is_looked_for_again() -> None:
    async with hosts("a", "b") as on:
        await on.fleet.census()
        new = Model.scripted("n", ["Here."])
        on["b"].installed[new.full_name] = new
        assert (await on.ask("n")).host == "b"


async def test_a_model_that_nobody_has_is_said_with_what_there_is() -> None:
    async with hosts("a", "b", models={"b": [Model.scripted("n", ["x"])]}) as on:
        with pytest.raises(
            mmos.NoHost, match=r"No host can serve zzz.*a does not .*It has: m:latest.*b does not .*It has: n:latest"
        ) as raised:
            await on.ask("zzz")
        assert raised.value.code == "model_missing"
        assert "ollama pull zzz" in raised.value.next_step


async def test_a_host_that_lists_no_capabilities_is_asked_for_them_once() -> None:
    async with hosts("a", models={"a": [Model.scripted("m", ["x"], capabilities=("completion",))]}) as on:
        for _ in range(2):
            described = await on.fleet.describe("M", ())
            assert described is not None
            assert described.capabilities == {"completion"}
        assert await on.fleet.describe("zzz", ()) is None
        assert len(on["a"].requests.to("/api/tags")) == 1


# ---------------------------------------------------------------- waiting, and no longer waiting


async def test_a_deadline_ends_a_call_that_hangs_and_leaves_nothing_open() -> None:
    async with hosts("a") as on:
        on["a"].faults.add("hang")
        with pytest.raises(HostTimeout, match=r"m did not answer within 0\.1 s"):
            await on.ask(deadline=0.1)
        await quiet(on["a"])


async def test_a_fault_of_the_listener_leaves_as_it_came_and_leaves_nothing_open() -> None:
    def broken(_: str) -> None:
        raise ValueError("the caller's own")

    async with hosts("a") as on:
        with pytest.raises(ValueError, match="the caller's own"):
            await on.ask(on_token=broken)
        await quiet(on["a"])
        assert (await on.ask()).text == "So."


async def test_cancelled_calls_leave_nothing_open_in_flight_or_in_the_queue() -> None:
    async with hosts("a") as on:
        on["a"].faults.add("hang", times=2)
        tasks = [asyncio.create_task(on.ask()) for _ in range(5)]
        await until(lambda: on["a"].open >= 2)
        assert on.asked() == {"a": 2}  # one slot and one ahead; three wait here
        for task in tasks[:4]:
            task.cancel()
        await asyncio.gather(*tasks[:4], return_exceptions=True)
        assert [task.cancelled() for task in tasks[:4]] == [True] * 4
        assert (await tasks[4]).text == "So."
        await quiet(on["a"])


async def test_many_calls_spread_over_the_hosts_and_none_is_lost() -> None:
    async with hosts("a", "b", "c", parallel=2) as on:
        replies = await asyncio.gather(*(on.ask() for _ in range(30)))
        assert len(replies) == 30
        assert sorted({reply.host for reply in replies}) == ["a", "b", "c"]


async def test_a_session_stays_on_its_host() -> None:
    async with hosts("a", "b", "c", parallel=4) as on:
        first = await on.ask(session="s")
        others = await asyncio.gather(*(on.ask() for _ in range(4)))
        assert len({reply.host for reply in others}) >= 1
        assert {(await on.ask(session="s")).host for _ in range(3)} == {first.host}


async def test_on_scaled_time_every_wait_shrinks() -> None:
    loop = asyncio.get_running_loop()
    async with hosts("a", time_scale=1000.0) as on:
        on["a"].faults.add("status", status=503, error="server busy, please try again. maximum pending requests exceeded", times=2)
        on["a"].faults.add("hang", times=1)
        begun = loop.time()
        with pytest.raises(mmos.NoHost) as raised:
            await on.ask()
        assert raised.value.code == "host_timeout"  # minutes of the host's time
        assert loop.time() - begun < 30
