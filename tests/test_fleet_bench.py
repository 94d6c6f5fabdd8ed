"""The bench of the fleet: its world behaves like rehearsal hosts, its figures are sound, and MMOS's placement beats the simple policies."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.fleet_driver import Wish
from bench.fleet_figures import averaged, play
from bench.fleet_live import play_live
from bench.fleet_traces import TRACES, varied
from bench.fleet_world import VirtualLoop, World

from mmos.rehearsal.host import Host
from mmos.rehearsal.personas import Model, Speed

SCRIPT = Path(__file__).parent.parent / "scripts" / "bench_fleet.py"
SHARES = {"swap_trap": 0.8, "burst": 0.95, "flexible": 0.85, "unlike": 0.25, "sixteen": 0.2, "drift": 0.4, "faults": 0.75}


@pytest.mark.parametrize("name", sorted(SHARES))
def test_placement_beats_least_busy_and_loads_less(name: str) -> None:
    seeds = (0,) if name == "sixteen" else (0, 1)  # sixteen hosts take as long as all others together
    ours, theirs = (averaged([play(TRACES[name](seed), policy)[0] for seed in seeds]) for policy in ("completion_time", "least_busy"))
    assert ours.lost == 0
    assert ours.mean <= SHARES[name] * theirs.mean
    assert ours.loads <= 0.7 * theirs.loads
    assert ours.bound <= ours.mean


@pytest.mark.parametrize(("name", "share"), [("swap_trap", 0.85), ("burst", 0.95), ("unlike", 0.4)])
def test_the_fleet_does_over_http_what_the_engine_does_in_the_bench(name: str, share: float) -> None:
    ours, _ = play_live(TRACES[name](0), "completion_time")
    theirs, _ = play_live(TRACES[name](0), "least_busy")
    assert ours.lost == theirs.lost == 0
    assert ours.mean <= share * theirs.mean
    assert ours.loads <= 0.75 * theirs.loads


@pytest.mark.parametrize("name", sorted(TRACES))
def test_nothing_is_lost_on_other_hosts_and_with_other_loads(name: str) -> None:
    score, done = play(varied(TRACES[name])(7), "completion_time", told=False)
    assert score.lost == 0
    assert len({one.call.id for one in done}) == len(done)


def test_the_same_seed_gives_the_same_figures() -> None:
    assert play(TRACES["faults"](3), "completion_time") == play(TRACES["faults"](3), "completion_time")


def test_a_call_takes_what_the_model_takes() -> None:
    model = Model("m:8b", speed=Speed(load_seconds=4.0, prefill=100.0, decode=10.0))
    loop = VirtualLoop()
    world = World.of([Host("one", [model], 1.0, steady=loop.time)])
    wish = Wish("c", "m:8b", prompt_tokens=200, output_tokens=50, session="s", window=4096)

    async def twice() -> None:
        cold = await world.chat("one", "m:8b", wish, 4096, lambda: None)
        assert (cold.load_seconds, cold.output_seconds) == (4.0, 5.0)
        assert cold.total_seconds == pytest.approx(4.0 + cold.prompt_seconds + 5.0)
        warm = await world.chat("one", "m:8b", wish, 4096, lambda: None)
        assert warm.load_seconds < 0.01
        assert warm.reused > 150
        assert warm.prompt_seconds < 0.2

    loop.run_until_complete(twice())
    world.hosts["one"].residency.stop()
    loop.close()


def test_averages_are_means() -> None:
    first, second = (play(TRACES["ping_pong"](seed), "least_busy")[0] for seed in (0, 1))
    assert averaged([first, second]).mean == pytest.approx((first.mean + second.mean) / 2)


def test_the_script_compares_the_policies() -> None:
    command = [sys.executable, str(SCRIPT), "--trace", "swap_trap", "--policy", "warm_first", "--seeds", "2", "--json", "--check"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert set(document["traces"]["swap_trap"]) == {"completion_time", "least_busy", "warm_first"}
    assert document["cost"]["quiet_us"] > 0
    assert [text for text in document["missed"] if "ms for a decision" not in text] == []
