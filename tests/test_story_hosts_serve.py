"""Stories of `mmos hosts serve`: an Ollama server for each GPU, which dies with MMOS and starts again when it dies alone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmos.gpus import processes
from tests import nvml, ollama_double
from tests.nvml import GIB, Board
from tests.shell import Ended, command, finish, start


def free_port() -> int:
    """The first of two ports that are free."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


async def until(condition: Any) -> Any:
    async with asyncio.timeout(30):
        while not (value := condition()):
            await asyncio.sleep(0.02)
        return value


def notes(folder: Path, port: int) -> dict[str, Any]:
    return json.loads((folder / f"{port}.json").read_text())


def gone(*pids: int) -> bool:
    return not any(processes.started(pid) for pid in pids)


@asynccontextmanager
async def serving(
    folder: Path, *args: str, cold: bool = False, **environ: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    process = await start(folder, "hosts", "serve", "--json", *args, cold=cold, **environ)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            line = await process.stdout.readline()
        if not line:
            pytest.fail((await process.communicate())[1].decode())
        yield process, json.loads(line)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_each_choice_of_gpus_gets_a_server_that_sees_only_them(tmp_path: Path) -> None:
    port = free_port()
    environ = {**nvml.installed(tmp_path, Board(), Board(total=12 * GIB), Board(total=12 * GIB)), **ollama_double.installed(tmp_path)}
    args = ("--gpus", "0,1+2", "--port", str(port), "--models", "models", "--logs", "logs")
    async with serving(tmp_path, *args, **environ) as (process, shown):
        first, second = notes(tmp_path, port), notes(tmp_path, port + 1)
        status = await command(tmp_path, "gpu", "status", "--rehearse", "--json", **environ)
        process.send_signal(signal.SIGTERM)
        ended = await finish(process)
    assert shown["hosts"] == {
        "gpu0": {"url": f"http://127.0.0.1:{port}", "gpus": [0], "vram_gb": 24.0},
        "gpu1-2": {"url": f"http://127.0.0.1:{port + 1}", "gpus": [1, 2], "vram_gb": 24.0},
    }
    assert first["environment"] == {
        "CUDA_VISIBLE_DEVICES": "GPU-0",
        "CUDA_DEVICE_ORDER": None,
        "OLLAMA_HOST": f"127.0.0.1:{port}",
        "OLLAMA_MODELS": str(tmp_path / "models"),
        "OLLAMA_NOPRUNE": "1",
    }
    assert second["environment"]["CUDA_VISIBLE_DEVICES"] == "GPU-1,GPU-2"
    assert [(claim["name"], claim["gpus"]) for claim in status.document["claims"]] == [
        (f"gpu0:{port}", [0]),
        (f"gpu1-2:{port + 1}", [1, 2]),
    ]
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert gone(first["pid"], first["runner"], second["pid"], second["runner"]), "nothing is left"
    logs = {path.name: path.read_text() for path in (tmp_path / "logs").iterdir()}
    assert logs == {"gpu0.log": f"Listening on {port}\n", "gpu1-2.log": f"Listening on {port + 1}\n"}


async def test_people_get_lines_for_the_configuration_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    port, environ = free_port(), ollama_double.installed(tmp_path)
    process = await start(tmp_path, "hosts", "serve", "--gpus", "3", "--port", str(port), OLLAMA_NUM_PARALLEL="2", **environ)
    assert process.stdout is not None
    lines: list[str] = []
    async with asyncio.timeout(30):
        while not lines or "Ctrl-C" not in lines[-1]:
            lines.append((await process.stdout.readline()).decode())
    seen = notes(tmp_path, port)
    process.send_signal(signal.SIGINT)
    ended = await finish(process)
    shown = "".join(lines)
    section = shown.partition("For orchestration.yaml:\n")[2].partition("\n\n")[0]
    assert yaml.safe_load(section) == {"servers": {"gpu3": {"url": f"http://127.0.0.1:{port}", "gpus": [3], "parallel": 2}}}
    assert "0.34.4" in shown
    assert (ended.code, "cannot check the numbers of the GPUs" in ended.err) == (0, True)
    assert (seen["environment"]["CUDA_VISIBLE_DEVICES"], seen["environment"]["CUDA_DEVICE_ORDER"]) == ("3", "PCI_BUS_ID")
    assert gone(seen["pid"], seen["runner"])


@pytest.mark.parametrize("with_launcher", [False, True])
async def test_a_killed_command_leaves_no_server(tmp_path: Path, with_launcher: bool) -> None:
    port, environ = free_port(), ollama_double.installed(tmp_path)
    async with serving(tmp_path, "--gpus", "0", "--port", str(port), cold=True, **environ) as (process, _):
        seen = notes(tmp_path, port)
        assert not gone(seen["pid"], seen["runner"])
        launcher = list(processes.ancestors(seen["pid"]))[1]
        process.kill()
        if with_launcher:
            os.kill(launcher, signal.SIGKILL)
        await until(lambda: gone(launcher, seen["pid"], seen["runner"]))


async def test_a_server_that_dies_starts_again(tmp_path: Path) -> None:
    port, environ = free_port(), ollama_double.installed(tmp_path)
    async with serving(tmp_path, "--gpus", "0", "--port", str(port), **environ) as (process, _):
        before = notes(tmp_path, port)
        os.kill(before["pid"], signal.SIGKILL)
        await until(lambda: notes(tmp_path, port)["pid"] != before["pid"])
        after = notes(tmp_path, port)
        assert process.stderr is not None
        said = b"".join([await process.stderr.readline() for _ in range(3)]).decode()  # the first one: there is no GPU here
        assert gone(before["pid"], before["runner"]), "the process of a model does not outlive its server"
        assert not gone(after["pid"])
        process.terminate()
        await finish(process)
    assert "gpu0 ended (signal SIGKILL). Its last words: Listening on" in said
    assert "It starts again in 1 s." in said
    assert "gpu0 answers again, version 0.34.4." in said


async def test_a_server_that_does_not_start_says_its_last_words(tmp_path: Path) -> None:
    environ = {**ollama_double.installed(tmp_path), ollama_double.FAILS: "no space left on device"}
    ended = await command(tmp_path, "hosts", "serve", "--gpus", "0,1", "--port", str(free_port()), "--json", **environ)
    assert (ended.code, ended.document["reason"]["code"]) == (4, "host_unreachable")
    assert "gpu" in ended.err
    assert "ended (exit code 1). Its last words: Error: no space left on device" in ended.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--gpus", "0", "--port", "{taken}"), "cannot listen on port {taken}: address already in use"),
        (("--gpus", "0", "--ollama", "nowhere/ollama"), "nowhere/ollama: there is no such program"),
        (("--gpus", "0", "--port", "65535", "--gpus", "1"), "not enough ports"),
        (("--gpus", "one"), "'one' names no GPU"),
        (("--gpus", "0,1,0"), "GPU 0 is named twice"),
        ((), "Missing option '--gpus'"),
    ],
)
async def test_wrong_usage_starts_nothing(tmp_path: Path, args: tuple[str, ...], words: str) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = str(busy.getsockname()[1])
        ended = await command(tmp_path, "hosts", "serve", *(arg.format(taken=taken) for arg in args), **ollama_double.installed(tmp_path))
    assert ended.code == 2
    assert words.format(taken=taken) in ended.err


async def test_a_gpu_that_is_held_or_missing_is_refused(tmp_path: Path) -> None:
    environ = {**nvml.installed(tmp_path, Board(computing={9: GIB})), **ollama_double.installed(tmp_path)}
    (tmp_path / "orchestration.yaml").write_text("orchestration: {arbiter: {model: m}, gpu: {allow_shared_gpu: false}}")

    async def serve(gpus: str) -> Ended:
        return await command(tmp_path, "hosts", "serve", "--gpus", gpus, "--port", str(free_port()), **environ)

    held, missing = await serve("0"), await serve("4")
    assert (held.code, "GPU 0: held by process 9." in held.err) == (4, True)
    assert (missing.code, "This machine has no GPU 4. GPUs: 0." in missing.err) == (2, True)


async def test_without_ollama_it_says_what_to_install(tmp_path: Path) -> None:
    ended = await command(tmp_path, "hosts", "serve", "--gpus", "0", PATH=str(tmp_path))
    assert (ended.code, "no `ollama` on your PATH" in ended.err, "https://ollama.com/download" in ended.err) == (2, True, True)


async def test_options_before_serve_are_not_lost(tmp_path: Path) -> None:
    ended = await command(tmp_path, "hosts", "--json", "serve", "--gpus", "0")
    assert (ended.code, "Write options after 'serve'" in ended.err) == (2, True)
