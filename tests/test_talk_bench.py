"""The benchmark of conversations measures what its page says."""

from __future__ import annotations

from bench_talk import MOST, NAMES, cost


async def test_a_conversation_costs_several_times_a_consultation_of_each() -> None:
    consulted, talk = await cost(NAMES[:2], talks=False), await cost(NAMES[:2], talks=True)
    assert (consulted[0], talk[0]) == (4, 12)
    assert 2 < talk[1] / consulted[1] < MOST
