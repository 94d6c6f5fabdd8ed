"""`mmos doctor`: what it prints, what it exits with, and what it cures."""

from __future__ import annotations

import stat
from pathlib import Path

import pexpect

from mmos.rehearsal import Host, Model
from tests.fleets import DEAD, Place, fleet_at
from tests.wire import HANG, serving

GENERAL = Model("general:7b", size=4 << 30)
CODER = Model("coder:7b", size=4 << 30)


async def test_findings_stand_under_their_family_with_their_cure(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [GENERAL]), roles={"coding": "coder:7b"}, servers={"gone": {"url": DEAD}}) as at:
        shown = await at.mmos("doctor")
    lines = shown.out.splitlines()
    assert shown.code == 1
    assert lines[0] == "✓ Configuration  orchestration.yaml"
    hosts, models = lines.index("✗ Hosts"), lines.index("✗ Models")
    assert lines[hosts + 1].startswith("  ✗ gone: Nothing listens")
    assert lines[hosts + 2].startswith("      → ")
    assert lines[models + 1] == "  ✗ one: It does not have coder:7b, which coding needs."
    assert lines[models + 2] == "      → mmos models pull coder:7b --host one"
    assert lines[-1].startswith("2 errors.")
    assert "`mmos doctor --fix` fixes 2" in lines[-1]
    assert "\x1b" not in shown.out


async def test_the_document_is_the_one_that_is_promised(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [GENERAL, CODER], vram_gb=7, version="0.40.3"), roles={"coding": "coder:7b"}) as at:
        shown = await at.mmos("doctor", "--json")
    assert shown.code == 0  # warnings alone
    assert shown.document["version"] == 1
    assert shown.document["ok"] is True
    by_code = {finding["code"]: finding for finding in shown.document["findings"]}
    assert by_code["roles_swap"].keys() == {"level", "code", "subject", "message", "cure"}
    assert by_code["roles_swap"]["level"] == "warning"
    assert "fixed" not in shown.document


async def test_hosts_that_are_down_do_not_hold_it_up_for_long(tmp_path: Path) -> None:
    """Five hosts that hang take as long as one: asked one after the other, a tenth of their questions would break the limit."""
    async with serving(*[[HANG]] * 40) as stuck:
        servers = {f"stuck{number}": {"url": f"{stuck.url}/{number}"} for number in range(5)} | {"gone": {"url": DEAD}}
        shown = await Place(tmp_path, {"servers": servers, "arbiter": {"model": "m"}}).mmos("doctor", "--json")
    assert shown.code == 1
    codes = [finding["code"] for finding in shown.document["findings"]]
    assert codes.count("host_timeout") == 5
    assert codes.count("host_unreachable") == 1
    assert stuck.connections > 5


async def test_a_broken_configuration_is_a_finding_among_others(tmp_path: Path) -> None:
    at = Place(tmp_path, {"arbiter": {"modle": "m"}})
    shown = await at.mmos("doctor", "--json")
    named = await at.mmos("doctor", "-c", "nowhere.yaml", "--json")
    plain = await at.mmos("doctor")
    assert shown.code == named.code == plain.code == 1
    assert {finding["code"] for finding in shown.document["findings"]} >= {"config_invalid", "state_missing"}
    assert "orchestration.yaml:" in shown.document["findings"][0]["subject"]
    assert "nowhere.yaml" in named.document["findings"][0]["subject"]
    assert "✗ Configuration" in plain.out
    assert "Memory" not in plain.out  # nothing is known of it


async def test_it_cures_what_is_safe(tmp_path: Path) -> None:
    one = Host("one", [GENERAL], pullable=[CODER], version="0.40.3")
    async with fleet_at(tmp_path, one, roles={"coding": "coder:7b", "analysis": "nosuch:1b"}) as at:
        shown = await at.mmos("doctor", "--fix", "--yes", "--json")
    fixed = [finding["code"] for finding in shown.document["fixed"]]
    assert sorted(fixed) == ["model_missing", "state_missing"]
    assert "coder:7b" in one.installed
    assert stat.S_IMODE((tmp_path / ".mmos").stat().st_mode) == 0o700
    left = [finding["code"] for finding in shown.document["findings"] if finding["level"] == "error"]
    assert left == ["model_missing"]
    assert shown.code == 1
    assert "does not have the model nosuch:1b" in shown.err


async def test_at_a_terminal_it_asks_before_it_fetches(tmp_path: Path) -> None:
    def decline(screen: pexpect.spawn) -> None:
        screen.expect("Pull coder:7b onto one")
        screen.expect("y/N")
        screen.sendline("n")

    one = Host("one", [GENERAL], pullable=[CODER])
    async with fleet_at(tmp_path, one, roles={"coding": "coder:7b"}) as at:
        shown, code = await at.at_terminal("doctor", "--fix", talk=decline)
        alone = await at.mmos("doctor", "--fix")
    assert "coder:7b" not in one.installed
    assert code == 1
    assert "1 error." in shown
    assert alone.code == 2
    assert "--yes" in alone.err


async def test_quick_loads_nothing_and_load_loads_all(tmp_path: Path) -> None:
    one = Host("one", [GENERAL, CODER], vram_gb=7)
    async with fleet_at(tmp_path, one, roles={"interpreter": "coder:7b"}) as at:
        quick = await at.mmos("doctor", "--quick", "--json")
        none = one.loads
        every = await at.mmos("doctor", "--load", "--json")
        both = await at.mmos("doctor", "--load", "--quick")
    assert none == 0
    assert "tools_unchecked" in {finding["code"] for finding in quick.document["findings"]}
    assert one.loads == 2
    assert "tools_unchecked" not in {finding["code"] for finding in every.document["findings"]}
    assert both.code == 2


async def test_the_rehearsal_is_in_good_health(tmp_path: Path) -> None:
    at = Place(tmp_path, {"arbiter": {"model": "m"}})
    (tmp_path / "orchestration.yaml").unlink()
    shown = await at.mmos("doctor", "--rehearse", "--json")
    assert shown.code == 0
    assert [finding["code"] for finding in shown.document["findings"] if finding["level"] == "warning"] == ["roles_swap"]


async def test_in_a_narrow_terminal_words_stay_whole_and_commands_in_one_piece(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [GENERAL]), roles={"coding": "a-model-with-a-long-name:7b"}) as at:
        shown, code = await at.at_terminal("doctor", "--quick", talk=lambda _screen: None, columns=40)
    assert code == 1
    assert "\r\n    a-model-with-a-long-name:7b, which\r\n" in shown
    assert "→ mmos models pull a-model-with-a-long-name:7b --host one" in shown


async def test_ctrl_c_at_its_question_ends_it(tmp_path: Path) -> None:
    def leave(screen: pexpect.spawn) -> None:
        screen.expect("y/N")
        screen.sendintr()

    async with fleet_at(tmp_path, Host("one", [GENERAL], pullable=[CODER]), roles={"coding": "coder:7b"}) as at:
        shown, code = await at.at_terminal("doctor", "--fix", talk=leave)
    assert code == 130
    assert "Models" not in shown
