"""Calls Ollama's API except chat and pulls: lists, details, vectors, loads and unloads of models."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mmos.errors import LacksChat
from mmos.hosts import faults, reading
from mmos.hosts.face import Card, Installed, Loaded, Timeouts
from mmos.hosts.wire import Wire
from mmos.names import same_model
from mmos.plurals import counted

_BATCH = 32  # some versions answer larger ones with 400 or 500
_LOOK_SECONDS = 0.05
_MOST_MODELS = 10_000
_MOST_LOADED = 500
"""The sum of their sizes must stay a number that JSON can contain."""


async def version(wire: Wire) -> str:
    number = reading.word((await wire.ask("/api/version")).get("version"))
    if not number:
        raise faults.garbled(wire.site(), "it tells no version")
    return number


async def tags(wire: Wire) -> list[Installed]:
    return [_installed(entry) for entry in await _models(wire, "/api/tags", _MOST_MODELS)]


async def ps(wire: Wire) -> list[Loaded]:
    return [_loaded(entry) for entry in await _models(wire, "/api/ps", _MOST_LOADED)]


async def show(wire: Wire, model: str) -> Card:
    answer = await wire.ask("/api/show", {"model": model}, model=model)
    details, info = reading.part(answer.get("details")), reading.part(answer.get("model_info"))
    return Card(
        name=model,
        capabilities=reading.words(answer.get("capabilities")) or frozenset(),
        context_length=_window(info.get(f"{reading.word(info.get('general.architecture'))}.context_length")),
        family=reading.word(details.get("family")),
        parameters=reading.word(details.get("parameter_size")),
        quantization=reading.word(details.get("quantization_level")),
        template=reading.page(answer.get("template")),
        details=info,
    )


async def embed(wire: Wire, model: str, texts: Sequence[str], timeouts: Timeouts) -> list[list[float]]:
    vectors: list[list[float]] = []
    for start in range(0, len(texts), _BATCH):
        batch = list(texts[start : start + _BATCH])
        # By default a host cuts a long text and does not report it.
        question = {"model": model, "input": batch, "truncate": False}
        answer = await wire.ask("/api/embed", question, model=model, timeouts=timeouts, cold=True)
        vectors += embedded(wire.site(model), answer.get("embeddings"), len(batch))
    return vectors


def embedded(site: faults.Site, rows: object, texts: int) -> list[list[float]]:
    """The vectors of a response: one of numbers for each text."""
    if not isinstance(rows, list) or len(rows) != texts:
        raise faults.garbled(site, f"not {counted(texts, 'vector')} came for {counted(texts, 'text')}")
    vectors = [vector for vector in map(reading.vector, rows) if vector is not None]
    if len(vectors) != texts:
        raise faults.garbled(site, "a vector is missing or is none")
    return vectors


async def preload(wire: Wire, model: str, frame: Mapping[str, Any], timeouts: Timeouts) -> None:
    """Load the model with the options of its calls. A call with other options would load it again."""
    question = {"model": model, "stream": False, **frame}
    try:
        await wire.ask("/api/chat", {**question, "messages": []}, model=model, timeouts=timeouts, cold=True)
    except LacksChat:
        await wire.ask("/api/embed", {**question, "input": []}, model=model, timeouts=timeouts, cold=True)


async def unload(wire: Wire, model: str, *, patience: float, clock: Callable[[], float]) -> None:
    """Unload the model, and wait until it is gone. The host answers before it unloads."""
    await wire.ask("/api/generate", {"model": model, "keep_alive": 0, "stream": False}, model=model)
    end = clock() + patience
    for pause in _pauses():
        if not any(same_model(loaded.name, model) for loaded in await ps(wire)):
            return
        if clock() > end:
            raise faults.timed_out(wire.site(model), "unload")
        await asyncio.sleep(pause)


def _pauses() -> Iterator[float]:
    pause = _LOOK_SECONDS
    while True:
        yield pause
        pause = min(1.0, pause * 1.5)


async def _models(wire: Wire, path: str, most: int) -> list[dict[str, Any]]:
    answer = await wire.ask(path)
    if "models" not in answer:
        raise faults.garbled(wire.site(), f"{path} lists no models")
    entries = answer["models"] or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise faults.garbled(wire.site(), f"{path} lists something else than models")
    if len(entries) > most:
        raise faults.garbled(wire.site(), f"{path} lists more than {most} models")
    return [entry for entry in entries if _name(entry)]  # nobody can ask for a model without a name


def _installed(entry: Mapping[str, Any]) -> Installed:
    details = reading.part(entry.get("details"))
    return Installed(
        name=_name(entry),
        digest=reading.word(entry.get("digest")),
        size=reading.count(entry.get("size")) or 0,
        family=reading.word(details.get("family")),
        parameters=reading.word(details.get("parameter_size")),
        quantization=reading.word(details.get("quantization_level")),
        context_length=_window(details.get("context_length")),
        capabilities=reading.words(entry.get("capabilities")),
        remote=bool(entry.get("remote_host") or entry.get("remote_model")),
    )


def _loaded(entry: Mapping[str, Any]) -> Loaded:
    return Loaded(
        name=_name(entry),
        digest=reading.word(entry.get("digest")),
        size=reading.count(entry.get("size")) or 0,
        size_vram=reading.count(entry.get("size_vram")) or 0,
        context_length=_window(entry.get("context_length")),
        expires_at=reading.moment(entry.get("expires_at")),
    )


def _name(entry: Mapping[str, Any]) -> str:
    return reading.model(entry.get("name")) or reading.model(entry.get("model"))


def _window(value: object) -> int | None:
    return reading.tokens(value) or None
