"""`mmos models warm` and `unload`: into memory and out of it, and who is asked before others lose their place."""

from __future__ import annotations

from pathlib import Path

from mmos.rehearsal import Host, Model
from tests.fleets import DEAD, Place, fleet_at
from tests.wire import answer, serving

GENERAL = Model("general:7b", size=4 << 30)
CODER = Model("coder:14b", size=6 << 30)


async def test_a_model_is_warmed_in_the_window_of_its_roles(tmp_path: Path) -> None:
    one = Host("one", [GENERAL])
    roles = {"arbiter": {"model": "general:7b", "context_window": 16384, "keep_alive": "1h", "options": {"num_batch": 256}}}
    async with fleet_at(tmp_path, one, Host("two", [CODER]), roles=roles) as at:
        first = await at.mmos("models", "warm", "general:7b", "--json")
        assert one.residency.loaded()[0].need.options == {"num_batch": 256}
        second = await at.mmos("models", "warm", "general:7b")
        own = await at.mmos("models", "warm", "general:7b", "--window", "4096", "--keep-alive", "-1")
        await at.mmos("models", "warm", "general:7b", "--window", "24576")
        kept = await at.mmos("models", "warm", "general:7b")
    (row,) = first.document["hosts"]
    assert (row["host"], row["ok"], row["was_loaded"], row["window"]) == ("one", True, False, 16384)
    assert row["loaded"]["window"] == 16384
    assert row["loaded"]["stays_seconds"] > 3000
    assert "already in memory" in second.out
    assert "window 4k" in own.out
    assert "for ever" in own.out
    assert "already in memory · window 24k" in kept.out
    assert one.loads == 3


async def test_it_asks_before_it_pushes_others_out(tmp_path: Path) -> None:
    one = Host("one", [GENERAL, CODER], vram_gb=10)
    async with fleet_at(tmp_path, one) as at:
        await at.mmos("models", "warm", "general:7b")
        refused = await at.mmos("models", "warm", "coder:14b")
        kept = [runner.model.name for runner in one.residency.loaded()]
        shown, code = await at.at_terminal("models", "warm", "coder:14b", talk=lambda screen: (screen.expect("y/N"), screen.sendline("n")))
        kept += [runner.model.name for runner in one.residency.loaded()]
        meant = await at.mmos("models", "warm", "coder:14b", "--yes")
    assert refused.code == 2
    assert "no room for coder:14b beside general:7b" in refused.err
    assert code == 130
    assert "no room" in shown
    assert kept == ["general:7b", "general:7b"]
    assert "unloaded for it: general:7b" in meant.out
    assert [runner.model.name for runner in one.residency.loaded()] == ["coder:14b"]


async def test_what_cannot_be_warmed_says_why(tmp_path: Path) -> None:
    one = Host("one", [GENERAL])
    one.faults.add("oom", path="/api/chat")
    async with fleet_at(tmp_path, one, Host("two", [CODER]), servers={"gone": {"url": DEAD}}) as at:
        memory = await at.mmos("models", "warm", "general:7b", "--host", "one", "--json")
        absent = await at.mmos("models", "warm", "coder:14b", "--host", "one")
        half = await at.mmos("models", "warm", "coder:14b", "--host", "two", "--host", "one")
        dead = await at.mmos("models", "warm", "general:7b", "--host", "gone")
        wrong = ("soon", "nan", "inf", "-inf", "1e308", "99999999999h")
        bad = [await at.mmos("models", "warm", "general:7b", "--keep-alive", value) for value in wrong]
    assert (memory.code, memory.document["hosts"][0]["error"]["code"]) == (4, "out_of_memory")
    assert absent.code == 2
    assert "mmos models pull coder:14b" in absent.err
    assert half.code == 1
    assert "mmos models pull coder:14b --host one" in half.err
    assert dead.code == 4
    assert [(each.code, 'give seconds, or a duration like "10m"' in each.err) for each in bad] == [(2, True)] * len(wrong)


async def test_where_several_have_it_and_no_role_says_where_one_is_named(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [CODER]), Host("two", [CODER])) as at:
        shown = await at.mmos("models", "warm", "coder:14b")
    assert shown.code == 2
    assert "Name one with --host: one, two" in shown.err


async def test_unloading_takes_it_out_of_memory(tmp_path: Path) -> None:
    one, two = Host("one", [GENERAL]), Host("two", [GENERAL, CODER])
    async with fleet_at(tmp_path, one, two, servers={"gone": {"url": DEAD}}) as at:
        for host in ("one", "two"):
            await at.mmos("models", "warm", "general:7b", "--host", host)
        several = await at.mmos("models", "unload", "general:7b")
        first = await at.mmos("models", "unload", "general:7b", "--host", "one", "--json")
        again = await at.mmos("models", "unload", "general:7b", "--host", "one")
        rest = await at.mmos("models", "unload", "--all", "--yes")
        both = await at.mmos("models", "unload", "general:7b", "--all")
        near = await at.mmos("models", "unload", "genral:7b")
        dead = await at.mmos("models", "unload", "general:7b", "--host", "gone")
    assert several.code == 2
    assert "general:7b on one, general:7b on two" in several.err
    assert first.document["unloaded"] == [{"host": "one", "model": "general:7b", "ok": True, "error": None}]
    assert (again.code, again.out) == (0, "Nothing was loaded.\n")
    assert rest.code == 0
    assert "general:7b is out of the memory of two." in rest.out
    assert one.residency.loaded() == two.residency.loaded() == []
    assert both.code == 2
    assert "Did you mean 'general:7b'?" in near.err
    assert dead.code == 4


async def test_what_looks_busy_is_unloaded_only_when_that_is_meant(tmp_path: Path) -> None:
    held = {
        "name": "m:latest",
        "model": "m:latest",
        "size": 5,
        "size_vram": 5,
        "expires_at": "2020-01-01T00:00:00Z",
        "context_length": 4096,
    }

    # three questions of the survey, in whichever order they come
    async def ask(*args: str) -> tuple[int, str]:
        whole = answer({"version": "0.33.0", "models": [held]})
        async with serving(whole, whole, whole) as busy:
            at = Place(tmp_path, {"servers": {"one": {"url": busy.url}}, "arbiter": {"model": "m"}})
            shown = await at.mmos("models", "unload", "m", *args)
        return shown.code, shown.err

    code, err = await ask()
    assert code == 2
    assert "looks busy" in err
