"""`mmos rehearse` as users and scripts meet it: processes, ports, signals, and a configuration that another process uses."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import shell

FLEET = """\
time_scale: 200
hosts:
  left:
    vram_gb: 8
    models: [{name: "tiny:1b", like: "llama3.1:8b", size_gb: 1.2, load_seconds: 1}]
  right:
    models: [nomic-embed-text]
"""


async def start(folder: Path, *args: str) -> asyncio.subprocess.Process:
    return await shell.start(folder, *args, TMPDIR=str(folder))


async def ended(folder: Path, *args: str) -> tuple[int, str, str]:
    ended = await shell.finish(await start(folder, *args))
    return ended.code, ended.out, ended.err


@asynccontextmanager
async def rehearsing(folder: Path, *args: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    process = await start(folder, "rehearse", "--json", *args)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            yield process, json.loads(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as reply:
        return json.load(reply)


async def test_one_line_tells_hosts_and_configuration_and_sigterm_ends_it_well(tmp_path: Path) -> None:
    async with rehearsing(tmp_path) as (process, told):
        assert set(told) == {"hosts", "config"}
        assert set(told["hosts"]) == {"ollama01", "ollama02"}
        tags = await asyncio.to_thread(get, told["hosts"]["ollama01"]["url"] + "/api/tags")
        assert "qwen2.5:14b" in [model["name"] for model in tags["models"]]
        config = Path(told["config"])
        servers = yaml.safe_load(config.read_text())["orchestration"]["servers"]
        assert {name: server["url"] for name, server in servers.items()} == {name: host["url"] for name, host in told["hosts"].items()}
        process.send_signal(signal.SIGTERM)
        rest, complaints = await process.communicate()
        assert (process.returncode, rest, complaints) == (0, b"", b"")
        assert not config.parent.exists(), "the temporary configuration goes with its hosts"


async def test_ctrl_c_ends_it_well(tmp_path: Path) -> None:
    async with rehearsing(tmp_path, "--output", str(tmp_path / "kept.yaml")) as (process, told):
        process.send_signal(signal.SIGINT)
        await process.communicate()
        assert process.returncode == 0
    assert Path(told["config"]) == tmp_path / "kept.yaml"
    assert Path(told["config"]).exists()


async def test_another_process_runs_a_task_with_its_configuration(tmp_path: Path) -> None:
    async with rehearsing(tmp_path, "--time-scale", "200") as (_, told):
        code, out, err = await ended(tmp_path, "run", "-c", told["config"], "--json", "Is it better to use threads or tasks?")
        assert code == 0, err
        answer = json.loads(out)
        assert {role["host"] for role in answer["roles"]} == {"ollama01", "ollama02"}
        checked, said, _ = await ended(tmp_path, "config", "check", "-c", told["config"])
        assert checked == 0, said


async def test_a_fleet_file_makes_the_hosts_and_roles_that_suit_them(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    async with rehearsing(tmp_path, "fleet.yaml") as (_, told):
        tags = await asyncio.to_thread(get, told["hosts"]["left"]["url"] + "/api/tags")
        assert [(model["name"], model["size"]) for model in tags["models"]] == [("tiny:1b", 1_200_000_000)]
        orchestration = yaml.safe_load(Path(told["config"]).read_text())["orchestration"]
        assert orchestration["arbiter"]["model"] == "tiny:1b"
        assert orchestration["servers"]["left"]["time_scale"] == 200
        code, out, err = await ended(tmp_path, "run", "-c", told["config"], "--json", "Explain what a mutex is.")
        assert (code, json.loads(out)["status"]) == (0, "answered"), err


async def test_without_json_people_can_read_it(tmp_path: Path) -> None:
    process = await start(tmp_path, "rehearse")
    assert process.stdout is not None
    lines = []
    async with asyncio.timeout(30):
        while not lines or "Ctrl-C" not in lines[-1]:
            lines.append((await process.stdout.readline()).decode())
    process.terminate()
    await process.communicate()
    said = "".join(lines)
    assert "http://127.0.0.1:" in said
    assert "24 GB" in said
    assert "mmos run -c " in said


@pytest.fixture
def taken() -> Any:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        yield busy.getsockname()[1]


async def test_a_port_that_is_taken_is_told_in_a_sentence(tmp_path: Path, taken: int) -> None:
    code, out, err = await ended(tmp_path, "rehearse", "--port", str(taken), "--json")
    assert code == 2
    assert json.loads(out)["reason"]["code"] == "usage"
    assert f"ollama01 cannot listen on port {taken}" in err
    assert "Traceback" not in err


async def test_ports_follow_one_another(tmp_path: Path) -> None:
    code, _, err = await ended(tmp_path, "rehearse", "--port", "65535")
    assert code == 2
    assert "not enough ports" in err


async def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    code, out, err = await ended(tmp_path, "rehearse", "nowhere.yaml", "--json")
    assert code == 2
    assert json.loads(out)["reason"]["code"] == "config_invalid"
    assert err.startswith("mmos: nowhere.yaml: no such file")
