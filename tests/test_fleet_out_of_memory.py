"""Hosts that have no memory for a model, over real HTTP: another host or a smaller window serves, and the error says what helps."""

from __future__ import annotations

import pytest

import mmos
from tests.test_fleet import hosts


async def test_no_host_is_closed_to_a_smaller_window_for_lack_of_memory() -> None:
    async with hosts("a", "b", turns=[]) as on:
        for name in ("a", "b"):
            on[name].faults.add("oom", times=1)
        with pytest.raises(mmos.errors.NoHost, match=r"too little memory for m(.|\n)*Choose a smaller model or `context_window`") as raised:
            await on.ask(num_ctx=16384)
        assert raised.value.code == "out_of_memory"
        assert on.asked() == {"a": 1, "b": 1}
        on["a"].faults.clear()
        on["b"].faults.clear()
        assert (await on.ask(num_ctx=4096)).text in ("a", "b")  # no host is closed for good


async def test_a_single_host_may_serve_a_smaller_window_at_once() -> None:
    async with hosts("a") as on:
        on["a"].faults.add("oom", times=1)
        with pytest.raises(mmos.errors.NoHost, match="context_window"):
            await on.ask(num_ctx=16384)
        assert (await on.ask(num_ctx=4096)).text == "So."


async def test_when_all_hosts_have_failed_the_next_call_waits_for_the_first_that_is_back() -> None:
    async with hosts("a", "b", turns=["So."]) as on:
        for name in ("a", "b"):
            on[name].faults.add("status", status=500, times=3)
        with pytest.raises(mmos.errors.NoHost):
            await on.ask()
        assert (await on.ask()).text == "So."


async def test_another_host_serves_and_the_one_without_memory_is_left_alone() -> None:
    async with hosts("a", "b", turns=[]) as on:
        on["a"].faults.add("oom")
        assert [(await on.ask()).text for _ in range(3)] == ["b"] * 3
        assert on.asked()["a"] <= 1
