"""`curl` against a rehearsal host."""

from __future__ import annotations

import asyncio
import json
import shutil

import pytest

from mmos.rehearsal import Host, Model, serve

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]})


async def curl(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec("curl", "-sS", *arguments, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    return out.decode()


async def test_curl() -> None:
    async with serve(Host("h", [Model.scripted("m", ["one two three"], repeat=True)])) as url:
        assert await curl(url) == "Ollama is running"
        rows = [json.loads(line) for line in (await curl("-N", f"{url}/api/chat", "-d", BODY)).splitlines()]
        assert "".join(row["message"]["content"] for row in rows) == "one two three"
        assert rows[-1]["done"]
        head = (await curl("-I", url)).lower()
        assert head.startswith("http/1.1 200")
        assert "content-type: text/plain; charset=utf-8" in head
        status = await curl("-o", "/dev/null", "-w", "%{http_code} %{content_type}", f"{url}/api/chat")
        assert status == "405 text/plain"
        assert "[DONE]" in await curl("-N", f"{url}/v1/chat/completions", "-d", json.dumps({**json.loads(BODY), "stream": True}))
        large = json.dumps({**json.loads(BODY), "messages": [{"role": "user", "content": "w " * 20_000}], "stream": False})
        assert json.loads(await curl(f"{url}/api/chat", "-d", large))["done"]  # more than 1024 bytes: curl asks with `Expect: 100-continue`
        assert await curl("-H", "Host: evil.example", "-o", "/dev/null", "-w", "%{http_code}", url) == "403"
