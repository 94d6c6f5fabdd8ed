"""Serves a rehearsal host on a real port: its routes, the faults before an answer, and the log of all requests."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson

from mmos.rehearsal import catalogue, making, v1
from mmos.rehearsal.decoding import Ask, RefusalError, decode, read_chat, read_generate
from mmos.rehearsal.embedding import embed, embed_one
from mmos.rehearsal.faults import CRASH, MID_STREAM, ActiveFault, Fault
from mmos.rehearsal.host import Host
from mmos.rehearsal.inference import infer
from mmos.rehearsal.record import LogEntry
from mmos.rehearsal.residency import BUSY
from mmos.rehearsal.v1_writers import refuse_v1
from mmos.rehearsal.visit import Request, Visit
from mmos.rehearsal.wire import PLAIN, HttpRequest, Server
from mmos.rehearsal.writers import GARBAGE, encode, refuse

PROXY_PAGE = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
FLAP = 0.2
LEFT = 499
"""The status of a request whose client left before the answer."""
JUMP = 3600.0
Route = Callable[[Visit], Awaitable[None]]


@asynccontextmanager
async def serve(host: Host, *, address: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve a host, for `async with`. Gives its URL. Port 0 takes a free one."""
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
        host.residency.stop()
        await server.stop()


def _nothing() -> None:
    """Does nothing: the host is not served, so its faults have no effect."""


class _Watch:
    """Makes the server refuse clients while a fault says so."""

    def __init__(self, host: Host, server: Server) -> None:
        self._host = host
        self._server = server
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        flapping = self._host.faults.flapping
        if flapping is not None and self._timer is None:
            seconds = FLAP if flapping.fault.seconds is None else flapping.fault.seconds
            self._timer = asyncio.get_running_loop().call_later(seconds, self._flap, flapping)
        refusal = self._host.faults.refusal
        if refusal is None:
            if flapping is None:
                self.stop()
            return self._server.listen()
        if refusal.fault.kind == "refuse" and refusal.fault.seconds is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(refusal.fault.seconds, self._host.faults.remove, refusal)
        return self._server.refuse()

    def _flap(self, fault: ActiveFault) -> None:
        self._timer = None
        fault.shut = not fault.shut
        self.look()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None


class _Front:
    """Takes each request to its route, and logs the outcome."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def handle(self, http: HttpRequest) -> None:
        if http.path in CONTROLS:
            return http.reply(403, b"", "") if _from_a_page(http) else CONTROLS[http.path](self._host, http)
        host, began = self._host, time.perf_counter()
        entry = LogEntry(http.method, http.path, _model_named(http.data), http.body)
        host.requests.add(entry)
        host.open += 1
        try:
            await self._answer(http, entry)
        except RefusalError as refusal:
            self._refuse(http, refusal)
        except asyncio.CancelledError:
            entry.cancelled = True
            raise
        finally:
            host.open -= 1
            entry.ms = (time.perf_counter() - began) * 1000
            entry.status, entry.bytes = http.status or (LEFT if entry.cancelled else 0), http.sent
        return None

    def _refuse(self, http: HttpRequest, refusal: RefusalError) -> None:
        if http.path.startswith("/v1/"):
            refuse_v1(http, refusal.status, refusal.text, self._host.rules)
        elif refusal.text:
            refuse(http, refusal.status, refusal.text)
        else:
            http.reply(refusal.status, b"", "")

    async def _answer(self, http: HttpRequest, entry: LogEntry) -> None:
        if not _known_host(http.headers.get("host", "")):
            return http.reply(403, b"", "")
        path = next((prefix for prefix in PREFIXES if http.path.startswith(prefix)), http.path)
        if path not in PATHS or (path == "/api/status" and not self._host.rules.status_route):
            return http.reply(404, b"404 page not found", PLAIN)
        fault = self._host.faults.strike(http.path, entry.model)
        entry.fault = fault.kind if fault else ""
        if fault is not None and fault.kind == "clock_jump":
            self._host.ahead += int((JUMP if fault.seconds is None else fault.seconds) * 1e9)
        if fault is not None and not await _before_answer(fault, http):
            return None
        route = ROUTES.get((http.method, path))
        if route is None:
            return http.reply(405, b"405 method not allowed", PLAIN)
        return await route(Visit(self._host, http, entry, fault))


def _known_host(header: str) -> bool:
    """Whether a server on loopback accepts the host that a request names."""
    name = header.rpartition(":")[0] if re.search(r":\d+\Z", header) else header
    name = name.strip("[]").lower()
    if name in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name == socket.gethostname().lower() or name.endswith((".localhost", ".local", ".internal"))
    return address.is_private or address.is_loopback or address.is_unspecified


def _from_a_page(http: HttpRequest) -> bool:
    """Whether the request comes from a web page, or names this host by a foreign name. Such requests may not control a rehearsal."""
    headers = http.headers
    return "origin" in headers or "sec-fetch-site" in headers or not _known_host(headers.get("host", ""))


def _model_named(data: Any) -> str:
    """The model of a request, if its body can be read."""
    name = (data.get("model") or data.get("name")) if isinstance(data, dict) else None
    return name if isinstance(name, str) else ""


async def _chat(visit: Visit) -> None:
    rules = visit.host.rules
    await _to_model(visit, read_chat(decode(visit.http, rules.chat_type), rules), chat=True)


async def _generate(visit: Visit) -> None:
    await _to_model(visit, read_generate(decode(visit.http, "api.GenerateRequest"), visit.host.rules), chat=False)


async def _to_model(visit: Visit, ask: Ask, *, chat: bool) -> None:
    missing = f"model '{ask.model}' not found"
    if not ask.model:
        raise RefusalError(404, missing)
    model = visit.host.model(ask.model, missing)
    if model.system and ask.messages and not ask.raw and ask.messages[0].get("role") != "system":
        ask = replace(ask, messages=[{"role": "system", "content": model.system}, *ask.messages])
    await infer(Request(visit.host, visit.http, visit.entry, visit.fault, ask, chat), model)


async def _before_answer(fault: Fault, http: HttpRequest) -> bool:
    """Apply a fault before the answer. Returns whether the request continues."""
    if fault.kind == "late":
        await asyncio.sleep(FLAP if fault.seconds is None else fault.seconds)
    if fault.kind in WITHIN or (fault.kind in MID_STREAM and http.path in STREAMING):
        return True
    if fault.kind in ("hang", "stall"):
        await asyncio.Event().wait()
    elif fault.kind in ("cut", "no_done"):
        http.cut()
    elif fault.kind == "html":
        http.reply(502, PROXY_PAGE, "text/html")
    elif fault.kind == "redirect":
        http.reply(307, b"", "text/html", Location=fault.location)
    elif fault.kind == "garbage":
        http.reply(200, GARBAGE)
    elif fault.kind == "error_line":
        refuse(http, 500, fault.error or CRASH)
    elif fault.kind == "busy":
        refuse(http, 503, fault.error or BUSY)
    elif fault.error is not None:
        refuse(http, fault.status, fault.error)
    else:
        http.reply(fault.status, fault.body.encode(), PLAIN if fault.body else "")
    return False


# ---------------------------------------------------------------- control


def _faults(host: Host, http: HttpRequest) -> None:
    """The route of faults. `GET` lists them, `POST` of an object adds one, `POST` of a list replaces all, `DELETE` removes all."""
    try:
        if http.method == "POST":
            data = orjson.loads(http.body)
            faults = [Fault.from_json(row) for row in (data if isinstance(data, list) else [data])]
            if isinstance(data, list):
                host.faults.clear()
            for fault in faults:
                host.faults.add(fault)
        elif http.method == "DELETE":
            host.faults.clear()
    except (ValueError, TypeError) as error:
        return refuse(http, 400, str(error))
    return http.reply(200, encode({"faults": host.faults.to_json()}))


def _stats(host: Host, http: HttpRequest) -> None:
    http.reply(200, encode(host.stats()))


CONTROLS: Mapping[str, Callable[[Host, HttpRequest], None]] = {"/__faults": _faults, "/__stats": _stats}
WITHIN = ("slow", "truncate", "late", "oom", "load_stall", "killed", "deadlock", "clock_jump")
"""Faults that let the request continue."""
STREAMING = ("/api/chat", "/api/generate", "/v1/chat/completions", "/v1/completions")
PREFIXES = (v1.PREFIX, making.BLOBS)
"""Routes whose paths end with a name."""
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
    ("GET", "/api/status"): catalogue.status,
    ("POST", "/api/create"): making.create,
    ("POST", "/api/push"): making.push,
    ("HEAD", making.BLOBS): making.has_blob,
    ("POST", making.BLOBS): making.put_blob,
    ("POST", "/api/copy"): catalogue.copy,
    ("DELETE", "/api/delete"): catalogue.delete,
    ("POST", "/api/embed"): embed,
    ("POST", "/api/embeddings"): embed_one,
    ("POST", "/v1/chat/completions"): v1.chat,
    ("POST", "/v1/completions"): v1.complete,
    ("POST", "/v1/embeddings"): v1.embed,
    ("GET", "/v1/models"): v1.models,
    ("GET", v1.PREFIX): v1.model,
    ("POST", "/api/chat"): _chat,
    ("POST", "/api/generate"): _generate,
}
PATHS = frozenset(path for _, path in ROUTES)
