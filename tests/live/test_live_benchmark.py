"""A benchmark of a model gives the same kinds of figures on every server, and no prompt of it comes from a cache."""

from __future__ import annotations

import mmos
from mmos.fitness.benchmark import Benchmark, Plan
from mmos.fitness.figures import Figures
from mmos.prompting.templates import Templates
from tests.live.conftest import Opener

CONTEXT, WINDOW, CALLS = 1024, 4096, 4
SLOWEST = 0.2
"""A prompt from the cache is read in a small part of the time of the others."""


async def test_a_benchmark_measures_a_model(open_server: Opener) -> None:
    async with open_server(parallel=2) as server, mmos.Fleet.open({"box": {"url": server.url, "parallel": 2}}) as fleet:
        await server.empty()
        blank, explain = Figures("coder", "box", 1.0, "", WINDOW), Templates().text("schema")
        one = await Benchmark(fleet, blank, Plan((CONTEXT,), 2, CALLS, 32, channel=None), explain).run()
        later = await Benchmark(fleet, blank, Plan((CONTEXT,), 1, CALLS, 32, load=False, channel=None), explain, first_number=70_000).run()
    assert (one.whole, one.window, one.notes) == (True, WINDOW, ())
    assert one.load_seconds
    assert later.load_seconds is None
    for figures in (one, later):
        (found,) = figures.contexts
        assert abs(found.tokens - CONTEXT) < 0.3 * CONTEXT
        assert found.first_token > 0
        assert found.writes
    assert [stage.calls for stage in one.parallel] == [1, 2]
    assert later.reads
    assert one.reads
    assert later.reads * SLOWEST < one.reads
