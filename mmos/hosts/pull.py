"""Makes a host fetch a model, and reads the progress, with limits for what the host sends.

A pull uses Ollama's own Python package. It is rare and slow, so the cost of the package does not matter here as it would in a chat.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, cast

import httpx
import ollama

from mmos.errors import HostError
from mmos.hosts import faults, reading
from mmos.hosts.face import Progress
from mmos.hosts.wire import Wire

_BEGIN_SECONDS = 60.0
_STALL_SECONDS = 600.0
"""The host checks many GB between two lines."""
_LONGEST_LINE = 1 << 20
_BURST, _RATE = 10_000, 200.0
"""Lines at once, and lines a second. An Ollama writes about 20 a second."""
_MOST_STEPS = 1000
"""Different steps of a pull. Each file of a model is one."""


async def pull(wire: Wire, model: str) -> AsyncIterator[Progress]:
    site = wire.site(model)
    if not model:
        raise faults.refused(site, 400, "model is required")
    limits = httpx.Timeout(_STALL_SECONDS, connect=5.0)
    client = ollama.AsyncClient(
        str(wire.access.base), headers=wire.access.headers, timeout=limits, follow_redirects=False, trust_env=False, auth=_only(wire),
        transport=_LimitedTransport(site, verify=wire.access.base.scheme == "https"),
    )  # fmt: skip
    step, steps_seen = Progress(""), set()
    try:
        async with client, aclosing(cast(AsyncGenerator[Any, None], await client.pull(model, stream=True))) as steps:
            async for line in steps:
                step = _step(site, line)
                steps_seen.add(step.status)
                if len(steps_seen) > _MOST_STEPS:
                    raise faults.garbled(site, f"a pull of more than {_MOST_STEPS} steps")
                yield step
    except ollama.ResponseError as error:
        raise _response_error(site, error) from None
    except (httpx.RequestError, httpx.InvalidURL) as error:
        raise _connection_error(site, error) from None
    except (ValueError, TypeError, AttributeError, RecursionError):  # the package raises these for lines of another format
        raise faults.garbled(site, "a line of the pull that is no progress") from None
    if step.status != "success":
        raise faults.cut(site, "the pull ended without success")


class _LimitedTransport(httpx.AsyncHTTPTransport):
    """Passes on only lines of a limited length, and no headers: the package would act on them."""

    def __init__(self, site: faults.Site, *, verify: bool) -> None:
        super().__init__(verify=verify)  # reading all certificates takes longer than the rest
        self._site = site

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            async with asyncio.timeout(_BEGIN_SECONDS):
                response = await super().handle_async_request(request)
        except TimeoutError:
            raise httpx.ReadTimeout("no answer began in time", request=request) from None
        fault = faults.compressed(self._site, response.headers.get("Content-Encoding", ""))
        if fault is not None:
            await response.aclose()
            raise fault
        return httpx.Response(response.status_code, stream=_Lines(self._site, response), request=request)


class _Lines(httpx.AsyncByteStream):
    def __init__(self, site: faults.Site, response: httpx.Response) -> None:
        self._site = site
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        start, lines, line_size = clock(), 0, 0
        async for data in cast(httpx.AsyncByteStream, self._response.stream):
            lines += data.count(b"\n")
            end = data.rfind(b"\n")
            line_size = line_size + len(data) if end < 0 else len(data) - end
            if line_size > _LONGEST_LINE or lines > _BURST + _RATE * (clock() - start):
                raise faults.garbled(self._site, "more of a pull's progress than there can be")
            yield data

    async def aclose(self) -> None:
        await self._response.aclose()


def _step(site: faults.Site, line: Any) -> Progress:
    completed, total = reading.count(line.completed) or 0, reading.count(line.total) or 0
    return Progress(site.keys.over(reading.word(line.status)), min(completed, total) if total else 0, total)


def _only(wire: Wire) -> Callable[[httpx.Request], httpx.Request]:
    """Remove the key that the package takes from the environment, and add the query of the address, which it drops."""

    def sign(request: httpx.Request) -> httpx.Request:
        if not any(name.lower() == "authorization" for name in wire.access.headers):
            request.headers.pop("Authorization", None)
        if wire.access.query:
            request.url = request.url.copy_with(query=wire.access.query.encode())
        return request

    return sign


def _response_error(site: faults.Site, error: Any) -> HostError:
    status = error.status_code if error.status_code > 0 else 200
    return faults.refused(site, status, "") if 300 <= status < 400 else faults.spoken(site, error.error, status)


def _connection_error(site: faults.Site, error: Exception) -> HostError:
    if isinstance(error, httpx.ConnectTimeout):
        return faults.timed_out(site, "connect")
    if isinstance(error, httpx.TimeoutException):
        return faults.timed_out(site, "between_chunks")
    if isinstance(error, httpx.ConnectError):
        is_refused = "refused" in str(error) or "attempts failed" in str(error)
        return faults.unreachable(site, "refused" if is_refused else "other", str(error))
    return faults.cut(site, "the connection broke")
