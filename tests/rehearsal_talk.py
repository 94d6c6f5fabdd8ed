"""Asking one model of a rehearsal host, in tests of what personas do."""

from __future__ import annotations

from typing import Any

import aiohttp

STRING = {"type": "string"}


def tool(name: str, required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(properties) if required is None else required}
    return {"type": "function", "function": {"name": name, "description": name, "parameters": parameters}}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def result(name: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_name": name, "content": text}


class Talk:
    """Asks one model of one host."""

    def __init__(self, url: str, model: str) -> None:
        self._url = url
        self._model = model

    async def __call__(self, *messages: dict[str, Any] | str, **more: Any) -> dict[str, Any]:
        told = [user(message) if isinstance(message, str) else message for message in messages]
        body = {"model": self._model, "messages": told, "stream": False, **more}
        async with aiohttp.ClientSession() as session, session.post(self._url + "/api/chat", json=body) as response:
            assert response.status == 200, await response.text()
            message: dict[str, Any] = (await response.json())["message"]
            return message

    async def text(self, *messages: dict[str, Any] | str, **more: Any) -> str:
        message = await self(*messages, **more)
        assert "tool_calls" not in message
        return str(message["content"])

    async def calls(self, *messages: dict[str, Any] | str, **more: Any) -> list[tuple[str, dict[str, Any]]]:
        found = (await self(*messages, **more)).get("tool_calls", [])
        return [(call["function"]["name"], call["function"]["arguments"]) for call in found]


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
