"""Does the same job four times: through MMOS, and by hand over httpx, over aiohttp, and over bare asyncio streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import httpx

import mmos
from bench.server import ANSWER, ARBITER, DIRECT, SPECIALISTS, STAMPED, tool_of

MMOS, HTTPX, AIOHTTP, STREAMS, BYTES = "mmos", "httpx", "aiohttp", "streams", "bytes"
WINDOW = 131072
PARALLEL = 256
"""More slots than calls at the same time, so no call has to wait."""
CALLS_OF_A_JOB = 2 + len(SPECIALISTS)

OnToken = Callable[[str], None]
Json = dict[str, Any]


def ignore(_: str) -> None: ...


class Contestant(Protocol):
    """Does the job. It fails when the answer is not the scripted one."""

    name: str

    async def job(self, task: str, on_token: OnToken = ignore) -> None:
        """The arbiter, five consultations at the same time, the answer."""
        ...

    async def turn(self, thread: str, task: str) -> None:
        """One more turn of a conversation; the arbiter answers by itself."""
        ...

    async def first_token(self, task: str, on_token: OnToken) -> None:
        """One answer that has the time of its start."""
        ...


def check(text: str | None) -> None:
    if text != ANSWER:
        raise RuntimeError(f"not the answer that was scripted: {text!r}")


# ---------------------------------------------------------------- mmos


class Mmos:
    """MMOS as its users run it: default settings, the journal on disk."""

    name = MMOS

    def __init__(self, consulting: mmos.App, direct: mmos.App) -> None:
        self._consulting = consulting
        self._direct = direct

    async def job(self, task: str, on_token: OnToken = ignore) -> None:
        answer = await self._consulting.run(task, on_token=on_token)
        answer.raise_for_status()
        check(answer.text)

    async def turn(self, thread: str, task: str) -> None:
        answer = await self._direct.run(task, thread=thread, on_token=ignore)
        answer.raise_for_status()
        check(answer.text)
        if answer.view.warnings:
            raise RuntimeError(f"the thread was not kept whole: {answer.view.warnings}")

    async def first_token(self, task: str, on_token: OnToken) -> None:
        answer = await self._direct.run(task, on_token=on_token, options=mmos.RunOptions(roles={"arbiter": STAMPED}))
        answer.raise_for_status()


def configuration(url: str, arbiter: str) -> Json:
    return {
        "orchestration": {
            "servers": {"scripted": {"url": url, "parallel": PARALLEL}},
            "arbiter": {"model": arbiter, "server": "scripted", "context_window": WINDOW},
            "specialists": {name: {"model": f"{name}:7b", "server": "scripted", "context_window": WINDOW} for name in SPECIALISTS},
        }
    }


# ---------------------------------------------------------------- by hand


def tool(name: str) -> Json:
    properties = {
        "query": {"type": "string", "description": "What you want from this specialist, complete in itself."},
        "context": {"type": "string", "description": "Facts that it needs and cannot know. Optional."},
    }
    parameters = {"type": "object", "properties": properties, "required": ["query"], "additionalProperties": False}
    return {"type": "function", "function": {"name": tool_of(name), "description": f"Ask the {name} specialist.", "parameters": parameters}}


TOOLS = [tool(name) for name in SPECIALISTS]
ARBITER_IS = "You coordinate specialists. Consult those who can help, then answer the user in your own words, briefly and completely."
SPECIALIST_IS = "You are a specialist. Answer what you are asked, precisely, and say what you assume."
OPTIONS = {"num_ctx": WINDOW}


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def system(text: str) -> Json:
    return {"role": "system", "content": text}


class Reply:
    """Text and calls of a reply, put together line by line."""

    def __init__(self, on_token: OnToken) -> None:
        self.pieces: list[str] = []
        self.calls: list[Json] = []
        self.done = False
        self._on_token = on_token

    def take(self, line: bytes | str) -> None:
        chunk = json.loads(line)
        message = chunk["message"]
        if content := message.get("content"):
            self.pieces.append(content)
            self._on_token(content)
        self.calls += message.get("tool_calls") or ()
        self.done = chunk["done"]

    @property
    def text(self) -> str:
        if not self.done:
            raise RuntimeError("the reply broke off")
        return "".join(self.pieces)


class ByHand:
    """A loop that a programmer writes in an afternoon. The library sends the requests."""

    name = ""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/api/chat"
        self.threads: dict[str, list[Json]] = {}

    async def ask(self, payload: Json, on_token: OnToken) -> Reply:
        raise NotImplementedError

    async def chat(self, model: str, messages: list[Json], tools: list[Json], on_token: OnToken = ignore) -> Reply:
        payload: Json = {"model": model, "messages": messages, "stream": True, "truncate": False, "options": OPTIONS}
        if tools:
            payload["tools"] = tools
        return await self.ask(payload, on_token)

    async def job(self, task: str, on_token: OnToken = ignore) -> None:
        thread = [system(ARBITER_IS), user(task)]
        while (reply := await self.chat(ARBITER, thread, TOOLS, on_token)).calls:
            thread.append({"role": "assistant", "content": "", "tool_calls": reply.calls})
            thread += await asyncio.gather(*(self.consult(task, call) for call in reply.calls))
        check(reply.text)

    async def consult(self, task: str, call: Json) -> Json:
        function = call["function"]
        specialist = function["name"].removeprefix("consult_").removesuffix("_specialist")
        brief = f"The user said:\n{task}\n\nYou are asked:\n{function['arguments']['query']}"
        reply = await self.chat(f"{specialist}:7b", [system(SPECIALIST_IS), user(brief)], [])
        result = json.dumps({"success": True, "response": reply.text})
        return {"role": "tool", "tool_name": function["name"], "tool_call_id": call["id"], "content": result}

    async def turn(self, thread: str, task: str) -> None:
        messages = self.threads.setdefault(thread, [system(ARBITER_IS)])
        messages.append(user(task))
        reply = await self.chat(DIRECT, messages, TOOLS)
        messages.append({"role": "assistant", "content": reply.text})
        check(reply.text)

    async def first_token(self, task: str, on_token: OnToken) -> None:
        reply = await self.chat(STAMPED, [system(ARBITER_IS), user(task)], TOOLS, on_token)
        assert reply.text


class OverHttpx(ByHand):
    name = HTTPX

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        super().__init__(url)
        self._client = client

    async def ask(self, payload: Json, on_token: OnToken) -> Reply:
        reply = Reply(on_token)
        async with self._client.stream("POST", self.url, json=payload) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                reply.take(line)
        return reply


class OverAiohttp(ByHand):
    name = AIOHTTP

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        super().__init__(url)
        self._session = session

    async def ask(self, payload: Json, on_token: OnToken) -> Reply:
        reply = Reply(on_token)
        async with self._session.post(self.url, json=payload) as response:
            response.raise_for_status()
            async for line in response.content:
                reply.take(line)
        return reply


class OverStreams(ByHand):
    """The lower bound: only asyncio, with HTTP written and read by hand."""

    name = STREAMS

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._port = int(url.rpartition(":")[2])
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, payload: Json, on_token: OnToken) -> Reply:
        return await self.send(json.dumps(payload).encode(), on_token)

    async def send(self, body: bytes, on_token: OnToken) -> Reply:
        reply = Reply(on_token)
        connection = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        reader, writer = connection
        writer.write(
            b"POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(head.decode())
        held, ended = b"", False
        while not ended:
            data = await reader.read(1 << 16)
            if not data:
                raise RuntimeError("the connection broke")
            held, ended = unchunk(held + data, reply)
        self._idle.append(connection)
        return reply

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


class OverBytes(OverStreams):
    """The cost of the bytes alone: each message is encoded once, and nothing happens besides sending and receiving."""

    name = BYTES

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._frame = json.dumps({"tools": TOOLS, "stream": True, "truncate": False, "options": OPTIONS}).encode()[1:]
        self._encoded: dict[str, list[bytes]] = {}

    async def turn(self, thread: str, task: str) -> None:
        messages = self._encoded.setdefault(thread, [json.dumps(system(ARBITER_IS)).encode()])
        messages.append(json.dumps(user(task)).encode())
        body = b'{"model":"%b","messages":[%b],%b' % (DIRECT.encode(), b",".join(messages), self._frame)
        reply = await self.send(body, ignore)
        messages.append(json.dumps({"role": "assistant", "content": reply.text}).encode())
        check(reply.text)


def unchunk(data: bytes, reply: Reply) -> tuple[bytes, bool]:
    """Pass on the lines of complete chunks; each chunk of this host is one line. Returns the rest, and whether the answer ended."""
    place = 0
    while (end := data.find(b"\r\n", place)) >= 0:
        size = int(data[place:end], 16)
        after = end + 2 + size
        if len(data) < after + 2:
            break
        if not size:
            return b"", True
        reply.take(data[end + 2 : after])
        place = after + 2
    return data[place:], False


# ---------------------------------------------------------------- all of them


@asynccontextmanager
async def contestants(url: str, folder: Path) -> AsyncIterator[list[Contestant]]:
    """All contestants on the same server, each with its open connections."""
    async with AsyncExitStack() as stack:
        consulting = await stack.enter_async_context(mmos.open(configuration(url, ARBITER), state=folder / "consulting"))
        direct = await stack.enter_async_context(mmos.open(configuration(url, DIRECT), state=folder / "direct"))
        unlimited = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=300, limits=unlimited, trust_env=False))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        bare = [OverStreams(url), OverBytes(url)]
        for contestant in bare:
            stack.callback(contestant.close)
        yield [Mmos(consulting, direct), OverHttpx(url, client), OverAiohttp(url, session), *bare]
