"""Stories of explanations: why each call ran on its host, what other hosts would have taken, and what it took in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import mmos
from mmos.cli.chat.reports import reasons
from mmos.cli.placement import reason
from mmos.cli.trace import lines
from mmos.events import Entry, ModelReplied
from mmos.journal import Journal
from mmos.messages import Message
from mmos.rehearsal.personas import Speed
from mmos.testing import Call, Host, Model, configuration, serve
from tests.shell import command

GB = 1_000_000_000
SCALE = 50.0
SPEED = Speed(load_seconds=4.0, prefill=1000.0, decode=50.0)


def cast() -> dict[str, Model]:
    consult = [Call("consult_coding_specialist", {"query": "How?"})]
    return {
        "arbiter": Model.scripted("arbiter", [consult, "Thus."], repeat=True, size=6 * GB, speed=SPEED),
        "coding": Model.scripted("coding", ["So."], repeat=True, size=6 * GB, speed=SPEED),
    }


@asynccontextmanager
async def hosted(*names: str, vram_gb: float = 8) -> AsyncIterator[tuple[list[Host], dict[str, Any]]]:
    """Hosts that hold one of two models at a time."""
    async with AsyncExitStack() as stack:
        hosts = [Host(name, list(cast().values()), vram_gb=vram_gb, time_scale=SCALE, swap_seconds=0.5) for name in names]
        urls = {host.name: await stack.enter_async_context(serve(host)) for host in hosts}
        servers = {name: {"url": url, "time_scale": SCALE, "vram_gb": vram_gb, "parallel": 1} for name, url in urls.items()}
        yield hosts, configuration(cast(), urls, {"servers": servers})


async def run(config: dict[str, Any], state: Path, *tasks: str) -> list[Entry]:
    """The entries of the last run."""
    async with mmos.open(config, state=state) as app:
        for task in tasks:
            answer = await app.run(task)
            assert answer.text == "Thus."
        return await app.journal.read(run=answer.run)


async def test_a_run_shows_why_each_call_ran_where(tmp_path: Path) -> None:
    async with hosted("left", "right") as (_, config):
        entries = await run(config, tmp_path, "How?")
    replies = [entry.event for entry in entries if isinstance(entry.event, ModelReplied)]
    first = replies[0]
    other = "right" if first.host == "left" else "left"
    assert "s wait + " in reason(first)
    assert f"took {first.placement['took']:.1f} s; {other} would have taken " in reason(first)
    assert reason(first).endswith("because it would load the model first")
    assert first.placement["expected"] > first.placement["wait"] > 0
    shown = [line.strip() for line in lines(entries)]
    assert shown.count(f"ran on {first.host}: {reason(first)}") == 1
    assert sum(line.startswith("ran on ") for line in shown) == len(replies) == 3
    assert any(f"expected, took {first.placement['took']:.1f} s" in line for line in reasons(entries, 200))
    document = (await command(tmp_path, "runs", "show", entries[0].run, "--json", "--state", str(tmp_path))).document
    placed = document["placements"]
    assert [(one["role"], one["host"]) for one in placed] == [(reply.role, reply.host) for reply in replies]
    assert placed[0]["took"] == first.placement["took"]
    assert (placed[0]["elsewhere"][0]["host"], placed[0]["elsewhere"][0]["why"]) == (other, "load")


async def test_a_load_that_pushes_a_model_out_says_what_it_saves_and_costs(tmp_path: Path) -> None:
    async with hosted("one") as (_, config):
        entries = await run(config, tmp_path, "How?")
    replies = [entry.event for entry in entries if isinstance(entry.event, ModelReplied)]
    assert [reply.placement["load"]["victims"] for reply in replies] == [[], ["arbiter:latest"], ["coding:latest"]]
    assert "arbiter had to leave: that saves " in reason(replies[1])
    assert replies[1].placement["load"]["ready"] > 0 < replies[1].placement["load"]["back"]
    report = (await command(tmp_path, "hosts", "--regret", "--json", "--state", str(tmp_path))).document
    assert {row["model"]: row["swaps"] for row in report["rows"]} == {"arbiter": 1, "coding": 1}


async def test_a_quiet_host_has_no_alternatives_and_an_old_journal_no_reasons(tmp_path: Path) -> None:
    async with hosted("one", vram_gb=24) as (_, config):
        (*_, last) = [one.event for one in await run(config, tmp_path, "How?", "And now?") if isinstance(one.event, ModelReplied)]
    assert {"elsewhere", "load", "wait"}.isdisjoint(last.placement)
    assert reason(last).count("expected, took") == 1
    old = ModelReplied("a", "r", "arbiter", "m", "one", Message("assistant", "Yes."), placement={"host": "one", "warm": True, "wait": 1.0})
    assert reason(old) == ""
    strange = ModelReplied("a", "r", "arbiter", "m", "one", Message("assistant", "Yes."), placement={"took": "x", "expected": [], "load": 3, "elsewhere": {"a": 1}})  # fmt: skip
    assert reason(strange) == "0.0 s expected, took 0.0 s"
    async with await Journal.open(tmp_path / "other") as journal:
        journal.append("r", "t", old)
        await journal.durable("r")
        assert (await journal.read(run="r"))[0].event == old


async def test_the_journal_shows_how_good_the_placement_was(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path))
    async with hosted("left", "right") as (_, config):
        entries = await run(config, tmp_path, "How?", "And now?")
    async with await Journal.open(tmp_path) as journal:
        journal.append(
            "old", "t", ModelReplied("a", "r", "arbiter", "arbiter", "left", Message("assistant", "Yes."), placement={"warm": True})
        )
        await journal.durable("old")
    shown = await command(tmp_path, "hosts", "--regret", *state)
    heads, *rows = shown.out.partition("\n\n")[0].splitlines()
    assert heads.split() == ["HOST", "CALLS", "EXPECTED", "TOOK", "ERROR", "90", "%", "BELOW", "LOST", "SWAPS", "MODEL"]
    assert len(rows) == 2
    assert "The calls with the largest errors:" in shown.out
    assert "1 call of older versions of MMOS is left out" in shown.err
    document = (await command(tmp_path, "hosts", "--regret", "--since", "1h", "--json", *state)).document
    replies = [entry.event for entry in entries if isinstance(entry.event, ModelReplied)]
    assert sum(row["calls"] for row in document["rows"]) == 2 * len(replies)
    assert document["left_out"] == 1
    assert [load["victims"] for load in document["loads"]] == [[], []]
    wrong = await command(tmp_path, "hosts", "--since", "1h", *state)
    assert (wrong.code, "--since belongs to --regret" in wrong.err) == (2, True)
