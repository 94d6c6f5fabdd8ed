"""Reads recorded responses of real servers with our hosts."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from mmos import errors
from mmos.hosts.face import ChatRequest, Timeouts
from mmos.hosts.ollama import OllamaHost
from mmos.messages import Message
from tests.recorded import HERE, LEFT_OUT, PROFILES, RECORDED, Recording, recordings
from tests.wire import answer, serving

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

pytestmark = HERE


def files() -> list[tuple[str, str]]:
    return [(folder, path.stem) for folder in PROFILES for path in sorted((RECORDED / folder).glob("*.jsonl"))]


def _spoken(lines: tuple[str, ...]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines if line.strip() and not LEFT_OUT.search(line)]


@pytest.mark.parametrize(("folder", "name"), files(), ids=lambda value: value)
async def test_our_hosts_read_what_a_real_server_said(folder: str, name: str) -> None:
    wrong = {}
    for recording in recordings(folder, name):
        if recording.path == "/api/chat" and recording.method == "POST" and recording.readable:
            expected, found = _expected(recording), await _read(recording)
            if not _agree(expected, found):
                wrong[recording.step] = (expected, found)
    assert not wrong


def _expected(recording: Recording) -> Any:
    """What an attentive reader makes of the lines: the faults that fit, or text, calls and how it ended."""
    lines = _spoken(recording.lines)
    said = next((str(line["error"]) for line in lines if "error" in line), "")
    if recording.status != 200 or said:
        return next(fault for words, fault in FAULTS.items() if re.search(words, said))
    if not lines or not lines[-1].get("done"):
        return (errors.StreamCut, errors.HostFault)
    messages = [line.get("message") or {} for line in lines]
    calls = [(call["function"]["name"], call["function"]["arguments"]) for message in messages for call in message.get("tool_calls") or ()]
    return "".join(message.get("content", "") for message in messages), calls, lines[-1].get("done_reason", "")


async def _read(recording: Recording) -> Any:
    body = "\n".join(line for line in recording.lines if not LEFT_OUT.search(line)).encode()
    async with serving(answer(body, recording.status, kind=recording.kind)) as wire:
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
