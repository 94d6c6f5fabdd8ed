"""Makes the tool with which a model fetches a page of an allowed host. It sends no cookies and follows no redirect that is not allowed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from mmos.calls.spec import Spec
from mmos.config.tools_schema import PageAccess
from mmos.config.wording import shown
from mmos.context import Context
from mmos.errors import ToolError
from mmos.prompting.templates import Templates
from mmos.threads import on_thread
from mmos.toolbox import Tool, parameters_of
from mmos.tools.ready.addresses import Allowed
from mmos.tools.ready.page import text_of

MOST_BYTES = 2 << 20
MOST_REDIRECTS = 5
BLOCK = 1 << 16
_HEADERS = {"User-Agent": "mmos", "Accept": "text/*, */*;q=0.5", "Accept-Encoding": "identity"}
_MOVED = frozenset({301, 302, 303, 307, 308})
_TEXTS = (
    "text/",
    "application/json",
    "application/xml",
    "application/xhtml",
    "application/javascript",
    "application/yaml",
    "application/toml",
)
_HTML = ("text/html", "application/xhtml")


class _Resolver(AbstractResolver):
    """Finds the addresses of a host, and refuses those that are not allowed. The connection goes to what was checked."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        self._allowed.check_resolved(host, (one["host"] for one in found))
        return found

    async def close(self) -> None:
        await self._inner.close()


@dataclass(frozen=True)
class Page:
    """What a host sent."""

    url: str
    status: int
    kind: str
    charset: str
    data: bytes
    is_whole: bool

    @property
    def text(self) -> str:
        try:
            text = self.data.decode(self.charset, "replace")
        except LookupError:  # a host may name any
            text = self.data.decode("utf-8", "replace")
        return text_of(text) if self.kind.startswith(_HTML) else text


@dataclass(frozen=True)
class Pages:
    """Fetches pages."""

    templates: Templates
    access: PageAccess
    allowed: Allowed

    async def run(self, _context: Context, arguments: Mapping[str, Any]) -> str:
        try:
            async with asyncio.timeout(self.access.timeout) as limit:
                page = await self._fetched(arguments["url"])
        except TimeoutError:
            if not limit.expired():
                raise
            raise ToolError(self.templates.fill("page_late", seconds=f"{self.access.timeout:g}")) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = shown(str(error) or type(error).__name__, 200)
            raise ToolError(self.templates.fill("page_unfetched", reason=reason)) from None
        head = self.templates.fill("page_head", url=shown(page.url, 300), status=str(page.status))
        text = await on_thread(lambda: page.text)
        return "\n".join([head, text, *([] if page.is_whole else [self.templates.fill("page_cut")])])

    async def _fetched(self, url: str) -> Page:
        connector = aiohttp.TCPConnector(resolver=_Resolver(self.allowed), use_dns_cache=False)
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers=_HEADERS, auto_decompress=False)
        async with session:
            for _ in range(MOST_REDIRECTS + 1):
                self.allowed.check(url)
                async with session.get(url, allow_redirects=False) as response:
                    if response.status not in _MOVED or not response.headers.get("Location"):
                        return await _page(self.templates, url, response)
                    url = urljoin(url, response.headers["Location"])
        raise ToolError(self.templates.fill("page_moved", number=str(MOST_REDIRECTS)))


async def _page(templates: Templates, url: str, response: aiohttp.ClientResponse) -> Page:
    kind = response.content_type
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ToolError(templates.fill("page_compressed"))  # not asked for, and a small one can be huge inside
    if not kind.startswith(_TEXTS) and not kind.endswith(("+json", "+xml")):
        raise ToolError(templates.fill("page_no_text", kind=shown(kind)))
    data = bytearray()
    async for block in response.content.iter_chunked(BLOCK):
        data += block
        if len(data) > MOST_BYTES:
            break
    return Page(url, response.status, kind, response.charset or "utf-8", bytes(data[:MOST_BYTES]), len(data) <= MOST_BYTES)


def fetch_page(templates: Templates, access: PageAccess) -> Tool:
    pages = Pages(templates, access, Allowed(templates, access.allow))
    url = {"type": "string", "description": templates.fill("fetch_page.url")}
    description = templates.fill("fetch_page", hosts=", ".join(access.allow))
    return Tool(Spec("fetch_page", description, parameters_of({"url": url}, ["url"])), pages.run, after_crash="repeat")
