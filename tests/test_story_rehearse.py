"""Stories of `--rehearse` with a configuration: every server of it is played here, and the real ones are never asked."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from mmos.app import RunOptions, open_app
from mmos.cli.main import main
from mmos.config.load import load
from mmos.simulation.playing import played

FILE = """\
orchestration:
  servers:
    cloud: {{url: "http://127.0.0.1:{port}/v1", kind: openai, api_key_env: NO_SUCH_KEY_HERE, headers: {{Authorization: "Bearer hush"}}}}
    big: {{url: "http://127.0.0.1:{port}", vram_gb: 11, parallel: 2}}
    here: {{kind: embedded, models: {{"tiny:1b": "nowhere.gguf"}}}}
  arbiter: {{model: "gpt-9", server: cloud, context_window: 65536}}
  specialists:
    coding: {{model: "mistral:7b", server: [big, elsewhere.invalid]}}
    translation: {{model: "aya:8b"}}
    small: {{model: "tiny:1b", server: here, channel: schema}}
  tools: ["clocks_of_mine:what_time"]
  prompts: words
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Where the real servers would be. Nobody accepts; a connection would wait to be accepted."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@pytest.fixture
def nothing_typed() -> Iterator[TextIO]:
    with Path(os.devnull).open() as stdin:
        yield stdin


@pytest.fixture
def folder(tmp_path: Path, listener: socket.socket, nothing_typed: TextIO, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with FILE in it, and another one to work in."""
    place, here = tmp_path / "place", tmp_path / "here"
    (place / "words").mkdir(parents=True)
    here.mkdir()
    (place / "file.yaml").write_text(FILE.format(port=listener.getsockname()[1]))
    (place / "clocks_of_mine.py").write_text(
        "import mmos\n@mmos.tool(after_crash='repeat')\ndef what_time(zone: str) -> str:\n    return f'noon in {zone}'\n"
    )
    (place / "words" / "arbiter.md").write_text("You are ours. {{ specialists }}")
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "stdin", nothing_typed)
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return place


def mmos(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def untouched(listener: socket.socket) -> bool:
    try:
        listener.accept()
    except BlockingIOError:
        return True
    return False


def test_a_file_is_rehearsed_with_its_roles_and_tools_and_nobody_else_is_asked(
    folder: Path, listener: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    rehearse = ("--rehearse", "-c", str(folder / "file.yaml"))
    code, out, err = mmos(capsys, "run", *rehearse, "--time-scale", "500", "--json", "Call what_time(zone=UTC).")
    document = json.loads(out)
    assert (code, document["answer"], document["rehearsed"]) == (0, "what_time says:\nnoon in UTC (rehearsed)", True), err
    code, out, _ = mmos(
        capsys, "run", *rehearse, "--time-scale", "500", "--json", "Write a function, and say how it is in the small, in translation."
    )
    consulted = {role["role"]: (role["model"], role["host"]) for role in json.loads(out)["roles"]}
    assert code == 0
    assert consulted["arbiter"] == ("gpt-9", "cloud")
    assert consulted["small"] == ("tiny:1b", "here")
    assert consulted["translation"][0] == "aya:8b"
    runs = json.loads(mmos(capsys, "runs", "list", "--json", "-c", str(folder / "file.yaml"))[1])["runs"]
    assert [run["rehearsed"] for run in runs] == [True, True]
    assert "answered, rehearsed" in mmos(capsys, "runs", "list", "-c", str(folder / "file.yaml"))[1]
    assert (folder / ".mmos" / "journal.db").exists()
    assert untouched(listener)


def test_every_command_rehearses_the_same_file(folder: Path, listener: socket.socket, capsys: pytest.CaptureFixture[str]) -> None:
    rehearse = ("--rehearse", "-c", str(folder / "file.yaml"))
    hosts = json.loads(mmos(capsys, "hosts", *rehearse, "--json")[1])["hosts"]
    assert {host["host"]: (host["kind"], host["vram_gb"], host["parallel"], host["reachable"]) for host in hosts} == {
        "cloud": ("openai", None, 4, True),
        "big": ("rehearsal", 11.0, 2, True),
        "here": ("rehearsal", None, 1, True),
        "elsewhere.invalid": ("rehearsal", None, 1, True),
    }
    models = json.loads(mmos(capsys, "models", "list", *rehearse, "--json")[1])
    assert {"gpt-9:latest", "mistral:7b", "aya:8b", "tiny:1b"} == {model["model"] for model in models["models"]}
    code, out, _ = mmos(capsys, "doctor", *rehearse, "--json")
    assert code == 0, out
    code, out, err = mmos(capsys, "config", "check", *rehearse)
    assert (code, out) == (0, f"{folder / 'file.yaml'} is valid.\n")
    assert "Nothing listens" not in err
    shown = mmos(capsys, "config", "show", *rehearse)[1]
    assert "hush" not in shown
    assert "kind: rehearsal  # rehearsed" in shown
    assert f"vram_gb: 11  # {folder / 'file.yaml'}:4" in shown
    assert untouched(listener)


@pytest.mark.parametrize(
    "command",
    [("run", "hi"), ("chat",), ("hosts",), ("models", "list"), ("config", "check"), ("config", "show"), ("doctor",)],
    ids=" ".join,
)
def test_a_file_that_is_not_there_or_broken_is_the_same_error_as_without(
    folder: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    (folder / "broken.yaml").write_text("orchestration: {arbiter: {modle: m}}")
    (folder / "words" / "arbiter.md").write_text("{{ nobody }}")
    names = ["nowhere.yaml", "broken.yaml", *(["file.yaml"] if command[0] in ("run", "chat", "doctor") or "check" in command else [])]
    for name in names:
        plain = mmos(capsys, *command, *(["--offline"] if "check" in command else []), "-c", str(folder / name))
        rehearsed = mmos(capsys, *command, "--rehearse", "-c", str(folder / name))
        assert plain[0] == rehearsed[0] == (1 if command == ("doctor",) else 2), name
        if command != ("doctor",):
            assert plain == rehearsed
        assert {"nowhere.yaml": "does not exist", "broken.yaml": "did you mean 'model'?", "file.yaml": "'nobody' is not a place"}[name] in (
            rehearsed[1] + rehearsed[2]
        )


def test_a_file_that_is_found_is_rehearsed_and_without_one_the_default_fleet(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def hosts() -> list[str]:
        return [host["host"] for host in json.loads(mmos(capsys, "hosts", "--rehearse", "--json")[1])["hosts"]]

    assert hosts() == ["ollama01", "ollama02"]
    assert mmos(capsys, "run", "--rehearse", "--time-scale", "500", "What is 2+3?")[0] == 0
    assert (tmp_path / "state" / "mmos" / "journal.db").exists()
    assert mmos(capsys, "config", "show", "--rehearse")[1].startswith("# In effect: rehearsal fleet\n")
    (folder / "file.yaml").rename(folder / "orchestration.yaml")
    monkeypatch.chdir(folder)
    assert hosts() == ["cloud", "big", "here", "elsewhere.invalid"]


def test_a_rehearsed_run_goes_on_with_its_own_file_or_fleet(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ask = ("--rehearse", "--time-scale", "500", "--on-question", "wait", "--state", str(tmp_path / "kept"), "Ask me: red or blue?")
    of_file = mmos(capsys, "run", *ask, "-c", str(folder / "file.yaml"))
    of_fleet = mmos(capsys, "run", *ask)
    assert (of_file[0], of_fleet[0]) == (3, 3)
    (folder / "file.yaml").rename(folder / "orchestration.yaml")
    monkeypatch.chdir(folder)
    gone = mmos(capsys, "runs", "answer", of_file[1].split()[-1], "Red.", "--state", str(tmp_path / "kept"))
    assert gone[0] == 2
    assert f"{folder / 'file.yaml'}, is no longer there.\nName a configuration: -c FILE" in gone[2]
    (folder / "file.yaml").symlink_to("orchestration.yaml")
    assert "Your answer is kept. To continue the run: mmos runs resume" in gone[2]
    for waiting, command, more, model in ((of_file, "resume", [], "gpt-9"), (of_fleet, "answer", ["Red."], "qwen2.5:14b")):
        code, out, err = mmos(capsys, "runs", command, waiting[1].split()[-1], *more, "--state", str(tmp_path / "kept"), "--json")
        roles = {role["role"]: role["model"] for role in json.loads(out)["roles"]}
        assert (code, roles["arbiter"]) == (0, model), err


async def test_prompts_of_the_file_are_used(folder: Path, listener: socket.socket) -> None:
    async with played(load(folder / "file.yaml", environ=os.environ), 500) as config, open_app(config, rehearsed=True) as app:
        assert app.cast(RunOptions())["arbiter"].system.startswith("You are ours.")
        assert app.config.servers()["cloud"].headers == {}
    assert untouched(listener)


async def test_the_judge_is_played_too(folder: Path) -> None:
    text = (folder / "file.yaml").read_text(encoding="utf-8")
    (folder / "judge.yaml").write_text(f"{text}  quality: {{judge: 'careful:9b'}}\n")
    async with played(load(folder / "judge.yaml", environ=os.environ), 500) as config, open_app(config, rehearsed=True) as app:
        assert "careful:9b" in {model.name for model in await app.models() if model.hosts}
