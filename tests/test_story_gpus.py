"""Stories of GPUs: what `mmos gpu` shows of this machine and of the hosts."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from mmos.rehearsal import Host, Model
from tests.fleets import fleet_at
from tests.nvml import GIB, Board, installed
from tests.shell import command, environment

MODEL = Model("general:7b", size=4 << 30)


async def test_status_shows_the_gpus_of_this_machine_and_who_holds_them(tmp_path: Path) -> None:
    busy = Board(used=6 * GIB, load=97, computing={41: 6 * GIB}, drawing={7: None})
    driver = installed(tmp_path, busy, Board(lost="MemoryInfo"), names={41: "/usr/bin/ollama", 7: "Xorg"})
    async with fleet_at(tmp_path, Host("one", [MODEL], vram_gb=24), servers={"one": {"gpus": [0]}}) as at:
        await at.mmos("models", "warm", "general:7b")
        shown = await at.mmos("gpu", "status", **driver)
        document = (await at.mmos("gpu", "status", "--json", **driver)).document
    lines = [line.split("  ") for line in shown.out.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert shown.code == 0, shown.err
    assert cells[1] == ["0", "NVIDIA Test 0", "6.0 of 24.0 GB", "97 %", "41 °C", "76 W", "Xorg 7 · draws"]
    assert cells[2] == ["ollama 41 · 6.0 GB"]
    assert cells[3][-1] == "cannot be used: GPU is lost"
    assert cells[-1][:4] == ["one", "0", "up", cells[-1][3]]
    assert cells[-1][4].startswith("general:7b · ")
    assert document["missing"] is None
    assert [(gpu["index"], gpu["uuid"], gpu["used"], gpu["fault"]) for gpu in document["gpus"]] == [
        (0, "GPU-0", 6 * GIB, ""),
        (1, "GPU-1", None, "GPU is lost"),
    ]
    assert [(host["host"], host["gpus"], host["vram_gb"], host["loaded"][0]["model"]) for host in document["hosts"]] == [
        ("one", [0], 24.0, "general:7b")
    ]


async def test_a_machine_without_a_gpu_says_why_and_shows_the_hosts(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [MODEL])) as at:
        shown = await at.mmos("gpu", "status")
        without_gpus = await at.mmos("gpu", "status", "--json", **installed(tmp_path))
    assert (shown.code, shown.err) == (0, "")
    assert "This machine has no NVIDIA GPU that MMOS can read: " in shown.out
    assert "one " in shown.out
    assert (without_gpus.code, without_gpus.document["gpus"], without_gpus.document["hosts"][0]["host"]) == (0, [], "one")
    assert "the NVIDIA driver lists no GPU" in without_gpus.document["missing"]["message"]


async def test_a_gpu_is_reserved_shown_and_released(tmp_path: Path) -> None:
    driver = installed(tmp_path, Board(used=GIB), Board(total=12 * GIB))
    async with fleet_at(tmp_path, Host("one", [MODEL])) as at:
        reserved = await at.mmos("gpu", "allocate", "--vram", "20", "--for", "night", "--keep", **driver)
        second = await at.mmos("gpu", "allocate", "--vram", "10", "--json", **driver)
        refused = await at.mmos("gpu", "allocate", "--vram", "10", "--json", **driver)
        shown = await at.mmos("gpu", "status", **driver)
        listed = await at.mmos("gpu", "status", "--json", **driver)
        released = await at.mmos("gpu", "release", "night", **driver)
        exported = await at.mmos("gpu", "allocate", "--gpu", "0", "--export", **driver)
    assert (reserved.code, reserved.out) == (0, "0\n"), reserved.err
    assert (second.document["gpus"], second.document["vram_gb"]) == ([{"index": 1, "uuid": "GPU-1", "name": "NVIDIA Test 1"}], 10.0)
    assert second.document["environment"] == {"CUDA_VISIBLE_DEVICES": "GPU-1"}
    assert second.document["owner"] > 1
    assert (refused.code, refused.document["reason"]["code"]) == (4, "no_gpu")
    assert "GPU 0: 3.0 GB free, 10 GB needed. GPU 1: 2.0 GB free" in refused.err
    assert "night · 20 GB · reserved until it is released" in shown.out
    assert f"reserved until process {second.document['owner']} ends" in shown.out
    assert [(claim["name"], claim["gpus"]) for claim in listed.document["claims"]] == [("night", [0]), (second.document["name"], [1])]
    assert released.out == "night: released GPU 0\n"
    assert exported.out == "export CUDA_VISIBLE_DEVICES=GPU-0\n"


async def test_a_reservation_ends_with_the_shell_that_made_it(tmp_path: Path) -> None:
    driver = installed(tmp_path, Board(), Board())
    mmos = f"{sys.executable} -m mmos gpu"
    script = f'eval "$({mmos} allocate --export)"; echo $CUDA_VISIBLE_DEVICES; {mmos} status --rehearse --json; true'
    shell = await asyncio.create_subprocess_exec(
        "sh", "-c", script, cwd=tmp_path, env=environment(tmp_path, **driver), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await shell.communicate()
    first, _, rest = out.decode().partition("\n")
    assert first == "GPU-0"
    assert [(claim["gpus"], claim["owner"]) for claim in json.loads(rest)["claims"]] == [([0], shell.pid)]
    after = await command(tmp_path, "gpu", "status", "--rehearse", "--json", **driver)
    assert after.document["claims"] == []


async def test_a_command_runs_on_the_gpu_that_is_reserved_for_it(tmp_path: Path) -> None:
    driver = installed(tmp_path, Board(used=20 * GIB), Board())
    look = f"echo $CUDA_VISIBLE_DEVICES; exec {sys.executable} -m mmos gpu status --rehearse --json"
    ran = await command(tmp_path, "gpu", "allocate", "--vram", "20", "--for", "job", "--", "sh", "-c", look, **driver)
    missing = await command(tmp_path, "gpu", "allocate", "--for", "job", "--", "no-such-program", **driver)
    kept = await command(tmp_path, "gpu", "release", "--all", "--json", **driver)
    first, _, rest = ran.out.partition("\n")
    assert first == "GPU-1", ran.err
    assert [(claim["name"], claim["gpus"]) for claim in json.loads(rest)["claims"]] == [("job", [1])]
    assert (missing.code, "no-such-program cannot be run: no such file" in missing.err) == (2, True)
    assert kept.document == {"version": 1, "released": []}


async def test_the_configuration_says_how_gpus_are_chosen(tmp_path: Path) -> None:
    driver = installed(tmp_path, Board(used=4 * GIB, computing={5: 4 * GIB}), Board(used=12 * GIB))
    rules = {"strategy": "pack", "vram_threshold_percent": 40, "allow_shared_gpu": False}
    roles = {"coding": {"model": "general:7b", "gpu_id": 1, "vram_required_gb": 10}}
    async with fleet_at(tmp_path, Host("one", [MODEL]), gpu=rules, roles=roles, servers={"one": {"gpus": [1]}}) as at:
        of_role = await at.mmos("gpu", "allocate", "--for", "coding", "--strategy", "manual", "--json", **driver)
        refused = await at.mmos("gpu", "allocate", **driver)
        wrong = await at.mmos("gpu", "release", **driver)
        without = await at.mmos("gpu", "allocate")
    assert ([gpu["index"] for gpu in of_role.document["gpus"]], of_role.document["vram_gb"]) == ([1], 10.0)
    assert refused.code == 4
    assert "GPU 0: held by process 5. GPU 1: held by coding." in refused.err
    assert (wrong.code, "--all" in wrong.err) == (2, True)
    assert (without.code, "has no NVIDIA GPU that MMOS can read" in without.err) == (4, True)


async def test_a_role_and_a_run_go_to_the_gpu_that_they_name(tmp_path: Path) -> None:
    hosts = [Host(name, [MODEL]) for name in ("left", "right", "none")]
    servers = {"left": {"gpus": [0]}, "right": {"gpus": [1]}}
    roles = {"arbiter": {"model": "general:7b", "gpu_id": 1}}
    async with fleet_at(tmp_path, *hosts, roles=roles, servers=servers) as at:
        configured = await at.mmos("run", "--json", "Hello.")
        other = await at.mmos("run", "--json", "--gpu", "0", "Hello.")
        alone = await at.mmos("run", "--json", "--gpu", "1", "--model", "general:7b", "Hello.")
        again = await at.mmos("runs", "show", other.document["run"], "--json")
        missing = await at.mmos("run", "--json", "--gpu", "5", "Hello.")
        elsewhere = await at.mmos("run", "--gpu", "1", "--model", "general:7b@none", "Hello.")
    assert [run.document["roles"][0]["host"] for run in (configured, other, alone)] == ["right", "left", "right"]
    assert again.document["status"] == "answered"
    assert (missing.code, missing.document["reason"]["code"]) == (2, "usage")
    assert "No server has GPU 5. GPUs of the servers: left: 0; right: 1." in " ".join(missing.err.split())
    assert (elsewhere.code, "No role that takes part may run on a server with GPU 1." in elsewhere.err) == (2, True)


async def test_a_run_on_a_gpu_needs_servers_that_name_theirs(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [MODEL])) as at:
        ran = await at.mmos("run", "--gpu", "0", "Hello.")
    assert ran.code == 2
    assert "No server of the configuration names its GPUs." in ran.err
    assert "mmos hosts serve" in ran.err
