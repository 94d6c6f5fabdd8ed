"""`mmos simulate` and `mmos runs export --trace` as users meet them: what they print, draw and end with."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mmos.simulation import png
from tests.shell import start

TODAY = """\
hosts:
  small: {vram_gb: 11, models: ["qwen2.5:14b"]}
  big: {vram_gb: 24, models: ["qwen2.5-coder:32b", "qwen2.5:32b"]}
"""
MORE = TODAY.replace("24", "64")


async def mmos(folder: Path, *args: str, interrupt: bytes = b"") -> tuple[int, str, str]:
    """`interrupt`: Ctrl-C as soon as this stands on stderr."""
    process = await start(folder, *args)
    assert process.stderr is not None
    async with asyncio.timeout(90):
        if interrupt:
            while interrupt not in await process.stderr.readline():
                assert process.returncode is None
            process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


class Outside(HTMLParser):
    """Whatever a page would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        asks = [name for name, _ in attrs if name in ("src", "href", "data", "action") or name.startswith("on")]
        self.found += [tag] if tag in ("script", "link", "img", "iframe", "object") else asks


async def test_two_fleets_are_compared_in_one_document(tmp_path: Path) -> None:
    (tmp_path / "today.yaml").write_text(TODAY)
    (tmp_path / "more.yaml").write_text(MORE)
    words = ("--generate", "jobs=6 rate=0.2/s output=120", "--fleet", "today.yaml", "--fleet", "more.yaml")
    code, out, err = await mmos(tmp_path, "simulate", *words, "--json", "--output", "drawn")
    assert code == 0, err
    document: dict[str, Any] = json.loads(out)
    assert (document["version"], document["seed"], document["calls"]) == (1, 0, 24)
    today, more = document["fleets"]
    assert (today["fleet"], more["fleet"]) == ("today", "more")
    assert today["job_times"]["jobs"] == more["job_times"]["jobs"] == 6
    assert sum(host["swaps"] for host in today["hosts"]) > 0
    assert sum(host["swaps"] for host in more["hosts"]) == 0
    assert more["job_times"]["mean"] <= today["job_times"]["mean"]
    assert {model["model"] for model in today["models"]} == {"qwen2.5:14b", "qwen2.5-coder:32b", "qwen2.5:32b"}
    assert document["files"]["html"] == "drawn/simulation.html"
    page = (tmp_path / "drawn" / "simulation.html").read_text(encoding="utf-8")
    watch = Outside()
    watch.feed(page)
    assert watch.found == []
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", page)
    root = ElementTree.fromstring(page.partition("\n")[2])  # well-formed as XML, too
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"today", "more", "small", "big", "qwen2.5:14b"} <= texts
    again = json.loads((await mmos(tmp_path, "simulate", *words, "--json", "--output", "drawn"))[1])
    assert again == document, "the same seed gives the same figures"


async def test_people_get_tables(tmp_path: Path) -> None:
    code, out, _ = await mmos(tmp_path, "simulate", "--generate", "jobs=2 consult=0 output=50")
    assert code == 0
    assert re.search(r"^ollama01 +2 ", out, re.MULTILINE)
    assert "html: simulation/simulation.html" in out


async def test_the_trace_of_a_run_replays(tmp_path: Path) -> None:
    """What happened on a rehearsed fleet happens alike on a pretended one."""
    state = ("--state", "state")
    for task in ("Is it better to use threads or tasks?", "Write a function that reverses a text."):
        assert (await mmos(tmp_path, "run", "--rehearse", "--time-scale", "100", *state, task))[0] == 0
    code, out, _ = await mmos(tmp_path, "runs", "export", "--all", "--trace", *state)
    assert code == 0
    calls = [json.loads(line) for line in out.splitlines()]
    assert len({call["run"] for call in calls}) == 2
    first = [call for call in calls if call["run"] == calls[0]["run"]]
    asked, *consulted, summed_up = first
    assert (asked["role"], asked["after"], asked["at"]) == ("arbiter", [], pytest.approx(0, abs=30))
    assert [call["after"] for call in consulted] == [[asked["id"]]] * len(consulted)
    assert len(consulted) == 2
    assert sorted(summed_up["after"]) == sorted(call["id"] for call in consulted)
    assert all(call["prompt_tokens"] > 0 and call["output_tokens"] > 0 and call["window"] > 0 and call["host"] for call in calls)
    assert "content" not in out, "a trace holds no text"
    assert "threads or tasks" not in out
    (tmp_path / "trace.jsonl").write_text(out)
    code, out, err = await mmos(tmp_path, "simulate", "--trace", "trace.jsonl", "--json")
    assert code == 0, err
    (fleet,) = json.loads(out)["fleets"]
    assert (fleet["calls"], fleet["failed"]) == (len(calls), 0)
    assert {model["model"].removesuffix(":latest") for model in fleet["models"]} == {call["model"] for call in calls}
    only = await mmos(tmp_path, "runs", "export", calls[0]["run"], "--trace", *state)
    assert [json.loads(line)["id"] for line in only[1].splitlines()] == [call["id"] for call in first]


async def test_another_model_can_take_the_place_of_one(tmp_path: Path) -> None:
    words = ("--generate", "jobs=2 consult=1 arbiter=giant:70b specialists=qwen2.5:32b output=40")
    code, _, err = await mmos(tmp_path, "simulate", *words)
    assert code == 2
    assert "No host of the default fleet has giant:70b." in err
    assert "--model OLD=NEW" in err
    code, out, _ = await mmos(tmp_path, "simulate", *words, "--model", "giant:70b=qwen2.5:14b")
    assert code == 0
    assert "qwen2.5:14b" in out


async def test_ctrl_c_prints_what_there_is(tmp_path: Path) -> None:
    words = ("simulate", "--generate", "jobs=400 rate=1/s", "--json")
    code, out, err = await mmos(tmp_path, *words, interrupt=b"simulating")
    assert code == 130
    (fleet,) = json.loads(out)["fleets"]
    assert 0 < fleet["calls"] < 1600
    assert fleet["calls"] + fleet["unfinished"] == 1600
    assert "calls were not replayed" in err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "no workload to replay"),
        (["--trace", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["--generate", "job=1"], "did you mean 'jobs'"),
        (["--fleet", "nowhere.yaml", "--generate", "jobs=1"], "nowhere.yaml: no such file"),
        (["--generate", "jobs=1", "--model", "a"], "is not OLD=NEW"),
    ],
)
async def test_wrong_usage_is_told(tmp_path: Path, args: list[str], said: str) -> None:
    code, out, err = await mmos(tmp_path, "simulate", *args)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


async def test_export_wants_runs_or_all_of_them(tmp_path: Path) -> None:
    code, _, err = await mmos(tmp_path, "runs", "export", "--state", "state")
    assert code == 2
    assert "--all" in err


async def test_without_pillow_it_says_so_and_with_it_draws(tmp_path: Path) -> None:
    code, out, err = await mmos(tmp_path, "simulate", "--generate", "jobs=1 consult=0 output=20", "--json")
    assert code == 0
    if png.can_draw():
        assert (tmp_path / json.loads(out)["files"]["png"]).read_bytes().startswith(b"\x89PNG")
    else:
        assert json.loads(out)["files"]["png"] is None
        assert "Pillow is not installed" in err
