"""Sends HTTP requests to one host over a pool of connections, and raises typed errors."""

from __future__ import annotations

import asyncio
import errno
import io
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import aiohttp
import orjson
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from mmos.errors import HostError
from mmos.hosts import faults, reading
from mmos.hosts.access import Access
from mmos.hosts.face import Timeouts
from mmos.hosts.ollama_speech import OLLAMA
from mmos.hosts.patience import Patience
from mmos.hosts.speech import Speech
from mmos.version import __version__

T = TypeVar("T")
Reader = Callable[[aiohttp.StreamReader, Patience], Awaitable[T]]

QUICK = Timeouts(connect=5.0, first_byte=10.0, between_chunks=10.0, total=30.0)
"""The timeouts of questions that a host answers at once."""

_MAX_BODY = 16 << 20
"""Lists, cards and vectors are far smaller. A chat has a limit of its own."""

_LARGE_REQUEST = 1 << 20
_SETTLE_SECONDS = 0.25


class Wire:
    """The connection pool of one host. Its first request opens it, in the running event loop."""

    def __init__(self, name: str, url: str, headers: Mapping[str, str], speech: Speech = OLLAMA) -> None:
        self.name = name
        self.access = Access.to(name, url, headers)
        self.url = self.access.shown
        self._speech = speech
        self._paths: dict[str, URL] = {}
        self._sites: dict[str, faults.Site] = {}
        self._session: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None
        """Makes a new connection for each request."""
        self._answered = False

    def __repr__(self) -> str:
        return f"Wire({self.name!r}, {self.url!r})"  # without headers, because they contain secrets

    def site(self, model: str = "") -> faults.Site:
        """The host and a model, for errors."""
        return self._sites.get(model) or self._sites.setdefault(model, self._site(model))

    def _site(self, model: str) -> faults.Site:
        return faults.Site(self.name, self.url, model, self._speech, self.access.veil, self.access.keys)

    async def request(
        self, path: str, body: bytes | None, read: Reader[T], *, site: faults.Site, timeouts: Timeouts, cold: bool = False
    ) -> T:
        """Send one request and read the response. The connection goes back to the pool only when the response was read to its end."""
        response = None
        patience = Patience(timeouts, cold=cold)
        try:
            with patience:
                response = await self._send(path, body, timeouts.connect)
                if self._speech.greets:
                    patience.alive()
                else:
                    patience.progress()
                if (fault := faults.compressed(site, response.headers.get("Content-Encoding", ""))) is not None:
                    raise fault
                if response.status != 200 or not self._speech.is_spoken(response.headers.get("Content-Type")):
                    raise await self._refusal(response, site, patience)
                result = await read(response.content, patience)
            if not response.content.is_eof():
                await _settle(response)
        except (TimeoutError, aiohttp.ClientError, HttpProcessingError) as error:
            raise _fault(error, site, patience) from None  # its cause may contain the headers
        finally:
            if response is not None and not response.closed:
                response.close()  # not read to the end, so the connection cannot be used again
        return result

    async def fetch(
        self, path: str, question: Mapping[str, Any] | None = None, *, model: str = "", timeouts: Timeouts = QUICK, cold: bool = False
    ) -> Any:
        """The data of the JSON response to a question, or to a GET without one."""
        site = self.site(model)
        body = None if question is None else orjson.dumps(question)
        data = await self.request(path, body, lambda source, patience: _whole(source, patience, site), site=site, timeouts=timeouts, cold=cold)  # fmt: skip
        try:
            return self.access.keys.over_all(reading.parsed(data))
        except ValueError:
            raise faults.garbled(site, f"{path} answers with no JSON, or with JSON that is too large or too deep") from None

    async def ask(
        self, path: str, question: Mapping[str, Any] | None = None, *, model: str = "", timeouts: Timeouts = QUICK, cold: bool = False
    ) -> dict[str, Any]:
        """The JSON object that answers a question, or a GET without one."""
        answer = await self.fetch(path, question, model=model, timeouts=timeouts, cold=cold)
        if not isinstance(answer, dict):
            raise faults.garbled(self.site(model), f"{path} answers with no JSON object")
        if error := answer.get("error"):
            raise faults.spoken(self.site(model), error)
        return answer

    async def close(self) -> None:
        for session in (self._session, self._fresh):
            if session is not None:
                await session.close()

    async def _send(self, path: str, body: bytes | None, connect: float) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = self._open(aiohttp.TCPConnector(limit=0, keepalive_timeout=self._speech.keep_seconds))
        try:
            response = await self._send_over(self._session, path, body, connect)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if not self._answered or isinstance(error, aiohttp.ClientConnectorError):
                raise
            # The host may have closed the kept connection after its last answer. A new connection shows whether it still serves.
            self._fresh = self._fresh or self._open(aiohttp.TCPConnector(limit=0, force_close=True))
            return await self._send_over(self._fresh, path, body, connect)
        self._answered = True
        return response

    async def _send_over(self, session: aiohttp.ClientSession, path: str, body: bytes | None, connect: float) -> aiohttp.ClientResponse:
        url = self._paths.get(path) or self._paths.setdefault(
            path, self.access.base.joinpath(path.lstrip("/")).with_query(self.access.query or None)
        )
        limits = _limits(connect)
        if body is None:
            return await session.get(url, allow_redirects=False, timeout=limits)
        data = body if len(body) <= _LARGE_REQUEST else io.BytesIO(body)  # sending large bytes at once would block the event loop
        return await session.post(url, data=data, allow_redirects=False, timeout=limits)

    def _open(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        ours = {"User-Agent": f"mmos/{__version__}", "Accept-Encoding": "identity", "Content-Type": "application/json"}
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={**ours, **self.access.headers},
            timeout=_limits(QUICK.connect),
            auto_decompress=False,
            trust_env=False,
        )

    async def _refusal(self, response: aiohttp.ClientResponse, site: faults.Site, patience: Patience) -> HostError:
        if response.status == 200:
            return faults.garbled(site, f"an answer of the kind {response.headers.get('Content-Type', '')[:100]} came")
        body = b""
        try:
            while len(body) < faults.MOST and (data := await response.content.readany()):
                patience.progress()
                body += data
        except aiohttp.ClientError:
            pass  # the status is enough
        return faults.refused(site, response.status, body[: faults.MOST].decode(errors="replace"), response.headers)


@lru_cache(maxsize=64)
def _limits(connect: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=connect)  # Patience has the other timeouts


async def _whole(source: aiohttp.StreamReader, patience: Patience, site: faults.Site) -> bytes:
    pieces = []
    size = 0
    while data := await source.readany():
        patience.progress()
        size += len(data)
        if size > _MAX_BODY:
            raise faults.garbled(site, f"an answer of more than {_MAX_BODY >> 20} MiB")
        pieces.append(data)
    return b"".join(pieces)


async def _settle(response: aiohttp.ClientResponse) -> None:
    """Wait a moment for the last bytes of a complete response, so that its connection can be used again."""
    try:
        async with asyncio.timeout(_SETTLE_SECONDS):
            while await response.content.readany():
                pass
    except (TimeoutError, aiohttp.ClientError):
        pass  # the response is complete; only the connection is lost


def _fault(error: Exception, site: faults.Site, patience: Patience) -> HostError:
    if isinstance(error, TimeoutError):
        return faults.timed_out(site, patience.expired or "connect")
    if isinstance(error, (aiohttp.ClientConnectorDNSError, aiohttp.InvalidURL)):
        return faults.unreachable(site, "name")
    if isinstance(error, aiohttp.ClientSSLError):
        return faults.unreachable(site, "tls", str(error))
    if isinstance(error, aiohttp.ClientConnectorError):
        is_refused = error.errno == errno.ECONNREFUSED or "Connect call failed" in str(error.os_error)
        return faults.unreachable(site, "refused" if is_refused else "other", str(error.os_error))
    if isinstance(error, aiohttp.ClientResponseError):
        return faults.garbled(site, "what came is not HTTP")
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return faults.cut(site, "the host closed the connection before it answered")
    return faults.cut(site, "the connection broke")
