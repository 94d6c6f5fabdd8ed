"""The suite of the OpenAI-shaped client against the `/v1` of every server of the comparison."""

from __future__ import annotations

from tests.live.peers import Talk
from tests.openai_checks import Check, every_check, held, ollama


@every_check
async def test_the_openai_client(check: Check, server: Talk) -> None:
    await held(check, ollama(server.url))
