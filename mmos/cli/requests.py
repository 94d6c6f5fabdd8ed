"""Shows the requests of a run as they went to the models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from mmos.cli.text import harmless
from mmos.events import Entry, ModelAsked, ModelReplied
from mmos.hosts.ollama import chat_body
from mmos.plurals import counted
from mmos.prompting.request import requests_of


def requests(entries: Iterable[Entry], run: str) -> list[dict[str, Any]]:
    """The requests of a run, from the entries of its thread. Each has the body of Ollama's `/api/chat`. None: the journal does not have all of it."""
    entries = list(entries)
    hosts = {entry.event.ask: entry.event.host for entry in entries if entry.run == run and isinstance(entry.event, ModelReplied)}
    return [
        {
            "ask": asked.ask, "lane": asked.lane, "role": asked.role, "model": asked.model, "host": hosts.get(asked.ask),
            "tail": asked.tail, "body": orjson.loads(chat_body(request)) if request else None,
        }
        for entry, request in requests_of(entries)
        if entry.run == run and isinstance(asked := entry.event, ModelAsked)
    ]  # fmt: skip


def as_text(request: dict[str, Any]) -> Iterator[str]:
    """One request for a reader: who was asked, with what, and every message."""
    body = request["body"]
    if body is None:
        yield harmless(f"─── {request['ask']} {request['lane']} · {request['model']}: the journal does not have all of this request\n")
        return
    tools = [tool["function"]["name"] for tool in body.get("tools", ())]
    facts = [
        f"{request['ask']} {request['lane']}",
        f"{request['model']} on {request['host']}" if request["host"] else f"{request['model']}: no reply",
        *(f"{name} {value}" for name, value in body["options"].items()),
        *([f"{counted(len(tools), 'tool')}: {', '.join(tools)}"] if tools else []),
        *(["held to a JSON schema"] if "format" in body else []),
    ]
    yield harmless(f"─── {' · '.join(facts)}")
    for message in body["messages"]:
        yield harmless(f"[{message['role']}{' ' + message['tool_name'] if message.get('tool_name') else ''}]")
        if message["content"]:
            yield harmless(message["content"])
        for call in message.get("tool_calls", ()):
            yield harmless(f"→ {call['function']['name']} {orjson.dumps(call['function']['arguments']).decode()}")
        if message.get("images"):
            yield f"({counted(len(message['images']), 'image')})"
    yield ""
