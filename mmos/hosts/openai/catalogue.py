"""What an OpenAI-compatible server reports: models, windows, and embeddings."""

from __future__ import annotations

import sys
from array import array
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from mmos.errors import HostError
from mmos.hosts import faults
from mmos.hosts.face import Installed, Timeouts
from mmos.hosts.openai.habits import Habit
from mmos.hosts.wire import Wire
from mmos.plurals import counted

BATCH = 32

_WINDOWS = ("max_model_len", "loaded_context_length", "context_length", "context_window", "max_context_length")
_LLAMA_SERVER = "llamacpp"
_LM_STUDIO = "organization_owner"


async def tags(wire: Wire) -> list[Installed]:
    """All models; where the list shows whose server it is, that server's own page is asked for what the list lacks."""
    entries = await listed(wire)
    owners = {entry.get("owned_by") for entry in entries}
    if _LLAMA_SERVER in owners:
        props = await _asked(wire, "../props")
        entries = [{**entry, **_of_llama_server(props)} for entry in entries]
    elif _LM_STUDIO in owners:
        own = await _asked(wire, "../api/v0/models")
        known = {str(row.get("id")): row for row in _rows(own)}
        entries = [{**entry, **known.get(str(entry.get("id")), {})} for entry in entries]
    return [_installed(entry) for entry in entries if isinstance(entry.get("id"), str)]


async def listed(wire: Wire) -> list[Mapping[str, Any]]:
    """The list of models that all such servers have."""
    answer = await wire.fetch("models")
    if isinstance(answer, dict) and (error := answer.get("error")):
        raise faults.spoken(wire.site(), error)
    rows = answer.get("data") if isinstance(answer, dict) else answer  # a cloud or two send the bare list
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise faults.garbled(wire.site(), "it lists no models")
    return rows


async def embed(wire: Wire, model: str, texts: Sequence[str], timeouts: Timeouts, habit: Habit) -> list[list[float]]:
    frame = {} if "encoding_format" in habit.refused else {"encoding_format": "float"}
    answer = await wire.ask("embeddings", {"model": model, "input": list(texts), **frame}, model=model, timeouts=timeouts, cold=True)
    rows = answer.get("data")
    numbered = isinstance(rows, list) and all(isinstance(row, dict) for row in rows) and len(rows) == len(texts)
    if not numbered or not isinstance(rows, list):
        raise faults.garbled(wire.site(model), f"not {counted(len(texts), 'vector')} came for {counted(len(texts), 'text')}")
    placed = {row.get("index", place): row.get("embedding") for place, row in enumerate(rows)}
    vectors = [_vector(placed.get(place)) for place in range(len(texts))]
    found = [vector for vector in vectors if vector is not None]
    if len(found) != len(texts):
        raise faults.garbled(wire.site(model), "a vector is missing or is none")
    return found


def _vector(given: Any) -> list[float] | None:
    if isinstance(given, list):
        return given
    if not isinstance(given, str):
        return None
    try:
        packed = array("f", b64decode(given, validate=True))
    except ValueError:
        return None
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tolist()


async def _asked(wire: Wire, path: str) -> Mapping[str, Any]:
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
    told: dict[str, Any] = {"modalities": props.get("modalities")}
    settings, template, caps = props.get("default_generation_settings"), props.get("chat_template"), props.get("chat_template_caps")
    if isinstance(settings, dict) and isinstance(settings.get("n_ctx"), int):
        told["max_model_len"] = settings["n_ctx"]
    if isinstance(caps, dict) and isinstance(caps.get("supports_tools"), bool):
        told["capabilities"] = ["tool_use"] * caps["supports_tools"]
    elif isinstance(template, str) and template:
        told["capabilities"] = ["tool_use"] * ("tools" in template)
    return told


def _installed(entry: Mapping[str, Any]) -> Installed:
    meta = entry.get("meta")
    return Installed(
        name=str(entry["id"]),
        size=(_whole(meta.get("size")) if isinstance(meta, dict) else None) or 0,
        family=str(entry.get("arch") or ""),
        quantization=str(entry.get("quantization") or ""),
        context_length=_window(entry),
        capabilities=_capabilities(entry),
    )


def _window(entry: Mapping[str, Any]) -> int | None:
    parameters, meta = entry.get("parameters"), entry.get("meta")
    told = [entry.get(name) for name in _WINDOWS]
    told += [
        place.get(name) for place, name in ((parameters, "max_seq_len"), (meta, "n_ctx"), (meta, "n_ctx_train")) if isinstance(place, dict)
    ]
    return next((window for window in map(_whole, told) if window), None)


def _capabilities(entry: Mapping[str, Any]) -> frozenset[str] | None:
    """In the words of an Ollama; None where the server does not tell."""
    told, parameters = entry.get("capabilities"), entry.get("supported_parameters")
    if entry.get("type") == "embeddings":
        return frozenset({"embedding"})
    if isinstance(told, dict) and "function_calling" in told:
        tools = bool(told["function_calling"])
    elif isinstance(told, list):
        tools = "tool_use" in told
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
        or any(isinstance(told, dict) and told.get("vision") is True for told in (abilities, modalities))
        or (isinstance(inputs, list) and "image" in inputs)
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
