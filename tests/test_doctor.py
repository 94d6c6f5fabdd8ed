"""The doctor over real hosts: each family of checks finds what is wrong, and is silent where all is well."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from email.utils import formatdate
from pathlib import Path
from typing import Any

from mmos.config.load import from_mapping
from mmos.doctor.checkup import Circumstances, diagnose, examine, is_well
from mmos.doctor.findings import Finding
from mmos.fitness.card import Card as Trial
from mmos.fitness.card import Marks
from mmos.fitness.shelf import Shelf
from mmos.fleet.build import seats_of_servers
from mmos.fleet.fleet import Fleet
from mmos.hosts.face import Timeouts
from mmos.rehearsal import Architecture, Host, Model, serve
from tests.fleets import DEAD, orchestration
from tests.wire import HANG, Script, answer, serving

GENERAL = Model("general:7b", size=4 << 30, parameter_size="7.6B")
CODER = Model("coder:7b", size=4 << 30)
NOW = 1_795_209_390.0


async def examined(
    folder: Path,
    *hosts: Host,
    roles: Mapping[str, Any] | None = None,
    servers: Mapping[str, Any] | None = None,
    warm: Mapping[str, tuple[str, int]] | None = None,
    **around: Any,
) -> list[Finding]:
    """What the doctor says of a fleet; `warm` names a model and a window that a host holds before."""
    environ = around.pop("environ", os.environ)
    async with AsyncExitStack() as stack:
        urls = {host.name: await stack.enter_async_context(serve(host)) for host in hosts}
        config = from_mapping({"orchestration": orchestration(hosts, urls, roles or {}, servers or {})}, environ=environ)
        fleet = await stack.enter_async_context(Fleet(seats_of_servers(config.servers(), None)))
        for name, (model, window) in (warm or {}).items():
            await fleet.host(name).preload(model, num_ctx=window, timeouts=Timeouts())
        (folder / "state").mkdir(exist_ok=True)
        return diagnose(await examine(config, fleet, Circumstances(folder / "state", environ, patience=0.5, **around)))


def told(findings: list[Finding], *codes: str) -> list[Finding]:
    return [finding for finding in findings if finding.code in codes]


def serious(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings if finding.level != "info"]


async def test_a_fleet_in_order_has_nothing_to_tell(tmp_path: Path) -> None:
    findings = await examined(tmp_path, Host("one", [GENERAL, CODER], vram_gb=16, version="0.40.3"), roles={"coding": "coder:7b"})
    assert findings == []


# ---------------------------------------------------------------- hosts


async def test_hosts_that_are_down_or_hang_are_found_and_what_helps_is_said(tmp_path: Path) -> None:
    async with serving(*[[HANG]] * 6) as stuck:
        findings = await examined(tmp_path, Host("one", [GENERAL]), servers={"gone": {"url": DEAD}, "stuck": {"url": stuck.url}})
    gone, silent = told(findings, "host_unreachable", "host_timeout")
    assert (gone.level, gone.subject) == ("error", "gone")
    assert "ollama serve" in gone.cure
    assert (silent.level, silent.subject) == ("error", "stuck")
    assert silent.cure
    assert not is_well(findings)


async def test_a_host_that_no_role_uses_is_a_warning(tmp_path: Path) -> None:
    findings = await examined(
        tmp_path, Host("one", [GENERAL]), roles={"arbiter": {"model": "general:7b", "server": "one"}}, servers={"gone": {"url": DEAD}}
    )
    (gone,) = told(findings, "host_unreachable")
    assert gone.level == "warning"
    assert is_well(findings)


async def test_a_key_that_is_refused_and_one_that_is_not_set(tmp_path: Path) -> None:
    refusal: Script = answer({"error": "unauthorized"}, 401)
    async with serving(*[refusal] * 12) as closed:
        servers = {"one": {"url": closed.url, "api_key_env": "A_KEY"}}
        findings = await examined(tmp_path, servers=servers, environ={})
        wrong = await examined(tmp_path, servers=servers, environ={"A_KEY": "s3cret"})
    unsent = await examined(tmp_path, Host("one", [GENERAL]), servers={"one": {"api_key_env": "A_KEY"}}, environ={})
    (unset,) = told(findings, "key_unset", "unauthorized")  # one finding says both
    assert (unset.code, unset.level, unset.cure) == ("key_unset", "error", "export A_KEY=…")
    (refused,) = told(wrong, "key_unset", "unauthorized")
    assert (refused.code, refused.level) == ("unauthorized", "error")
    assert [finding.level for finding in told(unsent, "key_unset")] == ["warning"]
    assert told(findings, "config_warning") == []  # once is enough
    assert "s3cret" not in repr(wrong)


async def test_versions_that_are_known_to_be_bad(tmp_path: Path) -> None:
    old = await examined(tmp_path, Host("one", [GENERAL], version="0.13.5"), Host("two", [], version="0.40.3"))
    (insecure,) = told(old, "version_insecure")
    assert (insecure.level, insecure.subject) == ("warning", "one")
    assert "CVE-2026-7482" in insecure.message
    assert "ollama.com" in insecure.cure
    (differ,) = told(old, "versions_differ")
    assert (differ.level, "one 0.13.5" in differ.message) == ("info", True)
    new = await examined(tmp_path, Host("one", [GENERAL], version="0.40.3"))
    assert told(new, "version_insecure", "version_known_bad", "version_too_old", "versions_differ") == []


async def test_a_clock_that_goes_wrong(tmp_path: Path) -> None:
    def host(moment: float) -> Script:
        return answer({"version": "0.40.3", "models": []}, Date=formatdate(moment, usegmt=True))

    for ahead, wrong in ((3600.0, True), (-3600.0, True), (5.0, False)):
        async with serving(*[host(NOW + ahead)] * 6) as server:
            findings = await examined(tmp_path, servers={"one": {"url": server.url}}, wall=lambda: NOW)
        assert len(told(findings, "clock_skew")) == wrong
    (wrong_clock,) = told(await _skewed(tmp_path), "clock_skew")
    assert "ahead of" in wrong_clock.message
    assert "timedatectl" in wrong_clock.cure


async def _skewed(folder: Path) -> list[Finding]:
    return await examined(folder, Host("one", [GENERAL]), wall=lambda: NOW)


# ---------------------------------------------------------------- models


async def test_models_that_are_missing_are_to_be_pulled(tmp_path: Path) -> None:
    findings = await examined(tmp_path, Host("one", [GENERAL]), roles={"coding": "coder:7b", "analysis": "genral:7b"})
    coder, typo = told(findings, "model_missing")
    assert (coder.level, coder.subject, coder.cure) == ("error", "one", "mmos models pull coder:7b --host one")
    assert coder.fix is not None
    assert "It has general:7b: is that meant?" in typo.message


async def test_where_another_host_serves_the_lack_is_a_warning(tmp_path: Path) -> None:
    roles = {"coding": {"model": "coder:7b", "server": ["one", "two"]}}
    findings = await examined(tmp_path, Host("one", [GENERAL, CODER]), Host("two", []), roles=roles)
    (lack,) = told(findings, "model_missing")
    assert (lack.level, lack.subject) == ("warning", "two")


async def test_one_name_for_two_models(tmp_path: Path) -> None:
    other = Model("general:7b", size=4 << 30, quantization="Q8_0")
    findings = await examined(tmp_path, Host("one", [GENERAL]), Host("two", [other]))
    (differ,) = told(findings, "model_differs")
    assert (differ.level, differ.subject) == ("warning", "arbiter")
    assert told(await examined(tmp_path, Host("one", [GENERAL]), Host("two", [GENERAL])), "model_differs") == []


# ---------------------------------------------------------------- memory


async def test_roles_that_push_each_other_out(tmp_path: Path) -> None:
    swapping = await examined(tmp_path, Host("one", [GENERAL, CODER], vram_gb=8), roles={"coding": "coder:7b"})
    (swap,) = told(swapping, "roles_swap")
    assert swap.subject == "one"
    assert "general:7b (arbiter" in swap.message
    assert "coder:7b (coding" in swap.message
    assert "share one model" in swap.cure
    shared = await examined(tmp_path, Host("one", [GENERAL], vram_gb=8), roles={"coding": "general:7b"})
    assert told(shared, "roles_swap") == []


async def test_a_model_without_room_beside_a_pinned_one(tmp_path: Path) -> None:
    roles: dict[str, Any] = {
        "arbiter": {"model": "general:7b", "server": "one", "pin": True},
        "coding": {"model": "coder:7b", "server": "one"},
    }
    findings = await examined(tmp_path, Host("one", [GENERAL, CODER], vram_gb=8), roles=roles)
    (out,) = told(findings, "pinned_out", "roles_swap")
    assert (out.level, out.subject) == ("error", "one")
    assert out.message == "coder:7b (coding) will not fit into 8 GB beside general:7b, which is pinned. Calls to it fail."
    assert out.cure.startswith("Remove pin from arbiter, or give coding another server")
    assert told(await examined(tmp_path, Host("one", [GENERAL, CODER], vram_gb=16), roles=roles), "pinned_out") == []


async def test_roles_that_push_each_other_out_are_shown_a_window_and_a_server_that_help(tmp_path: Path) -> None:
    models = [GENERAL, CODER, Model("small:1b", size=1 << 30)]
    roles = {
        name: {"model": model, "server": "one", "context_window": 16384}
        for name, model in (("arbiter", "general:7b"), ("coding", "coder:7b"))
    }
    roles["interpreter"] = {"model": "small:1b", "server": "one", "context_window": 4096}
    hosts = [Host("one", models, vram_gb=13), Host("two", [], vram_gb=8), Host("three", [], vram_gb=2)]
    (swap,) = told(await examined(tmp_path, *hosts, roles=roles), "roles_swap")
    assert "Without coder:7b the others would stay." in swap.message or "Without general:7b the others would stay." in swap.message
    windows, server = swap.cure.split(" Or: ")
    assert windows.startswith("Write context_window: ")
    assert windows.endswith(" for arbiter, coding.")
    assert "server: two for" in server
    assert "mmos models pull" in server
    window = int(windows.split()[2])
    for name in ("arbiter", "coding"):
        roles[name]["context_window"] = window
    assert told(await examined(tmp_path, *hosts, roles=roles), "roles_swap") == []


async def test_a_window_too_large_for_the_memory_says_which_one_fits(tmp_path: Path) -> None:
    model = Model("general:7b", size=4 << 30, context_length=131072, architecture=Architecture())  # 128 KiB for a token
    roles = {"arbiter": {"model": "general:7b", "context_window": 65536}}
    findings = await examined(tmp_path, Host("one", [model], vram_gb=8), roles=roles)
    (large,) = told(findings, "window_too_large")
    assert "context_window: 28672" in large.cure  # (8 - 4 - 0.5) GiB / 128 KiB
    assert told(findings, "model_too_large", "window_beyond_model") == []


async def test_a_model_too_large_for_the_memory(tmp_path: Path) -> None:
    findings = await examined(tmp_path, Host("one", [Model("general:7b", size=9 << 30)], vram_gb=8))
    (large,) = told(findings, "model_too_large")
    assert "smaller quantization" in large.cure


async def test_windows_that_do_not_fit_the_model_or_what_is_loaded(tmp_path: Path) -> None:
    model = Model("general:7b", size=1 << 30, context_length=8192)
    roles = {"arbiter": {"model": "general:7b", "context_window": 32768}}
    beyond = await examined(tmp_path, Host("one", [model]), roles=roles)
    assert [finding.cure.startswith("Write context_window: 8192") for finding in told(beyond, "window_beyond_model")] == [True]
    other = await examined(tmp_path, Host("one", [model]), warm={"one": ("general:7b", 4096)})
    (differs,) = told(other, "window_differs")
    assert "mmos models warm general:7b --host one" in differs.cure
    assert (
        told(await examined(tmp_path, Host("one", [model]), warm={"one": ("general:7b", 8192)}), "window_differs", "window_beyond_model")
        == []
    )
    roles = {"arbiter": {"model": "general:7b", "context_window": 4096}}
    larger = await examined(tmp_path, Host("one", [model]), roles=roles, warm={"one": ("general:7b", 8192)})
    assert told(larger, "window_differs") == []  # MMOS uses the larger one


async def test_what_is_computed_on_the_cpu(tmp_path: Path) -> None:
    model = Model("general:7b", size=16 << 30)
    findings = await examined(tmp_path, Host("one", [model], vram_gb=8), warm={"one": ("general:7b", 8192)})
    (spilled,) = told(findings, "spilled")
    assert "the CPU computes" in spilled.message


async def test_memory_that_nobody_told_of(tmp_path: Path) -> None:
    (unknown,) = told(await examined(tmp_path, Host("one", [GENERAL])), "vram_unknown")
    assert (unknown.level, unknown.cure) == ("info", "Write vram_gb under servers.one.")


# ---------------------------------------------------------------- tools


async def test_tools_that_are_printed_as_go_structs(tmp_path: Path) -> None:
    model = Model("general:7b", size=4 << 30, template="structs")
    host = Host("one", [model], vram_gb=16)
    (structs,) = told(await examined(tmp_path, host), "tools_rendered_as_structs")
    assert (structs.level, structs.subject) == ("warning", "general:7b on one")
    assert "channel: schema for arbiter" in structs.cure
    assert "OLLAMA_GO_TEMPLATE=0" in structs.cure
    (seen,) = [seen for seen in host.requests if seen.path == "/api/chat" and b"_debug_render_only" in seen.body]
    assert b'"num_ctx":8192' in seen.body  # the window of the role: nothing has to be loaded anew afterwards


async def test_without_loading_the_template_tells_of_it(tmp_path: Path) -> None:
    host = Host("one", [Model("general:7b", size=4 << 30, template="structs")])
    assert len(told(await examined(tmp_path, host, probing="loaded"), "tools_rendered_as_structs")) == 1
    assert host.loads == 0
    good = Host("one", [GENERAL])
    (unchecked,) = told(await examined(tmp_path, good, probing="loaded"), "tools_unchecked", "tools_rendered_as_structs")
    assert (unchecked.code, unchecked.level) == ("tools_unchecked", "info")
    assert "mmos models warm general:7b --host one" in unchecked.cure


async def test_tools_that_do_not_reach_the_model(tmp_path: Path) -> None:
    lost = Model("general:7b", size=4 << 30, template="plain")
    (unseen,) = told(await examined(tmp_path, Host("one", [lost])), "tools_not_rendered")
    assert (unseen.level, "not in its prompt" in unseen.message) == ("error", True)


async def test_a_model_that_is_loaded_is_asked_as_it_is_loaded(tmp_path: Path) -> None:
    host = Host("one", [Model("general:7b", size=4 << 30, template="structs")])
    findings = await examined(tmp_path, host, warm={"one": ("general:7b", 4096)}, probing="loaded")
    assert len(told(findings, "tools_rendered_as_structs")) == 1
    assert host.loads == 1
    assert any(b"_debug_render_only" in seen.body and b'"num_ctx":4096' in seen.body for seen in host.requests)


async def test_nobody_is_pushed_out_for_a_look(tmp_path: Path) -> None:
    host = Host("one", [GENERAL, CODER, Model("other:7b", size=4 << 30)], vram_gb=8)
    roles = {"arbiter": "general:7b", "interpreter": "coder:7b"}
    notes: list[str] = []
    findings = await examined(tmp_path, host, roles=roles, warm={"one": ("other:7b", 8192)}, note=notes.append)
    assert len(told(findings, "tools_unchecked")) == 2
    assert (host.loads, notes) == (1, [])
    await examined(tmp_path, host, roles=roles, probing="all", note=notes.append)
    assert host.loads == 3
    assert "Loading general:7b on one, coder:7b on one" in notes[0]


async def test_a_host_that_fails_to_show_a_prompt_is_no_riddle(tmp_path: Path) -> None:
    host = Host("one", [GENERAL])
    host.faults.add("status", status=500, error="boom")
    (unchecked,) = told(await examined(tmp_path, host), "tools_unchecked")
    assert "boom" in unchecked.message


# ---------------------------------------------------------------- roles


async def test_models_that_do_not_suit_their_roles(tmp_path: Path) -> None:
    embed = Model("embed", capabilities=("embedding",))
    plain = Model("plain:7b", capabilities=("completion",))
    thinker = Model("thinker:7b", capabilities=("completion", "thinking"))
    roles = {
        "arbiter": {"model": "plain:7b", "think": True}, "coding": "embed", "reasoning": {"model": "plain:7b", "channel": "tools"},
        "analysis": "thinker:7b",
    }  # fmt: skip
    findings = await examined(tmp_path, Host("one", [embed, plain, thinker]), roles=roles)
    by_code = {finding.code: finding for finding in findings}
    assert (by_code["model_cannot_chat"].level, by_code["model_cannot_chat"].subject) == ("error", "coding")
    assert (by_code["model_lacks_thinking"].level, by_code["model_lacks_thinking"].subject) == ("error", "arbiter")
    assert (by_code["model_lacks_tools"].level, by_code["model_lacks_tools"].subject) == ("error", "reasoning")
    assert by_code["role_led_by_schema"].level == "info"
    assert (by_code["role_thinks"].level, by_code["role_thinks"].cure) == ("warning", "Write think: false for analysis.")


async def test_models_too_small_or_made_for_something_else(tmp_path: Path) -> None:
    tiny = Model("functiongemma", size=300_000_000, parameter_size="268.10M")
    small = Model("small:1b", size=1 << 30, parameter_size="1.2B")
    findings = await examined(
        tmp_path, Host("one", [tiny, small]), roles={"arbiter": "small:1b", "coding": "functiongemma", "interpreter": "functiongemma"}
    )
    (misplaced,) = told(findings, "interpreter_misplaced")
    assert misplaced.subject == "coding"
    (size,) = told(findings, "role_too_small")
    assert "1.2 billion" in size.message


# ---------------------------------------------------------------- all at once


async def test_all_are_asked_at_once(tmp_path: Path) -> None:
    """Each host answers only when both have been asked: one after the other would find them both silent."""
    gate, other = asyncio.Event(), asyncio.Event()
    whole: Script = answer({"version": "0.40.3", "models": []})
    async with serving(*[[gate, *whole]] * 5) as one, serving(*[[gate, *whole]] * 5) as two:

        async def open_when_asked() -> None:
            await one.asked.wait()
            await two.asked.wait()
            gate.set()
            other.set()

        opening = asyncio.create_task(open_when_asked())
        findings = await examined(tmp_path, servers={"a": {"url": one.url}, "b": {"url": two.url}})
        await opening
    assert told(findings, "host_timeout") == []
    assert other.is_set()


async def test_a_card_of_the_state_folder_is_heeded(tmp_path: Path) -> None:
    host = Host("one", [GENERAL], vram_gb=16, version="0.40.3")
    state = tmp_path / "state"
    Shelf.of_state(state).put(Trial("general:7b", "one", 1.0, host.installed["general:7b"].digest, {"tools": Marks(10, 2, 2, 2, 0, 2, 2)}))
    assert [finding.code for finding in await examined(tmp_path, host)] == ["model_unfit"]
    Shelf.of_state(state).put(Trial("general:7b", "one", 2.0, "of another model", {"tools": Marks(10, 2, 2, 2, 0, 2, 2)}))
    assert await examined(tmp_path, host) == []
