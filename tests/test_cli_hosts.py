"""`mmos hosts`: who is there and what is loaded, for people and for programs, once and again."""

import asyncio
import json
import signal
from pathlib import Path

import pexpect
from aiohttp import web
from aiohttp.test_utils import TestServer

from mmos.hosts.face import Timeouts
from mmos.hosts.ollama import OllamaHost
from mmos.rehearsal import Host, Model
from tests.fleets import DEAD, Place, fleet_at
from tests.wire import HANG, serving

GENERAL = Model("general:7b", size=4 << 30)


async def load(host: Host, model: str, window: int, keep_alive: float | None = None) -> None:
    client = OllamaHost(host.name, host.url)
    try:
        await client.preload(model, num_ctx=window, timeouts=Timeouts(), keep_alive=keep_alive)
    finally:
        await client.close()


async def test_what_is_loaded_where_is_shown(tmp_path: Path) -> None:
    one, two = Host("one", [GENERAL, Model("tiny")], vram_gb=8), Host("two", [GENERAL])
    async with fleet_at(tmp_path, one, two, servers={"two": {"url": DEAD}}) as at:
        await load(one, "general:7b", 8192, keep_alive=-1)
        shown = await at.mmos("hosts")
    assert shown.code == 0
    head, first, second = shown.out.splitlines()
    assert head.split() == ["HOST", "KIND", "URL", "VERSION", "STATE", "MEMORY", "LOADED"]
    assert "general:7b · 8k · for ever" in first
    assert "up" in first
    assert "of 8 GB" in first
    assert "down" in second
    assert "Nothing listens" in second


async def test_the_document_says_it_all(tmp_path: Path) -> None:
    one = Host("one", [GENERAL], vram_gb=8)
    async with fleet_at(tmp_path, one, servers={"gone": {"url": "http://me:hunter2@127.0.0.1:9"}}) as at:
        await load(one, "general:7b", 4096)
        shown = await at.mmos("hosts", "--json")
    here, gone = shown.document["hosts"]
    assert shown.document["version"] == 1
    assert (here["host"], here["kind"], here["reachable"], here["error"], here["models"]) == ("one", "ollama", True, None, 1)
    (held,) = here["loaded"]
    assert (held["model"], held["window"]) == ("general:7b", 4096)
    assert 200 < held["stays_seconds"] <= 300
    assert here["vram_used"] == held["size_vram"] > 4 << 30
    assert here["abilities"]["pulls"] is True
    assert (gone["reachable"], gone["models"], gone["error"]["code"]) == (False, None, "host_unreachable")
    assert "hunter2" not in shown.out + shown.err


async def test_one_host_can_be_looked_at_alone(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [GENERAL]), servers={"two": {"url": DEAD}}) as at:
        one = await at.mmos("hosts", "--host", "one", "--json")
        two = await at.mmos("hosts", "--host", "two")
        neither = await at.mmos("hosts", "--host", "tow")
    assert (one.code, [host["host"] for host in one.document["hosts"]]) == (0, ["one"])
    assert two.code == 4
    assert (neither.code, "did you mean 'two'" in neither.err) == (2, True)


async def test_when_none_answers_it_ends_with_4(tmp_path: Path) -> None:
    async with serving([HANG], [HANG], [HANG]) as stuck:
        at = Place(tmp_path, {"servers": {"gone": {"url": DEAD}, "stuck": {"url": stuck.url}}, "arbiter": {"model": "m"}})
        shown = await at.mmos("hosts")
    assert shown.code == 4
    assert "down" in shown.out
    assert "silent" in shown.out
    assert "did not answer within" in shown.out


async def test_a_model_that_does_not_fit_is_marked(tmp_path: Path) -> None:
    one = Host("one", [Model("general:7b", size=16 << 30)], vram_gb=8)
    async with fleet_at(tmp_path, one) as at:
        await load(one, "general:7b", 8192)
        shown = await at.mmos("hosts")
    assert "% on the CPU" in shown.out


async def test_no_host_can_steer_the_terminal(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [GENERAL], version="0.33\x1b[2J")) as at:
        shown = await at.mmos("hosts")
    assert "\x1b" not in shown.out
    assert "0.33" not in shown.out  # a version that acts is no version


async def test_in_a_pipe_watching_tells_what_changes_and_ctrl_c_ends_it_well(tmp_path: Path) -> None:
    one = Host("one", [GENERAL])
    async with fleet_at(tmp_path, one) as at:
        process = await at.start("hosts", "--watch", "0.1", "--json")
        assert process.stdout is not None
        first = json.loads(await process.stdout.readline())
        await load(one, "general:7b", 4096)
        second = json.loads(await process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest, err = await asyncio.wait_for(process.communicate(), 30)
    assert first["hosts"][0]["loaded"] == []
    assert second["hosts"][0]["loaded"][0]["model"] == "general:7b"
    assert (process.returncode, rest, err) == (0, b"", b"")


async def test_at_a_terminal_it_is_drawn_in_place(tmp_path: Path) -> None:
    def watch(screen: pexpect.spawn) -> None:
        screen.expect("nothing; models: 1")
        screen.expect("nothing; models: 1")
        screen.sendintr()

    async with fleet_at(tmp_path, Host("one", [GENERAL])) as at:
        shown, code = await at.at_terminal("hosts", "--watch", "0.2", talk=watch)
    assert code == 0
    assert "\x1b[2K" in shown
    assert "Traceback" not in shown
    assert shown.rstrip().endswith("\x1b[?25h")  # the cursor is given back


async def test_in_a_narrow_terminal_no_line_is_broken(tmp_path: Path) -> None:
    one = Host("one", [GENERAL], vram_gb=8)
    async with fleet_at(tmp_path, one) as at:
        await load(one, "general:7b", 8192)
        shown, _ = await at.at_terminal("hosts", talk=lambda _: None, columns=80)
    lines = shown.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert any("general:7b · 8k" in line for line in lines)


async def test_the_interval_must_be_sensible(tmp_path: Path) -> None:
    shown = await Place(tmp_path, {"arbiter": {"model": "m"}}).mmos("hosts", "--watch", "0")
    assert shown.code == 2


async def test_hosts_of_another_kind_tell_what_they_can(tmp_path: Path) -> None:
    one, two = Host("one", [GENERAL]), Host("two", [GENERAL], vram_gb=8)
    async with fleet_at(tmp_path, one, two) as at:
        at = Place(
            tmp_path,
            {"servers": {"a": {"url": f"{one.url}/v1", "kind": "openai"}, "b": {"url": two.url}}, "arbiter": {"model": "general:7b"}},
        )
        shown = await at.mmos("hosts")
        listed = await at.mmos("models", "list", "--json")
        card = await at.mmos("models", "show", "general:7b", "--host", "a")
        warmed = await at.mmos("models", "warm", "general:7b", "--host", "a")
        gone = await at.mmos("models", "unload", "general:7b", "--host", "a")
        pulled = await at.mmos("models", "pull", "general:7b", "--host", "a")
    assert "unknown; models: 1" in shown.out
    (row,) = listed.document["models"]
    assert (row["hosts"], row["size"]) == (["a", "b"], 4 << 30)
    assert "unknown: its host does not say" in card.out
    assert warmed.code == gone.code == pulled.code == 2
    assert "loads and unloads models by itself" in warmed.err
    assert "loads and unloads models by itself" in gone.err
    assert "use that server's own tools" in pulled.err


async def test_watching_ends_when_nobody_reads_any_more(tmp_path: Path) -> None:
    """Nothing changes, so nothing is written that would show it."""
    async with fleet_at(tmp_path, Host("one", [GENERAL])) as at:
        process = await at.start("hosts", "--watch", "0.1", "--json")
        assert process.stdout is not None
        await process.stdout.readline()
        process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
        assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_a_host_that_lies_about_types_ends_no_command(tmp_path: Path) -> None:
    lies = {
        "/api/tags": {"models": [{"name": 5}, {"name": "general:7b", "size": "big", "details": 1, "capabilities": "all"}]},
        "/api/ps": {"models": [{"name": "general:7b", "size": None, "context_length": "y", "expires_at": 1}]},
        "/api/show": {"template": 5, "model_info": 7},
        "/api/version": {"version": "0.40.3"},
    }

    async def lie(request: web.Request) -> web.Response:
        return web.json_response(lies[request.path])

    liar = web.Application()
    liar.router.add_route("*", "/api/{what}", lie)
    async with TestServer(liar) as server:
        at = Place(
            tmp_path, {"servers": {"one": {"url": str(server.make_url(""))}}, "arbiter": {"model": "general:7b", "channel": "schema"}}
        )
        for command in (("hosts",), ("models", "list"), ("models", "show", "general:7b"), ("doctor", "--quick")):
            shown = await at.mmos(*command)
            assert (shown.code, shown.err) == (0, ""), command
            assert "general:7b" in shown.out
