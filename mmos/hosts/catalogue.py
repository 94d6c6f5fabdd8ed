"""Reads what an Ollama reports: lists and details of models, and vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmos.hosts import faults, reading
from mmos.hosts.face import Card, Installed, Loaded
from mmos.hosts.wire import Wire
from mmos.plurals import counted


def embedded(site: faults.Site, rows: object, texts: int) -> list[list[float]]:
    """The vectors of a response: one of numbers for each text."""
    if not isinstance(rows, list) or len(rows) != texts:
        raise faults.garbled(site, f"not {counted(texts, 'vector')} came for {counted(texts, 'text')}")
    vectors = [vector for vector in map(reading.vector, rows) if vector is not None]
    if len(vectors) != texts:
        raise faults.garbled(site, "a vector is missing or is none")
    return vectors


def card(model: str, answer: Mapping[str, Any]) -> Card:
    details, info = reading.part(answer.get("details")), reading.part(answer.get("model_info"))
    return Card(
        model,
        capabilities=reading.words(answer.get("capabilities")) or frozenset(),
        context_length=_window(info.get(f"{reading.word(info.get('general.architecture'))}.context_length")),
        template=reading.page(answer.get("template")),
        details=info,
        **_kind(details),
    )


async def models(wire: Wire, path: str, most: int) -> list[dict[str, Any]]:
    answer = await wire.ask(path)
    if "models" not in answer:
        raise faults.garbled(wire.site(), f"{path} lists no models")
    entries = answer["models"] or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise faults.garbled(wire.site(), f"{path} lists something else than models")
    if len(entries) > most:
        raise faults.garbled(wire.site(), f"{path} lists more than {most} models")
    return [entry for entry in entries if _name(entry)]  # nobody can ask for a model without a name


def installed(entry: Mapping[str, Any]) -> Installed:
    details = reading.part(entry.get("details"))
    return Installed(
        name=_name(entry),
        digest=reading.word(entry.get("digest")),
        size=reading.count(entry.get("size")) or 0,
        context_length=_window(details.get("context_length")),
        capabilities=reading.words(entry.get("capabilities")),
        remote=bool(entry.get("remote_host") or entry.get("remote_model")),
        **_kind(details),
    )


def loaded(entry: Mapping[str, Any]) -> Loaded:
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


def _kind(details: Mapping[str, Any]) -> dict[str, str]:
    names = {"family": "family", "parameters": "parameter_size", "quantization": "quantization_level"}
    return {name: reading.word(details.get(key)) for name, key in names.items()}
