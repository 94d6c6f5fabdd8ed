"""Stories of replies and schemas that want to stop the clock: the run goes on, and Ctrl-C is heard."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from mmos.rehearsal.pieces import Raw
from mmos.testing import Model
from tests.shell import finish, shell

ONE_TOOL = [{"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}]
HOSTILE = {
    "quotes in fences": "~~~consult_coding_specialist(query='x=[" * 30_000,
    "brackets after a fence": "```\n" + "[" * 400_000,
    "calls in calls": "consult_coding_specialist({[" * 30_000,
}


def line(text: str, **more: Any) -> str:
    return json.dumps({"text": text, "tools": ONE_TOOL, **more}) + "\n"


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_reply_of_a_hostile_model_does_not_hold_up_the_run(tmp_path: Path, name: str) -> None:
    texts: dict[str, Any] = {"path": "native", "tag": "<nothing>"}
    hostile = Model.scripted("arbiter", [Raw(HOSTILE[name])] * 3, **texts)
    async with shell(tmp_path, {"arbiter": hostile, "coding": ["Hello."]}) as at:
        ended = await at.mmos("run", "Go.", "--json", "--timeout", "40")
        assert ended.document["status"] in ("answered", "failed", "partial"), ended.err
        assert (ended.document["reason"] or {}).get("code") != "timeout", "the run waited for what was read of it"


async def test_an_interrupt_is_heard_while_a_text_is_read(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["Hello."]}) as at:
        process = await at.start("calls", "read", stdin=asyncio.subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line("Begin.").encode() + line("~~~f(a='x=[" * 90_000).encode() * 50)
        await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        ended = await finish(process)
        assert ended.code == 130
        assert len(ended.out.splitlines()) < 10, "it went on with the texts that were left"
        assert "Traceback" not in ended.err


async def test_a_pattern_that_would_run_for_ever_is_answered(tmp_path: Path) -> None:
    parameters = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}, "patternProperties": {"^(b+)+$": {}}}
    tools = [{"name": "f", "parameters": parameters}]
    called = [json.dumps({"name": "f", "arguments": arguments}) for arguments in ({"a": "a" * 60 + "!"}, {"a": "aaa", "b" * 60 + "!": 1})]
    async with shell(tmp_path, {"arbiter": ["Hello."]}) as at:
        ended = await at.mmos("calls", "read", given="".join(line(each, tools=tools) for each in called).encode())
        first, second = map(json.loads, ended.out.splitlines())
        assert (ended.code, first["calls"], "of the form ^(a+)+$" in first["unclear"]) == (0, [], True)
        assert [call["name"] for call in second["calls"]] == ["f"]


ODD = [
    ('{"text": "half \\ud800", "id": "\\udfff"}', "half \ud800", {"id": "\udfff"}),
    ('{"text": "a", "n": %s, "m": 1.50, "text": "b"}' % ("9" * 6000), "b", {}),
    ('{"text": "deep", "d": %s}' % ("[" * 10_000 + "]" * 10_000), "deep", {}),
    ('{"text": "deep", "tools": [{"name": "f", "parameters": %s}]}' % ('{"items": ' * 10_000 + "{}" + "}" * 10_000), "deep", {}),
    ('{"text": "x", "tool_calls": [{"name": "f", "arguments": %s}], "tools": [{"name": "f"}]}' % ('{"a":' * 5000 + "1" + "}" * 5000), "x", {}),
    ('{"text": "x", "tools": [{"name": "\\ud800", "parameters": {"properties": {"\\ud800": {"enum": ["\\udfff"]}}}}]}', "x", {}),
    ('{"text": "x", "error": {"error": %s}, "eval_count": 1e400, "calls": 5}' % ("[" * 3000 + "]" * 3000), "x", {}),
]  # fmt: skip


async def test_every_line_of_json_is_answered(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["Hello."]}) as at:
        ended = await at.mmos("calls", "read", given="".join(given + "\n" for given, _, _ in ODD).encode())
        lines = ended.out.splitlines()
        assert (ended.code, ended.err, len(lines)) == (0, "", len(ODD))
        for written, (_, content, carried) in zip(lines, ODD, strict=True):
            assert f'"content":{json.dumps(content)}' in written
            assert all(f"{json.dumps(name)}:{json.dumps(value)}" in written for name, value in carried.items())
        assert f'"n":{"9" * 6000},"m":1.50' in lines[1]
        assert "[" * 10_000 in lines[2]


async def test_what_is_no_json_is_still_an_error(tmp_path: Path) -> None:
    bad = [
        '{"text": "x", "n": nope}',
        '{"text": "x"',
        '{"text": "x", "n": 01}',
        '{"text": "x",}',
        '{"text": "x"} {}',
        "NaN",
        '{"text": NaN}',
        '["text"]',
        '{"text": "\\x"}',
    ]
    async with shell(tmp_path, {"arbiter": ["Hello."]}) as at:
        ended = await at.mmos("calls", "read", given="\n".join(bad).encode() + b'\n{"text": "\xed\xa0\x80"}\n{"text": "fine"}')
        rows = [json.loads(row) for row in ended.out.splitlines()]
        assert ended.code == 1
        assert ["error" in row for row in rows] == [True] * (len(bad) + 1) + [False]
