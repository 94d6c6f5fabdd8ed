"""Compares the rehearsal host with recordings of real servers: the same scripts and the same requests have the same outcome."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from mmos.rehearsal import BadByte, Host, Model, Raw, Say, serve
from tests.live.cast import CAST
from tests.recorded import HERE, PROFILES, SHARED, Recording, recordings
from tests.rehearsal_ask import Reply, ask

SCRIPTS = SHARED / "real-ollama" / "models"
pytestmark = HERE

FILES = (
    *("errors", "arbiter", "tooltext", "native", "functiongemma", "thinker", "faulty", "texts", "context", "formats", "embeddings", "v1"),
)  # fmt: skip
OF_GRAMMARS = ("schema + tools", "schema + thinking default", "schema + think false", "thinking + schema", "json_schema", "json + thinking")
"""What a scripted model says where a grammar forbids its words is noise."""
OF_ITSELF = {"native": ("render only", "says unknown")}
"""A template and a grammar that are the model's own."""
OF_TOKENS = ("old messages", "num_ctx 1", "cut by num_predict", "schema, num_predict 5")
"""Prompts that fill a window nearly or by little: the scripted models take a token for each byte, the rehearsal host one for about four."""
NOT_THERE = ("responses", "messages", "bad from")
"""Routes that the rehearsal host has not, and what a registry says."""
TIMES = re.compile(r"_duration$|created|context$|^id$|^logprobs$")
START = re.compile(r"<\|\w+\|>\Z")
"""The last token of a real prompt says which script is spoken; rehearsed models need none."""


def cast() -> Iterator[Model]:
    """The cast of the live suite; where a script is asked for by name, the recorded servers had more of them."""
    yield from (model for model in CAST if model.name not in ("random", "native"))  # noise has no twin
    for name in ("functiongemma", "functiongemma-special", "native"):
        scripts = json.loads((SCRIPTS / f"{name}.json").read_text("utf-8"))["scripts"]
        path: Any = "native" if name == "native" else "functiongemma"
        yield Model.scripted(name, [_speaking(scripts)], repeat=True, path=path, special_escape=name.endswith("special"))


def _speaking(scripts: dict[str, Any]) -> Any:
    def turn(prompt: Any) -> Any:
        wanted = ["final"] if prompt.last_role == "tool" else [prompt.user_text, *(["call"] if prompt.toolbox else [])]
        return next((_pieces(scripts[name]) for name in (*wanted, "plain", "*") if name in scripts), "")

    return turn


def _pieces(script: Any) -> list[Any]:
    """A script of a real model: texts, tokens of their own, and bytes that are no letters."""
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


def rows(folder: str, name: str) -> Iterator[Recording]:
    for row in recordings(folder, name):
        model = row.asked.get("model", "") if isinstance(row.asked, dict) else ""
        left_out = (*OF_GRAMMARS, *OF_TOKENS, *NOT_THERE, *OF_ITSELF.get(name, ()))
        if model == "random" or any(word in row.step for word in left_out):
            continue
        if folder == "real-0.13.5" and name == "native" and row.status == 200:
            continue  # the template of the GGUF is not used there, so nothing tells which script to speak
        yield row


def outcome(status: int, kind: str, lines: list[str], *, whole: bool) -> Any:
    """The result of a request, without tokens and times."""
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
        message = (
            row.get("message") or choice.get("message") or choice.get("delta") or {"content": row.get("response", choice.get("text", ""))}
        )
        for key in ("content", "thinking", "reasoning"):
            said[key] += message.get(key) or ""
        said["calls"] += [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls") or ()]
        said["finish"] = choice.get("finish_reason")
        if "_debug_info" in row:
            said["shown"] = START.sub("", row["_debug_info"]["rendered_template"])
    return said | {"content": said["content"].rstrip("\n")}  # how many blank lines are too many hangs on tokens


def _is_whole(line: str) -> bool:
    try:
        return not line.startswith("{") or json.loads(line) is not None
    except json.JSONDecodeError:
        return False


async def replay(url: str, row: Recording) -> Reply:
    body = row.asked.encode() if isinstance(row.asked, str) else row.asked
    window = (body.get("options") or {}).get("num_ctx") if isinstance(body, dict) else None
    if isinstance(window, int):  # there every byte was a token, here about eight are
        body = {**body, "options": {**body["options"], "num_ctx": window // 8}}
    headers = {"Host": "evil.example"} if "foreign" in row.step else {}
    return await ask(url, row.path, body, row.method, **headers)


@pytest.mark.parametrize("folder", PROFILES)
@pytest.mark.parametrize("file", FILES)
async def test_the_same_outcome(folder: str, file: str) -> None:
    compared, differing = 0, []
    async with serve(Host("h", list(cast()), profile=PROFILES[folder])) as url:
        for row in rows(folder, file):
            compared += 1
            reply = await replay(url, row)
            whole = len(row.lines) < 19  # longer streams were shortened where they were recorded, and so were long lines
            if row.status == 200 and not all(map(_is_whole, row.lines)):
                assert (reply.status, reply.kind) == (row.status, row.kind), row.step
                continue
            ours = outcome(reply.status, reply.kind, reply.text.splitlines(), whole=whole)
            real = outcome(row.status, row.kind, list(row.lines), whole=whole)
            if ours != real:
                differing.append(f"{row.step}\n  ours {ours}\n  real {real}")
    assert compared
    assert not differing, "\n".join(differing)
