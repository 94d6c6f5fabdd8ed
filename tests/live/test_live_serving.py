"""Real servers that `mmos hosts serve` runs, on a machine that needs no GPU for it: they share their models, and none outlives MMOS."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import yaml
from real_ollama import server as real

from mmos.gpus import processes
from tests.live.peers import CACHE, OWN, WANTED
from tests.shell import command
from tests.test_story_hosts_serve import free_port, gone, serving, until

VERSIONS = ["installed"] if OWN else ["v0.13.5", "v0.34.4"]


def below(pid: int) -> list[int]:
    """All processes that this one started."""
    numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [number for number in numbers if number != pid and pid in processes.ancestors(number)]


@pytest.mark.live
@pytest.mark.skipif(not WANTED, reason="compares with real servers: scripts/live")
@pytest.mark.parametrize("version", VERSIONS)
async def test_two_real_servers_share_their_models_and_end_with_mmos(version: str, tmp_path: Path) -> None:
    binary = Path(OWN) if OWN else real.built(version, CACHE)
    if binary is None:
        pytest.skip(f"Ollama {version} is not built: scripts/real-ollama build --version {version}")
    args = ("--gpus", "0,1", "--port", str(free_port()), "--models", "models", "--ollama", str(binary))
    async with serving(tmp_path, *args, cold=True, OLLAMA_NO_CLOUD="1") as (process, shown):
        (name,) = real.create(shown["hosts"]["gpu0"]["url"], binary, ["coder"])
        arbiter = {"model": name, "server": "gpu1"}
        (tmp_path / "orchestration.yaml").write_text(yaml.safe_dump({"orchestration": {"servers": shown["hosts"], "arbiter": arbiter}}))
        listed = await command(tmp_path, "models", "list", "--json")
        loaded = await command(tmp_path, "models", "warm", name)
        status = await command(tmp_path, "gpu", "status", "--json")
        started = below(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        await until(lambda: gone(*started))
    assert [sorted(model["hosts"]) for model in listed.document["models"]] == [["gpu0", "gpu1"]]
    assert (loaded.code, "gpu1" in loaded.out) == (0, True)
    assert [(host["host"], host["gpus"], len(host["loaded"])) for host in status.document["hosts"]] == [("gpu0", [0], 0), ("gpu1", [1], 1)]
    assert len(started) >= 5, "two launchers, two servers, and the process of a model"
