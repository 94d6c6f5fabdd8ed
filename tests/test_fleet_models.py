"""Calls that any of several models may answer, over real HTTP."""

from __future__ import annotations

import asyncio

import pytest

import mmos
from mmos.errors import UsageError
from mmos.testing import Model, until
from tests.test_fleet import ASK, hosts


async def test_of_several_models_the_one_that_can_answer_first_gets_the_call() -> None:
    scripts = {name: [Model.scripted(name, [name], repeat=True)] for name in "mn"}
    async with hosts("a", "b", models={"a": scripts["m"], "b": scripts["n"]}) as on:
        for name in "mn":
            await on.ask(name)
        on["a"].faults.add("hang", times=1)
        slow = asyncio.create_task(on.fleet.ask("m", ASK))
        await until(lambda: on["a"].open)
        reply = await on.fleet.ask(["m", "n"], ASK)
        assert (reply.text, reply.model.partition(":")[0], reply.host) == ("n", "n", "b")
        slow.cancel()


async def test_of_several_models_one_that_is_not_there_is_left_out() -> None:
    models = [Model.scripted(name, [name], repeat=True) for name in "mn"]
    async with hosts("a", models={"a": models}) as on:
        assert (await on.fleet.ask(["nope", "n"], ASK)).text == "n"
        del on["a"].installed["n:latest"]  # the fleet's list is older
        assert (await on.fleet.ask(["n", "m"], ASK)).text == "m"
        with pytest.raises(mmos.errors.NoHost, match="No host can serve nope or nein"):
            await on.fleet.ask(["nope", "nein"], ASK)
    with pytest.raises(UsageError, match="names no model"):
        await on.fleet.ask([], ASK)
