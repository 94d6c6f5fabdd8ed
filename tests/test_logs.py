"""Logs: as much as was asked for, on stderr alone, with the ids of runs and calls; and never what people and models say, nor a key."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from mmos.cli.logs import Formatter, log_options
from mmos.logs import logger
from mmos.testing import Call, Host, Model, Turn, serve
from tests.shell import Ended, command, finish

CANARY = "CANARYWORD"
KEY = "sk-canary-0123456789"
CONSULT = [Call("consult_coding_specialist", {"query": f"{CANARY} how?", "context": CANARY})]
TURNS: list[Turn] = [[Call(f"invented_{CANARY}", {"word": CANARY})], CONSULT, f"The answer is {CANARY}."]


class At:
    """A folder with a configuration of two hosts, one of them behind a key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def mmos(self, *args: str, **environ: str) -> Ended:
        return await command(self.folder, *args, **{"CANARY_KEY": KEY, **environ})


@asynccontextmanager
async def fleet(folder: Path, turns: list[Turn] | None = None, answers: list[Turn] | None = None) -> AsyncIterator[At]:
    near = Host("near", [Model.scripted("thinker", turns or TURNS)])
    far = Host("far", [Model.scripted("coder", answers or [f"Thus, {CANARY}."])])
    async with serve(near) as near_url, serve(far) as far_url:
        config: dict[str, Any] = {
            "servers": {"near": {"url": near_url}, "far": {"url": f"{far_url}/v1", "kind": "openai", "api_key_env": "CANARY_KEY"}},
            "arbiter": {"model": "thinker", "server": "near"},
            "specialists": {"coding": {"model": "coder", "server": "far"}},
        }
        (folder / "orchestration.yaml").write_text(yaml.safe_dump({"orchestration": config}))
        yield At(folder)


def lines(ended: Ended) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ended.err.splitlines()]


# ---------------------------------------------------------------- how much


async def test_without_a_wish_nothing_is_logged_while_nothing_is_wrong(tmp_path: Path) -> None:
    async with fleet(tmp_path) as at:
        ended = await at.mmos("run", f"Say {CANARY}.")
    assert (ended.code, ended.err) == (0, "")


async def test_v_tells_of_runs_and_calls_and_vv_of_every_step(tmp_path: Path) -> None:
    async with fleet(tmp_path, TURNS * 2, [f"{CANARY}."] * 2) as at:
        once, twice = await at.mmos("run", "-v", "Why?"), await at.mmos("run", "-vv", "Why?")
    told = ["run_begun", "model_replied", "call_finished", "run_ended"]
    assert all(word in once.err for word in told)
    assert "[debug" not in once.err
    assert all(word in twice.err for word in [*told, "model_asked", "call_served", "lane_closed"])
    assert (once.code, once.out) == (twice.code, twice.out)


async def test_json_lines_carry_the_run_and_its_calls(tmp_path: Path) -> None:
    async with fleet(tmp_path) as at:
        ended = await at.mmos("run", "-vv", "--log-json", "--json", "Why?")
    found = lines(ended)
    run = ended.document["run"]
    assert {line["run"] for line in found if line["logger"] in ("mmos.run", "mmos.facts")} == {run}
    assert all({"time", "level", "logger", "event"} <= line.keys() for line in found)
    finished = [line for line in found if line["event"] == "call_finished"]
    assert [(line["ok"], line.get("tool")) for line in finished] == [(False, None), (True, "consult_coding_specialist")]
    assert {line["call"] for line in finished} == {line["call"] for line in found if line["event"] == "call_started"}
    (reply,) = [line for line in found if line["event"] == "model_replied" and line["role"] == "coding"]
    assert (reply["model"], reply["host"], reply["level"]) == ("coder", "far", "info")
    assert reply["seconds"] > 0


async def test_the_environment_may_say_it(tmp_path: Path) -> None:
    async with fleet(tmp_path, TURNS * 4, [f"{CANARY}."] * 4) as at:
        part = await at.mmos("run", "--log-json", "Why?", MMOS_LOG="warning,fleet=debug")
        whole = await at.mmos("run", "Why?", MMOS_LOG="info:json")
        less = await at.mmos("run", "-v", "Why?", MMOS_LOG="debug:json")
        quiet = await at.mmos("run", "Why?", MMOS_LOG="error")
    assert {line["logger"] for line in lines(part)} == {"mmos.fleet"}
    assert {line["level"] for line in lines(whole)} == {"info"}
    assert {line["level"] for line in lines(less)} == {"info"}
    assert quiet.err == ""


async def test_a_wish_that_nobody_understands_is_refused(tmp_path: Path) -> None:
    async with fleet(tmp_path) as at:
        ended = await at.mmos("runs", "list", MMOS_LOG="inof")
    assert (ended.code, ended.out) == (2, "")
    assert "MMOS_LOG: 'inof' is not a level. Allowed: debug, info, warning, error, critical; did you mean info?" in ended.err


@pytest.mark.parametrize(
    ("verbose", "spec", "level", "parts", "as_json"),
    [
        (0, "", "WARNING", {}, False),
        (1, "", "INFO", {}, False),
        (3, "error", "DEBUG", {}, False),
        (0, " Info ", "INFO", {}, False),
        (0, "json", "WARNING", {}, True),
        (0, "debug:json", "DEBUG", {}, True),
        (0, "hosts.openai=info", "WARNING", {"mmos.hosts.openai": "INFO"}, False),
        (1, "mmos.fleet=debug, run=error :json", "INFO", {"mmos.fleet": "DEBUG", "mmos.run": "ERROR"}, True),
    ],
)
def test_what_is_wanted(verbose: int, spec: str, level: str, parts: dict[str, str], as_json: bool) -> None:
    wish = log_options(verbose, False, spec)
    assert logging.getLevelName(wish.level) == level
    assert {name: logging.getLevelName(found) for name, found in wish.parts.items()} == parts
    assert wish.as_json == as_json


@pytest.mark.parametrize("spec", ["loud", "fleet=", "=debug=", "debug:xml", "info,,nonsense"])
def test_what_is_no_wish(spec: str) -> None:
    with pytest.raises(click.UsageError, match="MMOS_LOG"):
        log_options(0, False, spec)


# ---------------------------------------------------------------- what is never in them


@pytest.mark.parametrize("how", [(), ("--log-json",)])
async def test_neither_words_nor_keys_are_logged_at_any_level(tmp_path: Path, how: tuple[str, ...]) -> None:
    async with fleet(tmp_path) as at:
        ended = await at.mmos("run", "-vv", "--no-progress", *how, "--system", f"Mind {CANARY}.", "--thread", CANARY, f"What is {CANARY}?")
    assert (ended.code, ended.out) == (0, f"The answer is {CANARY}.\n")
    assert "run_ended" in ended.err
    assert CANARY not in ended.err
    assert KEY not in ended.err


async def test_neither_are_they_when_calls_fail(tmp_path: Path) -> None:
    async with fleet(tmp_path, answers=[f"{CANARY} " * 50]) as at:
        ended = await at.mmos("run", "-vv", f"What is {CANARY}?", CANARY_KEY="")
    assert "unauthorized" in ended.err
    assert CANARY not in ended.err.replace(f"The answer is {CANARY}", "")


# ---------------------------------------------------------------- how a line is written


def written(as_json: bool, **facts: Any) -> str:
    said: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(self.format(record))

    log = logging.getLogger(f"mmos.tests.{as_json}")
    kept = Kept()
    kept.setFormatter(Formatter(as_json))
    log.addHandler(kept)
    log.propagate = False
    log.setLevel(logging.INFO)
    logger(log.name).info("host_told", **facts)
    log.warning("plain %s", "words")
    log.removeHandler(kept)
    return "\n".join(said)


def test_a_host_cannot_steer_the_terminal_through_a_log() -> None:
    told = written(False, host="near\x1b[2J\x9b31m\u202e")
    assert "near" in told
    assert "\x1b[2J" not in told
    assert "\x9b" not in told
    assert "\u202e" not in told


def test_an_error_in_the_log_shows_no_values() -> None:
    record = logging.LogRecord("mmos.tests", logging.ERROR, "", 0, "it %s", ("broke",), None)
    try:
        secret = "sk-" + "canary"
        raise ValueError(f"\x1b[2J{len(secret)} signs")
    except ValueError:
        record.exc_info = sys.exc_info()
    told = Formatter(False).format(record)
    assert told.splitlines()[0].endswith("[error    ] it broke")
    assert told.endswith("ValueError: [2J9 signs")
    assert "sk-canary" not in told


def test_lines_of_others_are_written_alike() -> None:
    first, second = written(True, host="near", count=2).splitlines()
    assert {"event": "host_told", "host": "near", "count": 2, "level": "info"}.items() <= json.loads(first).items()
    assert {"event": "plain words", "level": "warning", "logger": "mmos.tests.True"}.items() <= json.loads(second).items()


async def test_a_silent_command_does_not_import_what_writes_logs(tmp_path: Path) -> None:
    program = (
        "import sys, mmos.app; from mmos.cli.main import mmos; mmos(['threads', 'list'], standalone_mode=False)\n"
        "print('structlog' in sys.modules)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith(("MMOS_", "COVERAGE_"))} | {"HOME": str(tmp_path)},
    )  # fmt: skip
    ended = await finish(process)
    assert ended.out.splitlines()[-1] == "False"
