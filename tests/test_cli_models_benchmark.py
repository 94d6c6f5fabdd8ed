"""`mmos models benchmark`: the figures at the command line and in the state folder, who reads them, and what goes wrong on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pexpect

from mmos.rehearsal import Host, Model
from mmos.rehearsal.personas import Speed
from tests.fleets import DEAD, fleet_at

STORY = "The lamp turned. A ship passed. " * 20
QUICK = {"time_scale": 100.0}


def paced(name: str = "general:7b", **more: Any) -> Model:
    return Model.scripted(name, [STORY] * 60, speed=Speed(load_seconds=3.0, prefill=1000.0, decode=50.0), **more)


def host(name: str, *models: Model, **more: Any) -> Host:
    return Host(name, list(models), time_scale=100.0, **more)


async def test_figures_are_shown_kept_compared_and_used(tmp_path: Path) -> None:
    one = host("one", paced(), paced("other:7b"), Model("embed", size=1 << 28, capabilities=("embedding",)), parallel=2)
    roles = {"coding": "other:7b", "vectors": "embed"}
    async with fleet_at(tmp_path, one, roles=roles, servers={"one": QUICK, "gone": {"url": DEAD}}) as at:
        first = await at.mmos("models", "benchmark", "--quick")
        again = await at.mmos("models", "benchmark", "general:7b", "--quick", "--json", "--contexts", "1k,64k", "--parallel", "1")
        shown = await at.mmos("models", "show", "general:7b")
        listed = await at.mmos("models", "list", "--json")
    assert first.code == 0
    assert "general:7b on one, window 8k" in first.out
    assert "other:7b on one, window 8k" in first.out
    assert "PROMPT" in first.out
    assert "2 at once" in first.out
    assert "embed on one: left out, because it does not answer." in first.err
    assert "4/4" in first.err
    (row,) = again.document["benchmarks"]
    assert (row["before"]["model"], row["whole"], row["notes"]) == ("general:7b", True, ["left out 65536 tokens: the window has 8192"])
    assert row["changes"]["reads@1024"] == 0.0
    assert "general:7b is in the memory of one: MMOS unloads it" in again.err
    assert "benchmark 20" in shown.out
    assert "compared  with 20" in shown.out
    known = {row["model"]: row["known"] for row in listed.document["models"]}
    assert 40 < known["general:7b"]["writes"] < 60
    kept = json.loads((tmp_path / ".mmos" / "fleet.json").read_bytes())["hosts"]
    assert {name for there in kept.values() for name in there["models"]} == {"general:7b", "other:7b"}


async def test_a_host_that_dies_in_the_middle_keeps_what_it_showed(tmp_path: Path) -> None:
    hosts = [host("one", paced()), host("two", paced())]
    hosts[0].faults.add("refuse", after=5)
    async with fleet_at(tmp_path, *hosts, servers={"one": QUICK, "two": QUICK}) as at:
        ended = await at.mmos("models", "benchmark", "general:7b", "--quick", "--json", "--yes")
        wrong = await at.mmos("models", "benchmark", "general:7b", "--contexts", "1k,many")
        nobody = await at.mmos("models", "benchmark", "nosuch:1b")
    assert ended.code == 1
    assert [row["host"] for row in ended.document["benchmarks"] if row["whole"]] == ["two"]
    (failed,) = ended.document["failed"]
    assert (failed["host"], failed["error"]["code"]) == ("one", "host_unreachable")
    assert wrong.code == 2
    assert "'many' is no number of tokens" in wrong.err
    assert nobody.code == 2
    assert "mmos models pull nosuch:1b" in nobody.err


async def test_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    one = host("one", paced())
    one.faults.add("hang", after=3)

    def interrupt(screen: pexpect.spawn) -> None:
        screen.expect("2/")
        screen.sendintr()

    async with fleet_at(tmp_path, one, servers={"one": QUICK}) as at:
        shown, code = await at.at_terminal("models", "benchmark", "general:7b", talk=interrupt, columns=90)
    assert code == 130
    assert "it did not come to its end" in shown
    assert "Traceback" not in shown
    (kept,) = (tmp_path / ".mmos" / "benchmarks").glob("*.json")
    assert json.loads(kept.read_bytes())["results"][0]["load_seconds"]


async def test_it_asks_before_another_model_has_to_leave_and_asks_no_cloud(tmp_path: Path) -> None:
    one = host("one", paced(size=6 << 30), paced("other:7b", size=6 << 30), Model("far:120b-cloud", size=300), vram_gb=8)
    async with fleet_at(tmp_path, one, roles={"coding": "other:7b"}, servers={"one": QUICK}) as at:
        await at.mmos("models", "warm", "other:7b")
        asked = await at.mmos("models", "benchmark", "general:7b", "--quick")
        cloud = await at.mmos("models", "benchmark", "far:120b-cloud")
        told = await at.mmos("models", "benchmark", "general:7b", "--quick", "--yes", "--json")
    assert asked.code == 2
    assert "no room for general:7b beside other:7b" in asked.err
    assert "left out, because it runs in a cloud" in cloud.err
    assert cloud.code == 2
    assert "other:7b has left the memory of the host" in told.document["benchmarks"][0]["notes"]
    assert [entry.model for entry in one.requests.to("/api/chat") if "cloud" in entry.model] == []
