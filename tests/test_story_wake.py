"""Stories of hosts that sleep: a packet wakes them, and others serve until they are there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import mmos
from mmos.config.load import from_mapping
from mmos.errors import ConfigError
from mmos.fleet.waking import EVERY, Waker, packet
from mmos.testing import Host, Model, configuration, serve

MAC = "aa:bb:cc:dd:ee:0f"
ASK = [{"role": "user", "content": "How?"}]


class Ear(asyncio.DatagramProtocol):
    """A network card that hears the packets."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.event = asyncio.Event()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.heard.append(data)
        self.event.set()


@asynccontextmanager
async def ear() -> AsyncIterator[tuple[Ear, str]]:
    transport, heard = await asyncio.get_running_loop().create_datagram_endpoint(Ear, local_addr=("127.0.0.1", 0))
    try:
        yield heard, "127.0.0.1:{}".format(transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


def host(name: str) -> Host:
    return Host(name, [Model.scripted("m", [name], repeat=True)])


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def test_the_only_host_is_woken_and_its_call_waits_for_it() -> None:
    port = free_port()
    model = {"arbiter": Model.scripted("arbiter", ["Good morning."])}
    async with ear() as (heard, address):
        config = configuration(model, {"here": f"http://127.0.0.1:{port}"}, {"servers": {"here": {"wake": MAC, "wake_address": address}}})
        async with mmos.open(config) as app:
            run = asyncio.create_task(app.run("How?"))
            await asyncio.wait_for(heard.event.wait(), 10)
            async with serve(Host("here", list(model.values())), port=port):
                answer = await run
    assert answer.text == "Good morning."
    assert heard.heard == [packet(MAC)]
    assert answer.document()["warnings"][0].startswith("here does not answer, so MMOS wakes it. arbiter waits up to 90 s for it")


async def test_others_serve_until_it_is_there() -> None:
    async with ear() as (heard, address), serve(b := host("b")) as url:
        sleeper = {"url": f"http://127.0.0.1:{free_port()}", "wake": MAC, "wake_address": address}
        model = {name: Model.scripted(name, ["So."], repeat=True) for name in ("arbiter", "coding")}
        b.installed |= {one.full_name: one for one in model.values()}
        config = configuration(model, {"a": sleeper["url"], "b": url}, {"servers": {"a": sleeper}})
        async with mmos.open(config) as app:
            answers = [await app.run("How?") for _ in range(3)]
        assert [answer.text for answer in answers] == ["So."] * 3
        assert "a does not answer, so MMOS wakes it" in " ".join(answers[-1].document()["warnings"])
        await asyncio.sleep(0.05)
        assert heard.heard == [packet(MAC)]


async def test_a_host_that_never_wakes_up_costs_no_more_than_wake_seconds() -> None:
    async with ear() as (heard, address):
        server = {"url": f"http://127.0.0.1:{free_port()}", "wake": MAC, "wake_address": address, "wake_seconds": 0.5}
        async with mmos.Fleet.open({"a": server}) as fleet:
            with pytest.raises(mmos.errors.NoHost, match="No host can serve m"):
                await asyncio.wait_for(fleet.ask("m", ASK), 20)
        await asyncio.sleep(0.05)
        assert heard.heard == [packet(MAC)]


def test_the_packet_goes_out_once_a_minute_while_calls_wait() -> None:
    waker = Waker(MAC, "127.0.0.1:9", seconds=90.0)
    assert [waker.wake(now) for now in (0.0, 10.0, EVERY, 89.0, 91.0, 119.0)] == [90.0, 80.0, 30.0, 1.0, 0.0, 0.0]
    assert waker.wake(2 * EVERY) == 90.0
    assert packet("AA-BB-CC-DD-EE-0F") == b"\xff" * 6 + bytes.fromhex("aabbccddee0f") * 16


def test_a_wrong_address_of_a_card_is_an_error_of_the_configuration() -> None:
    servers = {"a": {"url": "http://a:11434", "wake": "aa:bb:cc"}}
    with pytest.raises(
        ConfigError, match=r'servers.a.wake: found "aa:bb:cc" .a string., allowed: the address of a network card, like "aa:bb:cc:dd:ee:ff"'
    ):
        from_mapping({"orchestration": {"servers": servers, "arbiter": {"model": "m"}}}, environ={})
