"""Recorded exchanges with real servers as cases: our hosts read their answers, and the rehearsal host gives the same to their requests."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mmos import errors
from mmos.hosts.face import ChatRequest, Timeouts
from mmos.hosts.ollama import OllamaHost
from mmos.messages import Message
from mmos.rehearsal import Host, serve
from tests.live.cast import CAST
from tests.live.peers import WANTED
from tests.wire import answer, serving

RECORDED = Path(os.environ.get("MMOS_RECORDED_WIRE") or Path(__file__).parents[2] / "shared" / "ollama-wire")
"""Folders of exchanges, one for each version: a JSON object on each line, with the request, the status, the headers and the lines of the answer."""
PROFILES = {"real-0.13.5": "0.13", "real-head": "0.33", "real-0.34.4": "0.34"}
LEFT_OUT = re.compile(r"\.\.\.\s?\d+ (lines|characters) left out\s?\.\.\.")
ALONE = ("arbiter", "texts", "tooltext", "thinker", "faulty", "context", "errors", "embeddings", "formats", "v1")
"""Recordings whose requests mean the same whatever came before them."""
NOT_OURS = ("_debug_render_only", "logprobs", "raw", "suffix", "dimensions", "images")
"""Requests for what the rehearsal host does not have."""
OF_GRAMMARS = ("schema + tools", "schema + thinking default", "schema + think false")
"""What a scripted model says where a grammar forbids its words is noise."""
OF_TOKENS = ("old messages dropped", "old messages, truncate false", "exactly full", "num_ctx 1")
"""Prompts that fill a window nearly or by little: the scripted models take a token for each byte, the rehearsal host one for about four."""
TOO_LONG = "w" * 1000
FAULTS = {
    r"server busy": errors.HostBusy,
    r"unable to load model|GGUF|failed to load|error loading|exceeds file size|tensor": errors.LoadFailed,
    r"not found|cloud is disabled": errors.ModelMissing,
    r"does not support tools": errors.LacksTools,
    r"does not support thinking|think value": errors.LacksThinking,
    r"does not support chat": errors.LacksChat,
    r"context (size|length)": errors.WindowExceeded,
    r"unexpected EOF": (errors.RunnerCrashed, errors.StreamCut, errors.BadRequest),
    r"invalid tool call arguments": errors.MalformedCall,
    r"": errors.HostError,
}
"""What a refusal means, by its words; the first that fits."""

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason=f"NO RECORDED EXCHANGES: {RECORDED} is not there")


@dataclass(frozen=True)
class Recorded:
    """One exchange."""

    step: str
    path: str
    method: str
    asked: Any
    status: int
    kind: str
    lines: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not any(LEFT_OUT.search(line) for line in self.lines)


def exchanges(folder: str, name: str) -> Iterator[Recorded]:
    for line in (RECORDED / folder / f"{name}.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        if "note" in row or "cut" in row or "client_error" in row:
            continue
        asked = row["request"]
        kind = row["headers"].get("Content-Type", "")
        yield Recorded(row["step"], asked["path"], asked["method"], asked["body"], row["status"], kind, tuple(row["lines"]))


def files() -> list[tuple[str, str]]:
    return [(folder, path.stem) for folder in PROFILES for path in sorted((RECORDED / folder).glob("*.jsonl"))]


# ---------------------------------------------------------------- our hosts read what real servers said


def _spoken(lines: tuple[str, ...]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines if line.strip() and not LEFT_OUT.search(line)]


@pytest.mark.parametrize(("folder", "name"), files(), ids=lambda value: value)
async def test_our_hosts_read_what_a_real_server_said(folder: str, name: str) -> None:
    wrong = {}
    for recorded in exchanges(folder, name):
        readable = all(not LEFT_OUT.search(line) or LEFT_OUT.fullmatch(line.strip()) for line in recorded.lines)
        if recorded.path == "/api/chat" and recorded.method == "POST" and readable:
            expected, found = _expected(recorded), await _read(recorded)
            if not _agree(expected, found):
                wrong[recorded.step] = (expected, found)
    assert not wrong


def _expected(recorded: Recorded) -> Any:
    """What an attentive reader makes of the lines: the faults that fit, or text, calls and how it ended."""
    lines = _spoken(recorded.lines)
    said = next((str(line["error"]) for line in lines if "error" in line), "")
    if recorded.status != 200 or said:
        return next(fault for words, fault in FAULTS.items() if re.search(words, said))
    if not lines or not lines[-1].get("done"):
        return (errors.StreamCut, errors.HostFault)
    messages = [line.get("message") or {} for line in lines]
    calls = [(call["function"]["name"], call["function"]["arguments"]) for message in messages for call in message.get("tool_calls") or ()]
    return "".join(message.get("content", "") for message in messages), calls, lines[-1].get("done_reason", "")


async def _read(recorded: Recorded) -> Any:
    body = "\n".join(line for line in recorded.lines if not LEFT_OUT.search(line)).encode()
    async with serving(answer(body, recorded.status, kind=recorded.kind)) as wire:
        host = OllamaHost("box", wire.url)
        try:
            reply = await host.chat(ChatRequest("m", (Message("user", "x"),), 4096), timeouts=Timeouts())
        except errors.HostError as fault:
            return fault
        finally:
            await host.close()
    return reply.message.content, [(call.name, call.arguments) for call in reply.message.calls], reply.done_reason


def _agree(expected: Any, found: Any) -> bool:
    if isinstance(found, errors.HostError):
        return (isinstance(expected, type) and isinstance(found, expected)) or (isinstance(expected, tuple) and _is_one_of(found, expected))
    return bool(expected == found)


def _is_one_of(fault: errors.HostError, kinds: tuple[Any, ...]) -> bool:
    return all(isinstance(kind, type) for kind in kinds) and isinstance(fault, kinds)


# ---------------------------------------------------------------- the rehearsal host gives what real servers gave

KNOWN: Mapping[tuple[str, str], str] = {}
"""Where the rehearsal host is known to answer otherwise: the profile or `*`, the step, and why."""


@cache
def _names() -> frozenset[str]:
    return frozenset(model.name for model in CAST) - {"random"}  # noise has no twin


def _reproducible(recorded: Recorded) -> bool:
    asked = recorded.asked
    if not isinstance(asked, dict) or recorded.step in (*OF_GRAMMARS, *OF_TOKENS):
        return isinstance(asked, str) and recorded.path.startswith("/api/")
    model = str(asked.get("model", "nope")).partition(":")[0]
    if any(LEFT_OUT.search(line) and not LEFT_OUT.fullmatch(line.strip()) for line in recorded.lines):
        return False
    served = recorded.path in ("/api/chat", "/api/generate", "/api/embed", "/api/show", "/v1/chat/completions")
    return served and (model in _names() or recorded.status in (400, 403, 404)) and not any(name in asked for name in NOT_OURS)


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("folder", PROFILES)
async def test_the_rehearsal_host_answers_as_the_real_one_did(folder: str, name: str) -> None:
    host, different, compared = Host("recorded", CAST, profile=PROFILES[folder]), {}, 0
    async with serve(host) as url, aiohttp.ClientSession() as session:
        for recorded in filter(_reproducible, exchanges(folder, name)):
            compared += 1
            expected = _outcome(recorded.status, recorded.kind, recorded.lines, recorded.path)
            found = await _ask(session, url, recorded)
            if _unlike(expected, found):
                different[recorded.step] = _unlike(expected, found)
    known = {step for step in different if (PROFILES[folder], step) in KNOWN or ("*", step) in KNOWN}
    assert compared > 2
    assert not {step: how for step, how in different.items() if step not in known}
    gone = {step for profile, step in KNOWN if profile in ("*", PROFILES[folder])} & {one.step for one in exchanges(folder, name)} - known
    assert not (WANTED and gone), "no longer different: take them out of KNOWN"


async def _ask(session: aiohttp.ClientSession, url: str, recorded: Recorded) -> dict[str, Any]:
    body = recorded.asked if isinstance(recorded.asked, str) else json.dumps(recorded.asked)
    body = body.replace(TOO_LONG, TOO_LONG * 8)  # too long by either way of counting
    async with session.request(recorded.method, url + recorded.path, data=body, headers={"Content-Type": "application/json"}) as response:
        text = await response.text()
        kind = response.headers.get("Content-Type", "")
        return _outcome(response.status, kind, tuple(text.splitlines()), recorded.path)


def _outcome(status: int, kind: str, lines: tuple[str, ...], path: str) -> dict[str, Any]:
    """Shape and outcome of an answer, without what chance and time decide."""
    outcome: dict[str, Any] = {"status": status, "kind": kind}
    if not path.startswith("/api") or kind == "text/event-stream":
        return outcome
    spoken = _spoken(lines)
    messages = [line.get("message") or {} for line in spoken if isinstance(line, dict)]
    if spoken and "error" not in spoken[-1] and path != "/api/show":
        outcome |= {"first": sorted(spoken[0]), "last": sorted(spoken[-1])}
    outcome["error"] = re.sub(r"\d{2,}", "N", next((str(line["error"]) for line in spoken if "error" in line), ""))
    outcome["done_reason"] = spoken[-1].get("done_reason") if spoken else None
    outcome["calls"] = [
        (call["function"]["name"], call["function"]["arguments"]) for message in messages for call in message.get("tool_calls") or ()
    ]
    if not any(LEFT_OUT.search(line) for line in lines) and outcome["done_reason"] != "length":
        outcome["text"] = "".join(message.get("content", "") for message in messages).strip()
        outcome["thinking"] = "".join(message.get("thinking", "") for message in messages).strip()
    return outcome


def _unlike(expected: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The parts of the outcome that both have and that differ."""
    return {part: (value, found[part]) for part, value in expected.items() if part in found and found[part] != value}
