"""The benchmark of the cache measures runs with and without it, and compares texts with the rehearsal's embedder."""

from __future__ import annotations

from bench_cache import likenesses, times


async def test_it_measures_as_many_runs_as_it_is_told() -> None:
    found = await times(2)
    assert {name: len(took) for name, took in found.items()} == {"plain": 2, "miss": 2, "hit": 2}
    assert all(each.wall > 0 and each.cpu > 0 for took in found.values() for each in took)


async def test_it_compares_texts_with_the_embedder_of_the_rehearsal() -> None:
    same, other = await likenesses([["Open port 1.", "Open port 1."], ["Open port 1.", "Why is the sky blue?"]])
    assert same > 0.99 > 0.5 > other
