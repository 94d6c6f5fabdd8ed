"""Stories of GPUs: what `mmos gpu` shows of this machine and of the hosts."""

from __future__ import annotations

from pathlib import Path

from mmos.rehearsal import Host, Model
from tests.fleets import fleet_at
from tests.nvml import GIB, Board, installed

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
