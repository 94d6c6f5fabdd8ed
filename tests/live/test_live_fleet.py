"""Stories of a fleet on one server that holds one model at a time: calls to two models in MMOS's order, and in the order in which they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import groupby
from operator import itemgetter

import mmos
from tests.live.conftest import Opener

MODELS = ("coder", "reasoner")
SESSIONS, TURNS = 4, 8
APART = 0.03
"""Seconds between two calls, so that they arrive in the order in which they are sent."""
WINDOW = 2048
LOADED = 0.015
"""A reply with a longer `load_duration`, in seconds, waited for a load. A load takes 0.03 to 0.3 s, and a model in memory some milliseconds."""

Answer = tuple[str, float]
"""Who answered, and the seconds of the load, as the server tells them."""


async def in_sessions(ask: Callable[[str, str], Awaitable[float]]) -> list[Answer]:
    """Sessions side by side, in each of which the two models take turns, and which do not wait for each other. The answers in the order in which they came."""
    answers: list[Answer] = []

    async def call(number: int) -> None:
        turn, session = divmod(number, SESSIONS)
        model = MODELS[(turn + session) % 2]
        await asyncio.sleep(number * APART)
        answers.append((model, await ask(model, f"session {session}")))

    async with asyncio.timeout(28):
        await asyncio.gather(*map(call, range(SESSIONS * TURNS)))
    return answers


def swaps(answers: list[Answer]) -> int:
    """How often the server changed its model. It holds one, so an answer of the other model means a swap, and a call of this stay waited for the load."""
    stays = [max(seconds for _, seconds in stay) for _, stay in groupby(answers, key=itemgetter(0))]
    assert all(seconds > LOADED for seconds in stays)
    return len(stays) - 1


async def test_calls_to_two_models_that_do_not_fit_together_swap_half_as_often(open_server: Opener) -> None:
    async with open_server(max_loaded=1, parallel=1) as server:

        async def plain(model: str, said: str) -> float:
            reply = await server.chat(model, said, stream=False, options={"num_ctx": WINDOW})
            return float(reply.data["load_duration"]) / 1e9

        by_arrival = swaps(await in_sessions(plain))
        await server.empty()
        async with mmos.Fleet.open({"box": {"url": server.url}}) as fleet:

            async def placed(model: str, said: str) -> float:
                reply = await fleet.ask(model, [{"role": "user", "content": said}], num_ctx=WINDOW, session=f"{said}/{model}", group=said)
                return reply.usage.load_seconds

            by_mmos = swaps(await in_sessions(placed))
    print(f"swaps in the order of arrival: {by_arrival}, by MMOS: {by_mmos}")
    assert by_mmos * 2 <= by_arrival
