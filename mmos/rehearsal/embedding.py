"""Computes embeddings without a model: texts with common words and parts of words get similar vectors."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from mmos.rehearsal.checking import refuse_broken
from mmos.rehearsal.decoding import Fields, RefusalError, check_options, decode, read_keep_alive
from mmos.rehearsal.memory import Need
from mmos.rehearsal.personas import Model
from mmos.rehearsal.tokens import count
from mmos.rehearsal.visit import Visit
from mmos.rehearsal.writers import encode

WORD = re.compile(r"\w+")
TOO_LONG = "the input length exceeds the context length"
NO_EMBEDDER = "This server does not support embeddings. Start it with `--embeddings`"


async def embed(visit: Visit) -> None:
    """`POST /api/embed`"""
    host, http = visit.host, visit.http
    data = decode(http, "api.EmbedRequest")
    fields = Fields(data, "EmbedRequest", dot=host.rules.struct_dot)
    name, truncate, options = fields.text("model"), fields.flag("truncate", True), fields.mapping("options")
    keep_alive = read_keep_alive(data.get("keep_alive"))
    texts = read_texts(data.get("input"))
    model = host.model(name, f'model "{name}" not found, try pulling it first')
    refuse_broken(host, model, name)
    check_options(options)
    if not texts:
        return http.reply(200, encode({"model": name, "embeddings": []}))
    request = EmbedRequest(texts, truncate, data.get("dimensions"))
    result = await embeddings(visit, model, host.need(model, options, keep_alive=keep_alive), request)
    metrics = {"total_duration": int(result.total * 1e9), "load_duration": int(result.load * 1e9), "prompt_eval_count": result.tokens}
    return http.reply(200, orjson.dumps({"model": name, "embeddings": result.vectors, **metrics}))


async def embed_one(visit: Visit) -> None:
    """`POST /api/embeddings`, the older route for a single text."""
    host, data = visit.host, decode(visit.http, "api.EmbeddingRequest")
    fields = Fields(data, "EmbeddingRequest", dot=host.rules.struct_dot)
    name, text, options = fields.text("model"), fields.text("prompt"), fields.mapping("options")
    keep_alive = read_keep_alive(data.get("keep_alive"))
    model = host.model(name, f'model "{name}" not found, try pulling it first')
    refuse_broken(host, model, name)
    check_options(options)
    if not text:
        return visit.http.reply(200, encode({"embedding": []}))
    result = await embeddings(visit, model, host.need(model, options, keep_alive=keep_alive), EmbedRequest([text]))
    return visit.http.reply(200, encode({"embedding": result.vectors[0]}))


@dataclass(frozen=True)
class EmbedRequest:
    """Texts to embed."""

    texts: list[str]
    truncate: bool = True
    dimensions: Any = None


@dataclass(frozen=True)
class Embeddings:
    """The vectors, and their time and tokens."""

    vectors: list[list[float]]
    tokens: int
    load: float
    total: float


async def embeddings(visit: Visit, model: Model, need: Need, request: EmbedRequest) -> Embeddings:
    host = visit.host
    visit.entry.num_ctx = need.window
    async with host.residency.hold(need) as (runner, load):
        if not (model.can("embedding") or host.rules.embeds_with_any):
            raise RefusalError(501, NO_EMBEDDER)
        tokens = _tokens(request.texts, need.window, request.truncate)
        reading = tokens / model.speed.prefill * runner.slowness / host.speed_factor
        async with runner.slot(()):
            await host.clock.sleep(reading)
        host.tokens_evaluated += tokens
        visit.entry.prompt_tokens, visit.entry.load_seconds = tokens, load
        vectors = [vector(text, _size(model, request.dimensions)) for text in request.texts]
    return Embeddings(vectors, tokens, load, load + reading)


def read_texts(value: Any) -> list[str]:
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
    """A vector of length one. Every word, and every three letters of it, raise or lower one of its numbers."""
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
