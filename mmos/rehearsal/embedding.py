"""Embeddings without a model: texts that share words and parts of words come to lie near each other."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator
from typing import Any

import orjson

from mmos.rehearsal.answers import encode
from mmos.rehearsal.decoding import Fields, RefusalError, check_options, decode, read_keep_alive
from mmos.rehearsal.personas import Model
from mmos.rehearsal.tokens import count
from mmos.rehearsal.visit import Visit

WORD = re.compile(r"\w+")
TOO_LONG = "the input length exceeds the context length"
NO_EMBEDDER = "This server does not support embeddings. Start it with `--embeddings`"


async def embed(visit: Visit) -> None:
    """`POST /api/embed`"""
    host, exchange = visit.host, visit.exchange
    data = decode(exchange, "EmbedRequest")
    fields = Fields(data, "EmbedRequest")
    name, truncate, options = fields.text("model"), fields.flag("truncate", True), fields.mapping("options")
    keep_alive = read_keep_alive(data.get("keep_alive"))
    texts = _texts(data.get("input"))
    model = host.model(name, f'model "{name}" not found, try pulling it first')
    check_options(options)
    window = visit.seen.num_ctx = host.window(model, options)
    async with host.residency.hold(model, window, keep_alive) as (runner, load):
        if not texts:
            return exchange.reply(200, encode({"model": name, "embeddings": []}))
        if not model.can("embedding"):
            raise RefusalError(501, NO_EMBEDDER)
        tokens = _tokens(texts, window, truncate)
        async with runner.slot(()):
            await host.clock.sleep(tokens / model.speed.prefill)
        host.tokens_evaluated += tokens
        vectors = [vector(text, _size(model, data.get("dimensions"))) for text in texts]
    total = int((load + tokens / model.speed.prefill) * 1e9)
    told = {"total_duration": total, "load_duration": int(load * 1e9), "prompt_eval_count": tokens}
    return exchange.reply(200, orjson.dumps({"model": name, "embeddings": vectors, **told}))


def _texts(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    rows = value if isinstance(value, list) else [value]
    if not all(isinstance(row, str) for row in rows):
        raise RefusalError(400, "invalid input type")
    return rows


def _tokens(texts: list[str], window: int, truncate: bool) -> int:
    counts = [count(text) for text in texts]
    if not truncate and max(counts) > window:
        raise RefusalError(400, TOO_LONG)
    return sum(min(tokens, window) for tokens in counts)


def _size(model: Model, dimensions: Any) -> int:
    size = model.architecture.embedding_length
    return min(dimensions, size) if isinstance(dimensions, int) and dimensions > 0 else size


def vector(text: str, size: int) -> list[float]:
    """A vector of length one: every word, and every three letters of it, push one of its numbers up or down."""
    numbers = [0.0] * size
    for feature, weight in _features(text.lower()):
        mark = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
        numbers[(mark >> 1) % size] += weight if mark & 1 else -weight
    length = math.sqrt(sum(number * number for number in numbers))
    if not length:
        numbers[0] = length = 1.0
    return [round(number / length, 8) for number in numbers]


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in WORD.findall(text):
        yield word, 1.0
        padded = f"^{word}$"
        for place in range(len(padded) - 2):
            yield padded[place : place + 3], 0.3
