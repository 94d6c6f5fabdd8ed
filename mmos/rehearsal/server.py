"""A rehearsal host on a real port: routes, faults before the answer, and the record of every request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson

from mmos.rehearsal import catalogue
from mmos.rehearsal.answers import GARBAGE, encode, refuse
from mmos.rehearsal.decoding import Ask, RefusalError, decode, read_chat, read_generate
from mmos.rehearsal.embedding import embed
from mmos.rehearsal.faults import CRASH, MID_STREAM, Fault
from mmos.rehearsal.host import Host
from mmos.rehearsal.inference import Request, infer
from mmos.rehearsal.record import Seen
from mmos.rehearsal.visit import Visit
from mmos.rehearsal.wire import PLAIN, Exchange, Server

PROXY_PAGE = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
Route = Callable[[Visit], Awaitable[None]]


@asynccontextmanager
async def serve(host: Host, *, address: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve a host; gives its URL. Port 0 takes a free one."""
    server = Server(_Front(host).handle, address, port)
    server.start()
    host.url = server.url
    watch = _Watch(host, server)
    host.faults.changed = watch.look
    watch.look()
    try:
        yield host.url
    finally:
        host.faults.changed = _nothing
        watch.stop()
        await server.stop()


def _nothing() -> None:
    """Nobody serves this host: its faults change nothing."""


class _Watch:
    """Makes a server refuse while a fault says so."""

    def __init__(self, host: Host, server: Server) -> None:
        self._host = host
        self._server = server
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        refusal = self._host.faults.refusal
        if refusal is None:
            self.stop()
            return self._server.listen()
        if refusal.fault.seconds is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(refusal.fault.seconds, self._host.faults.remove, refusal)
        return self._server.refuse()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None


class _Front:
    """Takes each request to its route and writes down how it went."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def handle(self, exchange: Exchange) -> None:
        if exchange.path in CONTROLS:
            return CONTROLS[exchange.path](self._host, exchange)
        host, began = self._host, time.perf_counter()
        seen = Seen(exchange.method, exchange.path, _model_named(exchange.data), exchange.body)
        host.requests.add(seen)
        host.open += 1
        try:
            await self._answer(exchange, seen)
        except RefusalError as refusal:
            refuse(exchange, refusal.status, refusal.text)
        except asyncio.CancelledError:
            seen.cancelled = True
            raise
        finally:
            host.open -= 1
            seen.ms = (time.perf_counter() - began) * 1000
            seen.status, seen.bytes = exchange.status, exchange.sent
        return None

    async def _answer(self, exchange: Exchange, seen: Seen) -> None:
        if exchange.path not in PATHS:
            return exchange.reply(404, b"404 page not found", PLAIN)
        fault = self._host.faults.strike(exchange.path, seen.model)
        seen.fault = fault.kind if fault else ""
        if fault is not None and not await _before_answer(fault, exchange):
            return None
        route = ROUTES.get((exchange.method, exchange.path))
        if route is None:
            return exchange.reply(405, b"405 method not allowed", PLAIN)
        return await route(Visit(self._host, exchange, seen, fault))


def _model_named(data: Any) -> str:
    """Whose request it is, as far as its body can be read."""
    name = (data.get("model") or data.get("name")) if isinstance(data, dict) else None
    return name if isinstance(name, str) else ""


async def _chat(visit: Visit) -> None:
    await _to_model(visit, read_chat(decode(visit.exchange, "ChatRequest")), chat=True)


async def _generate(visit: Visit) -> None:
    await _to_model(visit, read_generate(decode(visit.exchange, "GenerateRequest")), chat=False)


async def _to_model(visit: Visit, ask: Ask, *, chat: bool) -> None:
    missing = f"model '{ask.model}' not found"
    if not ask.model:
        raise RefusalError(404, missing)
    model = visit.host.model(ask.model, missing)
    await infer(Request(visit.host, visit.exchange, visit.seen, visit.fault, ask, chat), model)


async def _before_answer(fault: Fault, exchange: Exchange) -> bool:
    """What a fault does before anything is answered; gives whether the request goes on."""
    if fault.kind == "slow" or (fault.kind in MID_STREAM and exchange.path in STREAMING):
        return True
    if fault.kind in ("hang", "stall"):
        await asyncio.Event().wait()
    elif fault.kind in ("cut", "no_done"):
        exchange.cut()
    elif fault.kind == "html":
        exchange.reply(502, PROXY_PAGE, "text/html")
    elif fault.kind == "redirect":
        exchange.reply(307, b"", "text/html", Location=fault.location)
    elif fault.kind == "garbage":
        exchange.reply(200, GARBAGE)
    elif fault.kind == "error_line":
        refuse(exchange, 500, fault.error or CRASH)
    elif fault.error is not None:
        refuse(exchange, fault.status, fault.error)
    else:
        exchange.reply(fault.status, fault.body.encode(), PLAIN if fault.body else "")
    return False


# ---------------------------------------------------------------- control


def _faults(host: Host, exchange: Exchange) -> None:
    """`GET` lists, `POST` of an object adds one, of a list sets them all, `DELETE` clears."""
    try:
        if exchange.method == "POST":
            data = orjson.loads(exchange.body)
            wanted = [Fault.from_json(row) for row in (data if isinstance(data, list) else [data])]
            if isinstance(data, list):
                host.faults.clear()
            for fault in wanted:
                host.faults.add(fault)
        elif exchange.method == "DELETE":
            host.faults.clear()
    except (ValueError, TypeError) as error:
        return refuse(exchange, 400, str(error))
    return exchange.reply(200, encode({"faults": host.faults.to_json()}))


def _stats(host: Host, exchange: Exchange) -> None:
    exchange.reply(200, encode(host.stats()))


CONTROLS: Mapping[str, Callable[[Host, Exchange], None]] = {"/__faults": _faults, "/__stats": _stats}
STREAMING = ("/api/chat", "/api/generate")
ROUTES: Mapping[tuple[str, str], Route] = {
    ("GET", "/"): catalogue.root,
    ("HEAD", "/"): catalogue.root,
    ("GET", "/api/version"): catalogue.version,
    ("HEAD", "/api/version"): catalogue.version,
    ("GET", "/api/tags"): catalogue.tags,
    ("HEAD", "/api/tags"): catalogue.tags,
    ("GET", "/api/ps"): catalogue.ps,
    ("POST", "/api/show"): catalogue.show,
    ("POST", "/api/pull"): catalogue.pull,
    ("POST", "/api/embed"): embed,
    ("POST", "/api/chat"): _chat,
    ("POST", "/api/generate"): _generate,
}
PATHS = frozenset(path for _, path in ROUTES)
