"""The memory that is planned for a token of the window: what the cache takes, or what Ollama expects, if that is more."""

from __future__ import annotations

from typing import Any

import pytest

from mmos.fleet.memory import claimed

KIB = 1024


def info(family: str = "qwen2", **more: Any) -> dict[str, Any]:
    figures = {"block_count": 64, "attention.head_count": 64, "attention.head_count_kv": 8, "embedding_length": 5120}
    entries = figures | {name.replace("__", "."): value for name, value in more.items()}
    return {"general.architecture": family, **{f"{family}.{name}": value for name, value in entries.items()}}


@pytest.mark.parametrize(
    ("entries", "slots", "kib"),
    [
        ({}, 1, 160),
        ({}, 4, 640),
        ({"attention__key_length": 128, "attention__value_length": 128}, 1, 256),  # larger heads than Ollama expects
        ({"attention__key_length": 64, "attention__value_length": 64}, 1, 160),  # smaller ones: Ollama decides by its own count
        ({"attention__head_count_kv": [8, 0] * 32}, 1, 160),  # half of the layers have no cache, and Ollama does not see it
        ({"pooling_type": 1}, 4, 160),
        ({"family": "qwen3vl"}, 4, 160),
        ({"attention__head_count": None}, 4, 0),
        ({"block_count": "many"}, 4, 0),
    ],
)
def test_what_a_token_takes(entries: dict[str, Any], slots: int, kib: int) -> None:
    assert claimed(info(**entries), slots) == kib * KIB


def test_a_host_that_says_nothing_claims_nothing() -> None:
    assert claimed({}, 4) == 0
