"""What an OpenAI-compatible server reports: models, windows, and embeddings."""

from __future__ import annotations

import sys
from array import array
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from mmos.errors import HostError
from mmos.hosts import faults, reading
from mmos.hosts.catalogue import embedded
from mmos.hosts.face import Installed, Timeouts
from mmos.hosts.openai.request import Habit
from mmos.hosts.wire import Wire

BATCH = 32
_MOST_LISTED = 10_000

_WINDOWS = ("max_model_len", "loaded_context_length", "context_length", "context_window", "max_context_length")
_LLAMA_SERVER = "llamacpp"
_LM_STUDIO = "organization_owner"


async def tags(wire: Wire) -> list[Installed]:
    """All models; where the list shows whose server it is, that server's own page is asked for what the list lacks."""
    entries = await listed(wire)
    owners = {reading.word(entry.get("owned_by")) for entry in entries}
    if _LLAMA_SERVER in owners:
        props = await _page(wire, "../props")
        entries = [{**entry, **_of_llama_server(props)} for entry in entries]
    elif _LM_STUDIO in owners:
        own = await _page(wire, "../api/v0/models")
        known = {reading.model(row.get("id")): row for row in _rows(own)}
        entries = [{**entry, **known.get(reading.model(entry.get("id")), {})} for entry in entries]
    return [_installed(entry) for entry in entries if reading.model(entry.get("id"))]


async def listed(wire: Wire) -> list[Mapping[str, Any]]:
    """The list of models that all such servers have."""
    answer = await wire.fetch("models")
    if isinstance(answer, dict) and (error := answer.get("error")):
        raise faults.spoken(wire.site(), error)
    rows = answer.get("data") if isinstance(answer, dict) else answer  # a cloud or two send the bare list
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise faults.garbled(wire.site(), "it lists no models")
    if len(rows) > _MOST_LISTED:
        raise faults.garbled(wire.site(), f"it lists more than {_MOST_LISTED} models")
    return rows


async def embed(wire: Wire, model: str, texts: Sequence[str], timeouts: Timeouts, habit: Habit) -> list[list[float]]:
    frame = {} if "encoding_format" in habit.refused else {"encoding_format": "float"}
    answer = await wire.ask("embeddings", {"model": model, "input": list(texts), **frame}, model=model, timeouts=timeouts, cold=True)
    rows = _rows(answer)
    numbers = [reading.count(row.get("index", place)) for place, row in enumerate(rows)]
    placed = {number: row.get("embedding") for number, row in zip(numbers, rows, strict=True)}
    return embedded(wire.site(model), [_unpacked(placed.get(place)) for place in range(len(rows))], len(texts))


def _unpacked(vector: Any) -> Any:
    """Numbers, also where they came as bytes in base64."""
    if not isinstance(vector, str):
        return vector
    try:
        packed = array("f", b64decode(vector, validate=True))
    except ValueError:
        return None
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tolist()


async def _page(wire: Wire, path: str) -> Mapping[str, Any]:
    """What a server adds to the common face; nothing where it does not."""
    try:
        return await wire.ask(path)
    except HostError:
        return {}


def _rows(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = answer.get("data")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _of_llama_server(props: Mapping[str, Any]) -> dict[str, Any]:
    """It serves one model: the window of a slot, whether the model's template has a place for tools, and whether it sees."""
    entry: dict[str, Any] = {"modalities": props.get("modalities")}
    settings, template, caps = props.get("default_generation_settings"), props.get("chat_template"), props.get("chat_template_caps")
    if isinstance(settings, dict):
        entry["max_model_len"] = settings.get("n_ctx")
    if isinstance(caps, dict) and isinstance(caps.get("supports_tools"), bool):
        entry["capabilities"] = ["tool_use"] * caps["supports_tools"]
    elif isinstance(template, str) and template:
        entry["capabilities"] = ["tool_use"] * ("tools" in template)
    return entry


def _installed(entry: Mapping[str, Any]) -> Installed:
    return Installed(
        name=reading.model(entry.get("id")),
        size=reading.count(reading.part(entry.get("meta")).get("size")) or 0,
        family=reading.word(entry.get("arch")),
        quantization=reading.word(entry.get("quantization")),
        context_length=_window(entry),
        capabilities=_capabilities(entry),
    )


def _window(entry: Mapping[str, Any]) -> int | None:
    parameters, meta = reading.part(entry.get("parameters")), reading.part(entry.get("meta"))
    windows = [*map(entry.get, _WINDOWS), parameters.get("max_seq_len"), meta.get("n_ctx"), meta.get("n_ctx_train")]
    return next(filter(None, map(reading.tokens, windows)), None)


def _capabilities(entry: Mapping[str, Any]) -> frozenset[str] | None:
    """In the words of an Ollama; None where the server does not tell."""
    abilities, parameters = entry.get("capabilities"), entry.get("supported_parameters")
    if entry.get("type") == "embeddings":
        return frozenset({"embedding"})
    if isinstance(abilities, dict) and "function_calling" in abilities:
        tools = bool(abilities["function_calling"])
    elif isinstance(abilities, list):
        tools = "tool_use" in abilities
    elif isinstance(parameters, list):
        tools = "tools" in parameters
    else:
        return None
    return frozenset(["completion", *["tools"] * tools, *["vision"] * _sees(entry)])


def _sees(entry: Mapping[str, Any]) -> bool:
    """LM Studio says so by the type, Mistral by an ability, llama-server and OpenRouter by what goes in."""
    abilities, modalities, architecture = entry.get("capabilities"), entry.get("modalities"), entry.get("architecture")
    inputs = architecture.get("input_modalities") if isinstance(architecture, dict) else None
    return (
        entry.get("type") == "vlm"
        or any(isinstance(part, dict) and part.get("vision") is True for part in (abilities, modalities))
        or (isinstance(inputs, list) and "image" in inputs)
    )
