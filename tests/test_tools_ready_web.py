"""The ready tool for pages: which addresses are asked, what a redirect may do, and what a model reads of a page."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mmos.config.tools_schema import PageAccess
from mmos.errors import ToolDenied, ToolError
from mmos.prompting.templates import Templates
from mmos.tools.ready.addresses import Allowed
from mmos.tools.ready.page import text_of
from mmos.tools.ready.web import MOST_BYTES, fetch_page


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("docs.python.org", "https://docs.python.org/3/"), ("docs.python.org", "http://DOCS.python.org.:80/x"), ("*.example.org", "https://a.b.example.org"),
        ("*", "https://anything.test/x?y=1#z"), ("localhost:8080", "http://localhost:8080/"), ("10.0.0.0/8", "http://10.1.2.3/"),
        ("127.0.0.1:81", "http://127.0.0.1:81/"), ("::1", "http://[::1]/"), ("*", "http://8.8.8.8/"),
    ],
)  # fmt: skip
def test_what_is_named_is_asked(allowed: str, url: str) -> None:
    assert Allowed(Templates(), [allowed]).check(url).hostname


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("docs.python.org", "https://python.org/"), ("docs.python.org", "https://docs.python.org.evil.test/"), ("docs.python.org", "https://docs.python.org:8443/"),
        ("docs.python.org", "https://docs.python.org@evil.test/"), ("docs.python.org", "https://me:pw@docs.python.org/"), ("*.example.org", "https://example.org/"),
        ("*.example.org", "https://badexample.org/"), ("*", "http://127.0.0.1/"), ("*", "http://[::1]/"), ("*", "http://[::ffff:127.0.0.1]/"),
        ("*", "http://169.254.169.254/latest/meta-data"), ("*", "http://localhost/"), ("*", "http://10.0.0.1/"), ("*", "file:///etc/passwd"),
        ("*", "ftp://docs.python.org"), ("*", "docs.python.org"), ("*", "http://a b/"), ("*", "http://a\\@b/"), ("*", "http://x\n.test"), ("*", "http://[x/"),
        ("*", "http://x.test:0/"), ("*", "http://x.test:99999/"), ("10.0.0.0/8", "http://11.0.0.1/"), ("*", "https://x.test/" + "a" * 3000),
    ],
)  # fmt: skip
def test_what_is_not_named_is_refused(allowed: str, url: str) -> None:
    with pytest.raises(ToolDenied):
        Allowed(Templates(), [allowed]).check(url)


@pytest.mark.parametrize(
    "ip", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:192.168.0.1", "0.0.0.0", "224.0.0.1"]
)
def test_a_name_that_leads_into_a_network_is_refused(ip: str) -> None:
    with pytest.raises(ToolDenied, match="inside a network"):
        Allowed(Templates(), ["*"]).check_resolved("x.test", ["8.8.8.8", ip])


def test_a_network_that_is_named_is_reached_by_name() -> None:
    Allowed(Templates(), ["wiki.intern", "10.0.0.0/8"]).check_resolved("wiki.intern", ["10.2.3.4"])
    Allowed(Templates(), ["localhost:80"]).check_resolved("localhost", ["127.0.0.1", "::1"])


# ---------------------------------------------------------------- over HTTP

PAGE = """<!doctype html><html><head><title>The  title</title><style>p {}</style><script>alert("x")</script></head>
<body><h1>Head</h1><p>One &amp; two<br>three</p><ul><li>a</li><li>b</li></ul><pre>x = 1
  y = 2</pre><table><tr><td>1</td><td>2</td></tr></table><script>evil()</script></body></html>"""


@pytest.fixture
async def pages() -> AsyncIterator[TestServer]:
    async def page(request: web.Request) -> web.StreamResponse:
        what = request.match_info["what"]
        if what == "away":
            return web.Response(status=302, headers={"Location": "http://localhost:1/"})
        if what == "round":
            return web.Response(status=302, headers={"Location": "/round"})
        if what == "near":
            return web.Response(status=301, headers={"Location": "plain"}, body=b"x")
        if what == "packed":
            return web.Response(
                body=zlib.compress(b"x" * MOST_BYTES), headers={"Content-Type": "text/plain", "Content-Encoding": "deflate"}
            )
        if what == "image":
            return web.Response(body=b"\x89PNG", content_type="image/png")
        if what == "large":
            return web.Response(text="x" * (MOST_BYTES + 1))
        if what == "odd":
            return web.Response(body=b"caf\xe9", headers={"Content-Type": "text/plain; charset=nosuch"})
        if what == "plain":
            return web.Response(text=f"cookies: {len(request.cookies)}", headers={"Set-Cookie": "a=b"})
        return web.Response(text=PAGE, content_type="text/html", status=404 if what == "missing" else 200)

    app = web.Application()
    app.router.add_get("/{what}", page)
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


async def fetched(server: TestServer, path: str, **access: Any) -> str:
    tool = fetch_page(Templates(), PageAccess(allow=[f"127.0.0.1:{server.port}"], **access))
    text: str = await tool.run(None, {"url": f"http://127.0.0.1:{server.port}/{path}"})  # type: ignore[arg-type]
    return text


async def test_a_page_is_read_as_text(pages: TestServer) -> None:
    head, _, body = (await fetched(pages, "page")).partition("\n")
    assert head == f"http://127.0.0.1:{pages.port}/page (status 200):"
    assert body == text_of(PAGE)
    assert body == "The title\n\n# Head\n\nOne & two\nthree\n\n- a\n\n- b\n\nx = 1\ny = 2\n\n| 1 | 2"
    assert "(status 404)" in await fetched(pages, "missing")


async def test_a_redirect_is_checked_again_and_no_cookie_is_sent(pages: TestServer) -> None:
    assert (await fetched(pages, "near")).endswith("/plain (status 200):\ncookies: 0")
    with pytest.raises(ToolDenied, match="does not allow pages of localhost"):
        await fetched(pages, "away")
    with pytest.raises(ToolError, match="more than 5 times"):
        await fetched(pages, "round")


async def test_what_is_no_text_or_too_long_is_told(pages: TestServer) -> None:
    with pytest.raises(ToolError, match="no text"):
        await fetched(pages, "image")
    with pytest.raises(ToolError, match="compressed"):
        await fetched(pages, "packed")
    assert (await fetched(pages, "large")).endswith("[The page is longer. The rest was not fetched.]")
    assert "caf" in await fetched(pages, "odd")


async def test_a_host_that_is_gone_is_told() -> None:
    tool = fetch_page(Templates(), PageAccess(allow=["127.0.0.1:1"]))
    with pytest.raises(ToolError, match="cannot be fetched"):
        await tool.run(None, {"url": "http://127.0.0.1:1/"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "html", ["", "<", "<p", "a < b", "<head><p>x", "<script>x", "<title>t", "&#x110000;&bogus;", "</li></pre></script>x"]
)
def test_broken_pages_are_read_as_far_as_they_go(html: str) -> None:
    assert isinstance(text_of(html), str)
