"""`mmos models test`: the trial at the command line, its card in the state folder, and what a fault on the way leads to."""

from __future__ import annotations

import json
from pathlib import Path

from mmos.fitness.cases import CASES
from mmos.rehearsal import Host
from tests.fleets import DEAD, fleet_at
from tests.test_fitness import in_tools, model


async def test_a_trial_is_shown_and_its_card_is_kept(tmp_path: Path) -> None:
    host = Host("one", [model([in_tools(case) for case in CASES])])
    async with fleet_at(tmp_path, host, roles={"coding": "tried"}) as at:
        ended = await at.mmos("models", "test", "tried", "--channel", "tools")
    assert ended.code == 0
    row = next(line for line in ended.out.splitlines() if line.lstrip().startswith("tools"))
    assert row.split() == ["tools", "10/10", "10/10", "10/10", "0/10", "2/2", "0"]
    assert "8192 of 8192 tokens" in ended.out
    assert "the host's own tool calls" in ended.out
    assert "13/13" in ended.err
    cards = list((tmp_path / ".mmos" / "fitness").glob("*.json"))
    assert [json.loads(card.read_bytes())["model"] for card in cards] == ["tried"]


async def test_the_document_holds_a_card_for_each_host(tmp_path: Path) -> None:
    hosts = [Host(name, [model([in_tools(case) for case in [*CASES, *CASES]])]) for name in ("one", "two")]
    async with fleet_at(tmp_path, *hosts) as at:
        both = await at.mmos("models", "test", "tried", "--channel", "tools", "--no-probe", "--json")
        second = await at.mmos("models", "test", "tried", "--channel", "tools", "--no-probe", "--json", "--host", "two")
    cards = json.loads(both.out)["cards"]
    assert [card["host"] for card in cards] == ["one", "two"]
    assert cards[0]["channels"]["tools"]["right"] == 10
    assert cards[0]["window_held"] is None
    assert [card["host"] for card in json.loads(second.out)["cards"]] == ["two"]


async def test_a_model_that_nobody_has_is_told(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [model([])])) as at:
        ended = await at.mmos("models", "test", "triid")
        nowhere = await at.mmos("models", "test", "tried", "--host", "elsewhere")
    assert ended.code == 2
    assert "mmos models list" in ended.err
    assert nowhere.code == 2


async def test_dead_hosts_end_with_their_own_exit_code(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, servers={"gone": {"url": DEAD}}) as at:
        ended = await at.mmos("models", "test", "tried", "--json")
    assert ended.code == 4
    assert json.loads(ended.out)["reason"]["code"]


async def test_marks_of_a_rehearsal_are_not_kept(tmp_path: Path) -> None:
    async with fleet_at(tmp_path) as at:
        ended = await at.mmos(
            "models", "test", "functiongemma", "--channel", "tools", "--no-probe", "--rehearse", "--state", str(tmp_path / "state")
        )
    assert ended.code == 0
    assert not (tmp_path / "state").exists()
