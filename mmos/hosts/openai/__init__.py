"""Servers with OpenAI's API: LM Studio, vLLM, llama-server, TabbyAPI, clouds.

`OpenAIHost(name, url)` is cheap to make and connects with its first call, so what learns its server's address late, as the owner
of a child process does, makes a new one whenever it has an address, and hands calls on to it.
"""

from __future__ import annotations

from mmos.hosts.openai.host import Key, OpenAIHost

__all__ = ["Key", "OpenAIHost"]
