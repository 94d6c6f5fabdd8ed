"""From a configuration to hosts: each kind gets its client, its slots and its key."""

from __future__ import annotations

import pytest

from mmos.config.load import from_text
from mmos.errors import Unauthorized
from mmos.fleet.build import seats_of_servers
from mmos.hosts.ollama import OllamaHost
from mmos.hosts.openai import OpenAIHost

TEXT = """\
orchestration:
  servers:
    gpu1: {url: "http://gpu1:11434"}
    studio: {url: "http://studio:1234", kind: openai}
    cloud: {url: "https://cloud/v1", kind: openai, api_key_env: BUILD_TEST_NO_SUCH_KEY, parallel: 8}
    quiet: {url: "http://quiet:8000/v1", kind: "${KIND:-openai}", parallel: "${SLOTS}"}
    strange: {url: "http://box:11434/v1", kind: openai}
  arbiter: {model: m, server: gpu1}
"""


def test_each_kind_has_its_client_and_its_slots() -> None:
    seats = {seat.name: seat for seat in seats_of_servers(from_text(TEXT, "o.yaml", {}).servers(), None)}
    assert {name: (type(seat.host), seat.host.url, seat.slots) for name, seat in seats.items()} == {
        "gpu1": (OllamaHost, "http://gpu1:11434", 1),
        "studio": (OpenAIHost, "http://studio:1234/v1", 4),
        "cloud": (OpenAIHost, "https://cloud/v1", 8),
        "quiet": (OpenAIHost, "http://quiet:8000/v1", 4),
        "strange": (OpenAIHost, "http://box:11434/v1", 4),
    }
    assert not seats["studio"].host.abilities.sets_window


async def test_a_key_that_is_not_there_is_missed_when_it_is_needed() -> None:
    [cloud] = [seat.host for seat in seats_of_servers(from_text(TEXT, "o.yaml", {}).servers(), None) if seat.name == "cloud"]
    with pytest.raises(Unauthorized, match="BUILD_TEST_NO_SUCH_KEY is not set"):
        await cloud.tags()


def test_the_check_warns_of_a_missing_key_and_of_an_ollama_that_is_called_another() -> None:
    warned = {problem.key.removeprefix("orchestration.servers."): problem.message for problem in from_text(TEXT, "o.yaml", {}).warnings}
    assert warned["cloud.api_key_env"] == "BUILD_TEST_NO_SUCH_KEY is not set in the environment; MMOS cannot use this server without it"
    assert warned["strange.kind"].startswith("11434 is Ollama's port; with kind: ollama")
    assert "studio.url" not in warned
    assert not from_text(TEXT, "o.yaml", {"BUILD_TEST_NO_SUCH_KEY": "k", "SLOTS": "2"}).warnings[1:]
