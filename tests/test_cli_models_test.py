"""`mmos models test`: the trial at the command line, its card in the state folder, and what a fault on the way leads to."""

from __future__ import annotations

import json
from pathlib import Path

import pexpect

from mmos.fitness.cases import CASES
from mmos.rehearsal import Host
from tests.fleets import DEAD, fleet_at
from tests.test_fitness import in_schema, in_tools, model


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
    async with fleet_at(tmp_path, roles={"interpreter": "functiongemma"}) as at:
        ended = await at.mmos(
            "models", "test", "functiongemma", "--channel", "tools", "--no-probe", "--rehearse", "--state", str(tmp_path / "state")
        )
    assert ended.code == 0
    assert not (tmp_path / "state").exists()


async def test_a_host_that_dies_in_the_middle_gives_no_card_and_the_others_do(tmp_path: Path) -> None:
    hosts = [Host(name, [model([in_tools(case) for case in [*CASES, *CASES]])]) for name in ("one", "two")]
    hosts[0].faults.add("refuse", after=5)
    async with fleet_at(tmp_path, *hosts) as at:
        some = await at.mmos("models", "test", "tried", "--channel", "tools", "--no-probe", "--json")
        none = await at.mmos("models", "test", "tried", "--channel", "tools", "--no-probe", "--host", "one", "--json")
    assert some.code == 1
    assert [card["host"] for card in some.document["cards"]] == ["two"]
    (failed,) = some.document["failed"]
    assert (failed["host"], failed["error"]["code"]) == ("one", "host_unreachable")
    assert none.code == 4
    assert json.loads(none.out)["status"] == "failed"
    assert [json.loads(card.read_bytes())["host"] for card in (tmp_path / ".mmos" / "fitness").glob("*.json")] == ["two"]


async def test_a_host_that_is_down_and_was_not_asked_for_is_no_failure(tmp_path: Path) -> None:
    host = Host("one", [model([in_tools(case) for case in CASES])])
    async with fleet_at(tmp_path, host, servers={"gone": {"url": DEAD}}) as at:
        ended = await at.mmos("models", "test", "tried", "--channel", "tools", "--no-probe", "--json")
    assert ended.code == 0
    assert "Nothing listens" in ended.err
    assert [one["host"] for one in ended.document["failed"]] == ["gone"]


async def test_ctrl_c_in_the_middle_leaves_no_card(tmp_path: Path) -> None:
    host = Host("one", [model([in_tools(case) for case in CASES])])
    host.faults.add("hang", after=3)

    def interrupt(screen: pexpect.spawn) -> None:
        screen.expect("3/12")
        screen.sendintr()

    async with fleet_at(tmp_path, host) as at:
        shown, code = await at.at_terminal("models", "test", "tried", "--channel", "tools", "--no-probe", talk=interrupt, columns=40)
    assert code == 130
    assert "RIGHT CALL" not in shown
    assert "Traceback" not in shown
    assert not (tmp_path / ".mmos" / "fitness").exists()


async def test_a_trial_of_one_channel_keeps_the_marks_of_the_other(tmp_path: Path) -> None:
    turns = [in_tools(case) for case in CASES] + [in_schema(case) for case in CASES]
    async with fleet_at(tmp_path, Host("one", [model(turns)])) as at:
        await at.mmos("models", "test", "tried", "--channel", "tools", "--no-probe")
        ended = await at.mmos("models", "test", "tried", "--channel", "schema", "--no-probe", "--json")
    (card,) = ended.document["cards"]
    assert {name: marks["right"] for name, marks in card["channels"].items()} == {"tools": 10, "schema": 10}


async def test_in_a_terminal_that_cannot_draw_each_case_has_its_line(tmp_path: Path) -> None:
    host = Host("one", [model([in_tools(case) for case in CASES])])

    def watch(screen: pexpect.spawn) -> None:
        screen.expect("suits")

    async with fleet_at(tmp_path, host) as at:
        shown, _ = await at.at_terminal(
            "models", "test", "tried", "--channel", "tools", "--no-probe", talk=watch, terminal="dumb", columns=60
        )
    assert "\x1b" not in shown
    assert [line for line in shown.splitlines() if "/12 ✓" in line][-1].startswith(" 12/12")
    assert all(len(line) <= 60 for line in shown.splitlines() if "RIGHT" in line or "10/10" in line)
