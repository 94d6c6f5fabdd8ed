"""`mmos classify`: a text, JSON lines, and the rules of the configuration."""

from __future__ import annotations

import json
from pathlib import Path

from tests.shell import command

CONFIGURATION = """\
orchestration:
  arbiter: {model: "qwen2.5:14b"}
  specialists:
    coding: {model: "qwen2.5-coder:32b"}
    reasoning: {model: "qwen2.5:32b"}
  routing:
    rules:
      - {condition: "task.complexity > 8", specialist: reasoning}
      - {condition: "task.type == 'bug_fixing'", specialist: coding}
      - {condition: "task.requires_speed", specialist: reasoning}
"""


async def test_a_text(tmp_path: Path) -> None:
    ended = await command(tmp_path, "classify", "What is a mutex?")
    assert ended.code == 0
    assert ended.out.startswith("simple_query  9")
    assert "complexity  1 of 10 (4 words)" in ended.out
    document = (await command(tmp_path, "classify", "--json", given=b"Fix the crash in app.py when the list is empty\n")).document
    assert (document["version"], document["type"], document["sure"], document["languages"]) == (1, "bug_fixing", True, ["python"])
    assert document["why"]


async def test_json_lines(tmp_path: Path) -> None:
    rows = ['{"text": "Write a Python function", "id": 12345678901234567890, "type": "old"}', "[1]", '{"txt": 1}', '{"text": "\\ud800"}']
    (tmp_path / "texts.jsonl").write_text("\n\n".join(rows))
    ended = await command(tmp_path, "classify", "--jsonl", "texts.jsonl")
    answers = [json.loads(line) for line in ended.out.splitlines()]
    assert ended.code == 1
    assert answers[0]["id"] == 12345678901234567890
    assert answers[0]["type"] == "code_generation"
    assert ["error" in answer for answer in answers] == [False, True, True, False]
    assert answers[3]["type"] is None


async def test_the_rule_that_a_text_meets(tmp_path: Path) -> None:
    (tmp_path / "orchestration.yaml").write_text(CONFIGURATION)
    shown = await command(tmp_path, "classify", "--rules", "Fix the crash when the list is empty")
    assert [line.split()[:5] for line in shown.out.splitlines()[-2:]] == [
        ["1", "no", "advises", "specialist", "reasoning"],
        ["2", "yes", "advises", "specialist", "coding"],
    ]
    assert "task.type is bug_fixing" in shown.out
    given = b'{"text": "Fix the crash when the list is empty"}\n{"text": "What is a mutex?"}\n'
    ended = await command(tmp_path, "classify", "--rules", "--jsonl", given=given)
    first, second = (json.loads(line) for line in ended.out.splitlines())
    assert (ended.code, first["rule"], second["rule"]) == (0, 2, None)
    assert [rule["holds"] for rule in second["rules"]] == [False, False, False]


CLASSES = """\
    classes:
      haiku:
        examples: ["Write a haiku about the sea", "a haiku on autumn", "Compose me a haiku for my sister"]
        base_complexity: 7
      odd: {examples: ["Fix the login", "Write a README", "What is a monad?"]}
"""


async def test_classes_of_the_configuration(tmp_path: Path) -> None:
    rule = """      - {condition: "task.type == 'Haiku'", specialist: reasoning}\n"""
    (tmp_path / "orchestration.yaml").write_text(CONFIGURATION + rule + CLASSES)
    shown = await command(tmp_path, "classify", "--rules", "a haiku about rain")
    assert shown.out.startswith("haiku  ")
    assert "complexity  7 of 10" in shown.out
    assert "'haiku'" in shown.out
    assert shown.out.splitlines()[-1].split()[:5] == ["4", "yes", "advises", "specialist", "reasoning"]
    document = (await command(tmp_path, "classify", "--json", "a haiku about rain")).document
    assert document["type"] == "haiku"
    assert document["chances"]["haiku"] > 0.5
    checked = await command(tmp_path, "config", "check", "--offline")
    assert checked.code == 0
    assert "orchestration.routing.classes.odd.examples: by the other examples, MMOS recognizes none of these 3" in checked.err
    assert "haiku" not in checked.err


ACTIONS = """\
orchestration:
  arbiter: {model: "qwen2.5:14b"}
  specialists: {coding: {model: "qwen2.5-coder:32b"}, reasoning: {model: "qwen2.5:32b"}}
  routing:
    enforce: true
    rules:
      - {condition: "not response.empty", specialist: coding}
      - {condition: "task.complexity > 9", strategy: single, enforce: false}
      - {condition: "task.complexity + 1 > 1", prefer: [coding, reasoning], model: "qwen2.5:32b"}
"""


async def test_what_a_rule_does(tmp_path: Path) -> None:
    (tmp_path / "orchestration.yaml").write_text(ACTIONS)
    shown = (await command(tmp_path, "classify", "--rules", "What is a mutex?")).out.splitlines()
    assert shown[-3].split()[:3] == ["1", "later", "orders"]
    assert "advises strategy single" in shown[-2]
    assert "orders prefer coding, reasoning, model qwen2.5:32b" in shown[-1]
    document = (await command(tmp_path, "classify", "--rules", "--json", "What is a mutex?")).document
    assert document["rule"] == 3
    assert [rule["holds"] for rule in document["rules"]] == [False, False, True]
    assert document["rules"][2]["prefer"] == ["coding", "reasoning"]
    assert [rule["enforce"] for rule in document["rules"]] == [True, False, True]


async def test_a_configuration_without_classes_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "orchestration.yaml").write_text("broken: [")
    assert (await command(tmp_path, "classify", "What is a mutex?")).code == 0
    (tmp_path / "orchestration.yaml").write_text("broken: [\n# classes")
    ended = await command(tmp_path, "classify", "What is a mutex?")
    assert ended.code == 2
    assert "orchestration.yaml:3" in ended.err


async def test_wrong_usage(tmp_path: Path) -> None:
    for args, words in (
        ([], "There is no text."),
        (["--jsonl", "none.jsonl"], "none.jsonl cannot be read: no such file or directory."),
        (["text", "--jsonl", "-"], "cannot be used together"),
    ):
        ended = await command(tmp_path, "classify", *args)
        assert (ended.code, ended.out) == (2, "")
        assert words in ended.err
