"""Fleet files: what they make, and that everything wrong with one is told at once, each with its line."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from mmos.errors import ConfigError
from mmos.simulation.fleetfile import Machines, built_in, read_fleet

DOCS = Path(__file__).parent.parent / "docs" / "simulate.md"

WRONG = """\
hosts:
  a:
    vram_gb: lots
    profil: 0.33
    models: ["qwen2.5:14", {size_gb: 3}, {name: x, rules: [{when: {turm: 1}, do: {say: hi}}]}]
    faults: [{kind: slwo}, {kind: status, status: "500"}]
    keep_alive: banana
  b:
    port: 99999
    profile: 0.12
  "c d": {models: []}
orchestration:
  arbiter: {modle: x, server: aa}
  servers: {}
time_scale: -1
"""


def read(folder: Path, text: str) -> Machines:
    path = folder / "fleet.yaml"
    path.write_text(text, encoding="utf-8")
    return read_fleet(path)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_a_whole_file_makes_hosts(tmp_path: Path) -> None:
    text = """
time_scale: 50
hosts:
  one:
    vram_gb: 24
    disk_gbps: 2.5
    prefill: 1000
    decode: 50
    speed: 2
    parallel: 4
    max_loaded: 2
    max_queue: 8
    profile: 0.34
    keep_alive: 10m
    port: 12345
    models:
      - qwen2.5:14b
      - {name: "mine:7b", like: "qwen2.5:14b", size_gb: 4.7, layers: 28, kv_heads: 4, context_length: 8192, decode: 90}
      - {name: own, capabilities: [completion], default: Good day., system: Be kind., template: either, path: native, named_tools: false, broken: garbage}
    faults: [{kind: slow, factor: 3}]
  two: {models: [nomic-embed-text], time_scale: 1, keep_alive: -1}
"""
    one, two = read(tmp_path, text).machines
    host = one.host(one.time_scale or 1)
    assert (host.vram_gb, host.disk_gbps, host.parallel, host.max_loaded, host.max_queue) == (24, 2.5, 4, 2, 8)
    assert (host.profile, host.keep_alive, host.speed_factor, host.time_scale, one.port) == ("0.34", 600, 2, 50, 12345)
    known, mine, own = host.models
    assert (known.speed.prefill, known.speed.decode) == (1000, 50)
    assert (mine.name, mine.size, mine.architecture.layers, mine.architecture.kv_heads) == ("mine:7b", 4_700_000_000, 28, 4)
    assert (mine.speed.decode, mine.context_length, mine.family) == (90, 8192, known.family)
    assert (own.default, own.capabilities, own.system) == ("Good day.", ["completion"], "Be kind.")
    assert (own.template, own.path, own.named_tools, own.broken) == ("either", "native", False, "garbage")
    assert [fault["kind"] for fault in host.faults.to_json()] == ["slow"]
    assert (two.time_scale, two.host(1).keep_alive) == (1, math.inf)


def test_all_that_is_wrong_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    told = problems(tmp_path, WRONG)
    expected = [
        'fleet.yaml:3: hosts.a.vram_gb: found "lots" (a string), allowed: gigabytes',
        "fleet.yaml:4: hosts.a.profil: 'profil' is not a key here; did you mean 'profile'? Allowed: models, ",
        'fleet.yaml:5: hosts.a.models[0]: found "qwen2.5:14" (a string), allowed: a built-in persona',
        "fleet.yaml:5: hosts.a.models[1].name: 'name' is missing",
        "fleet.yaml:5: hosts.a.models[2].rules: ",
        'fleet.yaml:6: hosts.a.faults[0].kind: found "slwo" (a string), allowed: ',
        'fleet.yaml:6: hosts.a.faults[1].status: found "500" (a string), allowed: a whole number',
        'fleet.yaml:7: hosts.a.keep_alive: found "banana" (a string)',
        "fleet.yaml:8: hosts.b.models: 'models' is missing",
        "fleet.yaml:9: hosts.b.port: found 99999 (a whole number), allowed: a port",
        'fleet.yaml:10: hosts.b.profile: found "0.12" (a string), allowed: 0.13, ',
        "fleet.yaml:11: hosts.c d: 'c d' cannot be a name here",
        "fleet.yaml:11: hosts.c d.models: found a list, allowed: at least one entry",
        "fleet.yaml:13: orchestration.arbiter.model: 'model' is missing",
        "fleet.yaml:13: orchestration.arbiter.modle: 'modle' is not a key here; did you mean 'model'?",
        'fleet.yaml:13: orchestration.arbiter.server: found "aa" (a string), allowed: a host of this file',
        "fleet.yaml:14: orchestration.servers: the hosts of this file are the servers",
        "fleet.yaml:15: time_scale: found -1 (a whole number), allowed: a number more than 0",
    ]
    assert len(told) == len(expected)
    assert [beginning for beginning, said in zip(expected, told, strict=True) if not said.startswith(beginning)] == []
    assert "did you mean 'qwen2.5:14b'?" in told[2]
    assert "'turm'" in told[4]
    assert "did you mean 'turn'" in told[4]
    assert "did you mean 'slow'" in told[5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hosts: {a: {models: [x], models: [y]}}", "'models' appears twice"),
        ("hosts: {a: {models: !!set {x}}}", "the YAML tag !!set is not allowed"),
        ("", "the file is empty"),
        ("hosts: {}", "allowed: at least one entry"),
        ("hosts: {a: {models: [llama3.1:8b], port: 5000}, b: {models: [llama3.1:8b], port: 5000}}", "which 'a' already uses"),
        ("hosts: {a: {models: [llama3.1:8b, llama3.1:8b]}}", "'llama3.1:8b' is here twice"),
        ("hosts: {a: {models: [5]}}", "found 5 (a whole number), allowed: a mapping of keys"),
        ("hosts: [a]", "found a list, allowed: a mapping of names"),
        ("a: 1", "'hosts' is missing"),
    ],
)
def test_what_no_file_may_hold(tmp_path: Path, text: str, said: str) -> None:
    assert said in "\n".join(problems(tmp_path, text))


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_bytes(b"hosts:\n  a: \xff\n")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        read_fleet(path)


def test_the_built_in_fleet_is_the_one_of_the_rehearsal() -> None:
    machines = {machine.name: machine.traits["vram_gb"] for machine in built_in().machines}
    assert machines == {"ollama01": 11, "ollama02": 24}


def test_the_fleet_files_of_the_documents_load(tmp_path: Path) -> None:
    examples = [
        text
        for text in re.findall(r"^```text\n(.*?)^```$", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        if "\nhosts:" in f"\n{text}"
    ]
    assert examples
    assert all(read(tmp_path, text).machines for text in examples)
