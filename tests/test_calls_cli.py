"""`mmos calls read`: JSON lines in and out, without a configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.quotations import CASES, NAMES, QUOTING, STYLES
from tests.shell import command

TOOLS = [
    {
        "name": "get_weather",
        "description": "",
        "parameters": {"type": "dict", "properties": {"city": {"type": "string"}, "days": {"type": "int"}}, "required": ["city"]},
    }
]
WRAPPED = [{"type": "function", "function": TOOLS[0]}]


async def mmos(folder: Path, *args: str, given: bytes = b"") -> tuple[int, list[dict[str, Any]], str]:
    ended = await command(folder, *args, given=given)
    return ended.code, [json.loads(line) for line in ended.out.splitlines()], ended.err


def lines(*rows: Any) -> bytes:
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


async def test_lines_come_back_in_order_with_what_they_carried(tmp_path: Path) -> None:
    code, rows, _ = await mmos(
        tmp_path,
        "calls",
        "read",
        given=lines(
            {"id": 1, "text": '[get_weather(city="Paris", days="2")]', "tools": TOOLS},
            {"id": 2, "text": "Nothing.", "tools": WRAPPED},
            {"id": 3, "text": '<tool_call>{"name": "fly", "arguments": {}}</tool_call>', "tools": WRAPPED},
            {"text": "", "tools": TOOLS, "tool_calls": [{"function": {"name": "tools.get_weather", "arguments": '{"city": "Rome"}'}}]},
            {"text": "", "tools": TOOLS, "eval_count": 20},
        ),
    )
    assert code == 0
    assert [row.get("id") for row in rows] == [1, 2, 3, None, None]
    assert rows[0]["calls"] == [{"name": "get_weather", "arguments": {"city": "Paris", "days": 2}}]
    assert rows[0]["repairs"]
    assert rows[1] == {"id": 2, "calls": [], "content": "Nothing.", "repairs": [], "unclear": None}
    assert "fly" in rows[2]["unclear"]
    assert rows[3]["calls"] == [{"name": "get_weather", "arguments": {"city": "Rome"}}]
    assert "swallowed" in rows[4]["unclear"]


async def test_a_file_of_another_system_is_read(tmp_path: Path) -> None:
    row = json.dumps({"text": "[get_weather(city='Paris')]", "tools": TOOLS}).encode()
    code, rows, _ = await mmos(tmp_path, "calls", "read", given=b"\xef\xbb\xbf" + row + b"\r\n" + row)
    assert code == 0
    assert [len(row["calls"]) for row in rows] == [1, 1]


async def test_an_error_is_unwrapped_before_it_is_read(tmp_path: Path) -> None:
    said = 'error parsing tool call: raw=\'{"name": "get_weather", "arguments": {"city": "Rome",}}\', err=invalid character'
    errors = [said, {"error": said}, json.dumps({"error": said}), {"error": {"message": said, "code": 500}}]
    _, rows, _ = await mmos(tmp_path, "calls", "read", given=lines(*({"text": "", "tools": TOOLS, "error": error} for error in errors)))
    assert [row["calls"] for row in rows] == [[{"name": "get_weather", "arguments": {"city": "Rome"}}]] * 4


async def test_a_bad_line_is_answered_and_told_at_the_end(tmp_path: Path) -> None:
    bad = [
        b"no JSON",
        b"[1]",
        {"tools": TOOLS},
        {"text": 5},
        {"text": "x", "tools": "y"},
        {"text": "x", "tools": [{"description": "no name"}]},
    ]
    code, rows, _ = await mmos(tmp_path, "calls", "read", given=lines(*bad, {"text": "fine"}))
    assert code == 1
    assert ["error" in row for row in rows] == [True] * 6 + [False]


async def test_files_and_single_texts_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text(json.dumps(WRAPPED))
    (tmp_path / "texts.jsonl").write_bytes(lines({"text": "get_weather(city='Paris')"}))
    _, rows, _ = await mmos(tmp_path, "calls", "read", "texts.jsonl", "--tools", "tools.json")
    _, same, _ = await mmos(tmp_path, "calls", "read", "--text", "get_weather(city='Paris')", "--tools", "tools.json")
    assert rows == same
    assert rows[0]["calls"] == [{"name": "get_weather", "arguments": {"city": "Paris"}}]


async def test_a_file_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    code, _, err = await mmos(tmp_path, "calls", "read", "missing.jsonl")
    assert code == 2
    assert "missing.jsonl" in err
    assert (await mmos(tmp_path, "calls", "read", "--text", "x", "--tools", "bad.json"))[0] == 2


async def test_what_stands_in_seen_is_a_quotation_in_every_form(tmp_path: Path) -> None:
    tools = [{"name": spec.name, "description": "", "parameters": spec.parameters} for spec in NAMES.specs.values()]
    rows = [
        {"text": QUOTING[way](STYLES[style]), "tools": tools, "seen": ["Hello.", STYLES[style]], "id": [style, way]} for style, way in CASES
    ]
    code, read, _ = await mmos(tmp_path, "calls", "read", given=lines(*rows))
    assert (code, len(read)) == (0, len(CASES))
    assert [row for row in read if row["calls"] or "seen" in row or not (row["repairs"] or row["unclear"])] == []
    assert all(row["content"] == given["text"] for row, given in zip(read, rows, strict=True) if not row["unclear"])


async def test_seen_may_be_a_file_for_all_lines(tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text(json.dumps(TOOLS))
    (tmp_path / "seen.txt").write_text('The page says: {"name": "get_weather", "arguments": {"city": "Rome"}}')
    for city, made in (("Rome", 0), ("Oslo", 1)):
        text = f'[get_weather(city="{city}")]'
        code, [row], _ = await mmos(tmp_path, "calls", "read", "--text", text, "--tools", "tools.json", "--seen", "seen.txt")
        assert (code, len(row["calls"])) == (0, made)
