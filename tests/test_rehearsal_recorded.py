"""The rehearsal host beside exchanges that were recorded on real servers: the same scripts, the same requests, the same outcome."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmos.rehearsal import BadByte, Host, Loop, Model, Prompt, Raw, Say, serve
from tests.rehearsal_ask import Reply, ask

SHARED = Path(__file__).parents[2] / "shared"
RECORDED = SHARED / "ollama-wire"
SCRIPTS = SHARED / "real-ollama" / "models"
pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason=f"no recorded exchanges in {RECORDED}")

VERSIONS: dict[str, Any] = {"real-0.13.5": "0.13", "real-head": "0.33", "real-0.34.4": "0.34"}
FILES = ("errors", "arbiter", "tooltext", "native", "functiongemma", "thinker", "faulty", "texts", "context", "embeddings", "v1")
CARDS: dict[str, dict[str, Any]] = {
    "native": {"path": "native"},
    "functiongemma": {"path": "functiongemma"},
    "functiongemma-special": {"path": "functiongemma", "special_escape": True},
    "thinker": {"capabilities": ["completion", "tools", "thinking"]},
    **{name: {"capabilities": ["completion"]} for name in ("coder", "reasoner", "faulty", "looper")},
}
UNTOLD = (
    *("think=False", "reasoning_effort none", "says unknown", "newlines", "num_ctx 1", "prefix", "raw"),
    *("bad from", "completions", "responses", "messages", "json_schema"),
)
"""Steps that hang on what a script cannot know here (whether it may think), or on routes and tokens that a rehearsal has not."""
TIMES = re.compile(r"_duration$|created|context$|^id$|^logprobs$")


def parts(script: Any) -> list[Any]:
    """A script of a real model as pieces."""
    if isinstance(script, str):
        return [Raw(script)]
    if not any(isinstance(part, dict) and "bytes" in part for part in script):
        return [Raw("".join(part if isinstance(part, str) else part["token"] for part in script))]
    found: list[Any] = []
    for part in script:
        if isinstance(part, str):
            found.append(Say(part))
        else:
            found += [BadByte()] if isinstance(part["bytes"], list) else [Say(sign) for sign in part["bytes"]]
    return found


def speaker(scripts: dict[str, Any]) -> Any:
    def turn(prompt: Prompt) -> Any:
        last = "final" if prompt.last_role == "tool" and "final" in scripts else prompt.user_text
        routed = ["route"] if "ROUTE" in prompt.system else []
        usual = ["call"] if prompt.offered else ["think"]
        return next((parts(scripts[name]) for name in (*routed, last, *usual, "plain", "*") if name in scripts), "")

    return turn


def cast() -> Iterator[Model]:
    for path in sorted(SCRIPTS.glob("*.json")):
        spec = json.loads(path.read_text(encoding="utf-8"))
        name = spec["name"]
        turn = Loop(spec["scripts"]["*"]) if "loop" in spec else speaker(spec["scripts"])
        yield Model.scripted(path.stem, [turn], repeat=True, **CARDS.get(name, {}))
    yield Model("embed", capabilities=["embedding"], context_length=512)


def rows(version: str, file: str) -> Iterator[dict[str, Any]]:
    for line in (RECORDED / version / f"{file}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        body = row.get("request", {}).get("body")
        told = "note" in row or any(word in row["step"] for word in UNTOLD)
        if told or row.get("cut") or row.get("client_error") or (isinstance(body, dict) and "_debug_render_only" in body):
            continue
        if version == "real-0.13.5" and file == "native" and row["status"] == 200:
            continue  # the template of the GGUF is not used there, so nothing tells which script to speak
        yield row


def outcome(status: int, kind: str, lines: list[str], *, whole: bool) -> Any:
    """What an exchange came to, tokens and times aside."""
    if status >= 400:
        return status, kind, re.sub(r"\d+", "0", lines[0]) if lines and lines[0] else ""
    objects = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith(("{", "data: {"))]
    if not objects:
        return status, kind
    last = {key: value for key, value in objects[-1].items() if not TIMES.search(key)}
    cut = last.get("done_reason") == "length" or '"finish_reason":"length"' in lines[0]  # after so many tokens, and ours are others
    return status, kind, sorted(last), last.get("done"), last.get("done_reason"), _said(objects) if whole and not cut else ""


def _said(objects: list[Any]) -> Any:
    said: dict[str, Any] = {"content": "", "thinking": "", "reasoning": "", "calls": []}
    for row in objects:
        choice = (row.get("choices") or [{}])[0]
        message = row.get("message") or choice.get("message") or choice.get("delta") or {"content": row.get("response", "")}
        for key in ("content", "thinking", "reasoning"):
            said[key] += message.get(key) or ""
        said["calls"] += [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls") or ()]
        said["finish"] = choice.get("finish_reason")
    return said


def _is_whole(line: str) -> bool:
    try:
        return not line.startswith("{") or json.loads(line) is not None
    except json.JSONDecodeError:
        return False


async def replay(url: str, row: dict[str, Any]) -> Reply:
    request = row["request"]
    body = request["body"].encode() if isinstance(request["body"], str) else request["body"]
    window = (body.get("options") or {}).get("num_ctx") if isinstance(body, dict) else None
    if isinstance(window, int):  # there every byte was a token, here about eight are
        body = {**body, "options": {**body["options"], "num_ctx": window // 8}}
    headers = {"Host": "evil.example"} if "foreign" in row["step"] else {}
    return await ask(url, request["path"], body, request["method"], **headers)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", FILES)
async def test_the_same_outcome(version: str, file: str) -> None:
    compared, differing = 0, []
    async with serve(Host("h", list(cast()), profile=VERSIONS[version])) as url:
        for row in rows(version, file):
            compared += 1
            reply = await replay(url, row)
            whole = len(row["lines"]) < 19  # longer streams were shortened where they were recorded, and so were long lines
            if row["status"] == 200 and not all(map(_is_whole, row["lines"])):
                assert (reply.status, reply.kind) == (row["status"], row["headers"]["Content-Type"]), row["step"]
                continue
            ours = outcome(reply.status, reply.kind, reply.text.splitlines(), whole=whole)
            real = outcome(row["status"], row["headers"].get("Content-Type", ""), row["lines"], whole=whole)
            if ours != real:
                differing.append(f"{row['step']}\n  ours {ours}\n  real {real}")
    assert compared
    assert not differing, "\n".join(differing)
