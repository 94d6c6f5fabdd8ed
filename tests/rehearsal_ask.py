"""Asking a rehearsal host over plain HTTP: the status, the kind of content, and the objects that came."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import aiohttp

from mmos.rehearsal import Architecture, Model, Speed

GIB = 1 << 30
TINY = Architecture(layers=1, heads=1, kv_heads=1, head_size=1, embedding_length=8)


@dataclass(frozen=True)
class Reply:
    status: int
    kind: str
    text: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def row(self) -> dict[str, Any]:
        return self.rows[-1]

    @property
    def error(self) -> str:
        return str(self.row["error"])

    @property
    def content(self) -> str:
        return "".join(row.get("message", {}).get("content", "") for row in self.rows)

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        found = [call["function"] for row in self.rows for call in row.get("message", {}).get("tool_calls", [])]
        return [(call["name"], call["arguments"]) for call in found]


async def ask(url: str, path: str, body: Any = None, method: str = "POST", **headers: str) -> Reply:
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    async with aiohttp.ClientSession() as session, session.request(method, url + path, data=data, headers=headers) as response:
        return Reply(response.status, response.headers.get("Content-Type", ""), await response.text())


async def chat(url: str, model: str = "m", text: str = "hi", **more: Any) -> Reply:
    return await ask(url, "/api/chat", {"model": model, "messages": [{"role": "user", "content": text}], "stream": False, **more})


async def unload(url: str, model: str) -> None:
    await ask(url, "/api/generate", {"model": model, "keep_alive": 0})


async def resident(url: str) -> list[str]:
    return [row["name"].removesuffix(":latest") for row in (await ask(url, "/api/ps", method="GET")).row["models"]]


def a_model(name: str = "m", *turns: Any, size: int = GIB, **card: Any) -> Model:
    figures = Speed(**{"load_seconds": 4.0, "prefill": 100.0, "decode": 10.0, **card.pop("speed", {})})
    return Model.scripted(name, list(turns) or ["one two"], repeat=True, size=size, **{"architecture": TINY, "speed": figures, **card})


def tools(*names: str) -> list[dict[str, Any]]:
    parameters = {"type": "object", "required": ["query"], "properties": {"query": {"type": "string"}}}
    return [{"type": "function", "function": {"name": name, "description": name, "parameters": parameters}} for name in names]
