"""Estimates the memory that a model needs for a window: its file, its KV cache, and the engine's overhead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmos.hosts import reading
from mmos.placement.memory import SHARE_OF_FREE

GIB = 1 << 30
OVERHEAD = 512 << 20
"""The memory of an engine besides weights and cache. Measured: between 0.3 and 1 GiB."""

ONE_SLOT = ("mllama", "qwen3vl", "qwen35", "qwen3next", "lfm2", "nemotron_h")
"""Families of models to which Ollama gives one slot, whatever its settings. Embedding models have one, too."""

_LARGEST = 1 << 30
"""The limit of a number in `model_info`, and of the bytes of one token."""

_HALF = 2  # bytes of a number in the cache; a host may be configured otherwise


@dataclass(frozen=True)
class Cache:
    """The key and value cache of a model, in f16."""

    token_bytes: int
    at_most: bool = False
    """Whether some layers keep less: sliding-window layers and recurrent layers."""

    def size(self, window: int, parallel: int = 1) -> int:
        return self.token_bytes * window * parallel


def cache(info: Mapping[str, Any]) -> Cache | None:
    """The cache from `model_info`. None: the host does not report enough, or reports a model that no host could load."""
    family = reading.word(info.get("general.architecture"))

    def entry(name: str) -> Any:
        return info.get(f"{family}.{name}")

    layers, heads = _number(entry("block_count")), entry("attention.head_count")
    at_most = entry("attention.sliding_window") is not None or entry("ssm.state_size") is not None
    if layers is None:
        return None
    if rank := _number(entry("attention.kv_lora_rank")):
        return _cache(layers * (rank + (_number(entry("rope.dimension_count")) or 0)) * _HALF, at_most)
    pairs = _pairs(layers, entry("attention.head_count_kv") if f"{family}.attention.head_count_kv" in info else heads)
    keys = _number(entry("attention.key_length")) or _share(entry("embedding_length"), heads)
    values = _number(entry("attention.value_length")) or keys
    if pairs is None or keys is None or values is None:
        return None
    return _cache(pairs * (keys + values) * _HALF, at_most)


def claimed(info: Mapping[str, Any], slots: int) -> int:
    """The bytes for a token of the window that are planned for a model: what its cache takes, or what Ollama expects of it, if that is more."""
    family = reading.word(info.get("general.architecture"))
    kv_cache = cache(info)
    each = max(kv_cache.token_bytes if kv_cache else 0, _expected(info, family))
    return each if family.startswith(ONE_SLOT) or f"{family}.pooling_type" in info else each * slots


def _expected(info: Mapping[str, Any], family: str) -> int:
    """Ollama takes the size of a head for the length of an embedding divided by the heads, and all layers for alike."""
    layers, heads = _number(info.get(f"{family}.block_count")), info.get(f"{family}.attention.head_count")
    pairs = info.get(f"{family}.attention.head_count_kv", heads)
    least = min(filter(None, map(_number, pairs)), default=None) if isinstance(pairs, list) else _number(pairs)
    head = _share(info.get(f"{family}.embedding_length"), heads)
    return min(_LARGEST, 2 * layers * least * head * _HALF) if layers and least and head else 0


def need(file_size: int, kv_cache: Cache | None, window: int, parallel: int = 1) -> int:
    """The bytes that a loaded model takes. Without knowledge of its cache, a lower bound."""
    return file_size + (kv_cache.size(window, parallel) if kv_cache else 0) + OVERHEAD


def fits_beside(size: int, free: int) -> bool:
    """Whether Ollama loads the model without unloading another. `size` counts weights and cache."""
    return size <= SHARE_OF_FREE * free


def _cache(token_bytes: int, at_most: bool) -> Cache | None:
    return Cache(token_bytes, at_most) if token_bytes <= _LARGEST else None


def _pairs(layers: int, heads: Any) -> int | None:
    """The heads of all layers together. Newer servers report null in place of a list."""
    if isinstance(heads, list):
        each = [reading.count(one, _LARGEST) for one in heads]
        return sum(filter(None, each)) if each and None not in each else None
    number = _number(heads)
    return layers * number if number else None


def _share(length: Any, heads: Any) -> int | None:
    whole, parts = _number(length), _number(heads)
    return whole // parts if whole and parts else None


def _number(value: Any) -> int | None:
    return reading.count(value, _LARGEST) or None
