"""Everything in Ollama's API except chat: lists, details, and loading, unloading and pulling models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from mmos.errors import HostError, LacksChat
from mmos.hosts import faults
from mmos.hosts.face import Card, Installed, Loaded, Progress, Timeouts
from mmos.hosts.names import same_model
from mmos.hosts.wire import Wire
from mmos.plurals import counted

if TYPE_CHECKING:
    import httpx

_BATCH = 32  # larger ones are answered with 400 and 500 by some versions
_LOOK_SECONDS = 0.05
_STALL_SECONDS = 600.0  # a pull checks many GB between two lines


async def version(wire: Wire) -> str:
    answer = await wire.ask("/api/version")
    if not isinstance(answer.get("version"), str):
        raise faults.garbled(wire.site(), "it tells no version")
    return str(answer["version"])


async def tags(wire: Wire) -> list[Installed]:
    return [_installed(entry) for entry in await _models(wire, "/api/tags")]


async def ps(wire: Wire) -> list[Loaded]:
    return [_loaded(entry) for entry in await _models(wire, "/api/ps")]


async def show(wire: Wire, model: str) -> Card:
    answer = await wire.ask("/api/show", {"model": model}, model=model)
    details, info = _part(answer, "details"), _part(answer, "model_info")
    return Card(
        name=model,
        capabilities=_words(answer.get("capabilities")) or frozenset(),
        context_length=_count(info, f"{info.get('general.architecture')}.context_length"),
        family=_text(details, "family"),
        parameters=_text(details, "parameter_size"),
        quantization=_text(details, "quantization_level"),
        template=_text(answer, "template"),
        details=info,
    )


async def embed(wire: Wire, model: str, texts: Sequence[str], timeouts: Timeouts) -> list[list[float]]:
    vectors: list[list[float]] = []
    for start in range(0, len(texts), _BATCH):
        batch = list(texts[start : start + _BATCH])
        # Left to itself, a host cuts a long text short and says nothing of it.
        question = {"model": model, "input": batch, "truncate": False}
        answer = await wire.ask("/api/embed", question, model=model, timeouts=timeouts, cold=True)
        found = answer.get("embeddings")
        if not isinstance(found, list) or len(found) != len(batch):
            raise faults.garbled(wire.site(model), f"not {counted(len(batch), 'vector')} came for {counted(len(batch), 'text')}")
        vectors += found
    return vectors


async def preload(wire: Wire, model: str, frame: Mapping[str, Any], timeouts: Timeouts) -> None:
    """Has the model loaded in the frame that its calls will use: a call in another would load it again."""
    question = {"model": model, "stream": False, **frame}
    try:
        await wire.ask("/api/chat", {**question, "messages": []}, model=model, timeouts=timeouts, cold=True)
    except LacksChat:
        await wire.ask("/api/embed", {**question, "input": []}, model=model, timeouts=timeouts, cold=True)


async def unload(wire: Wire, model: str, *, patience: float, clock: Callable[[], float]) -> None:
    """Returns when the model is gone: the host says `unload` at once and does it afterwards."""
    await wire.ask("/api/generate", {"model": model, "keep_alive": 0, "stream": False}, model=model)
    end = clock() + patience
    for pause in _pauses():
        if not any(same_model(held.name, model) for held in await ps(wire)):
            return
        if clock() > end:
            raise faults.timed_out(wire.site(model), "unload")
        await asyncio.sleep(pause)


async def pull(wire: Wire, model: str) -> AsyncIterator[Progress]:
    # The package of Ollama's own makers serves this one well: a pull is rare, slow, and has none of the fields that the
    # package drops. Everything else here is on the way of every run, where its cost and what it leaves out would be felt.
    import httpx
    import ollama

    site = wire.site(model)
    if not model:
        raise faults.refused(site, 400, "model is required")
    limits = httpx.Timeout(_STALL_SECONDS, connect=5.0)
    client = ollama.AsyncClient(wire.url, headers=wire.headers, timeout=limits, follow_redirects=False, trust_env=False, auth=_only(wire))
    step = Progress("")
    try:
        async with client, aclosing(cast(AsyncGenerator[Any, None], await client.pull(model, stream=True))) as steps:
            async for came in steps:
                step = Progress(came.status or "", came.completed or 0, came.total or 0)
                yield step
    except ollama.ResponseError as error:
        raise _refused(site, error) from None
    except httpx.TransportError as error:
        raise _broken(site, error) from None
    except (ValueError, TypeError, AttributeError):  # what the package makes of lines that are none of Ollama's
        raise faults.garbled(site, "a line of the pull that is no progress") from None
    if step.status != "success":
        raise faults.cut(site, "the pull ended without success")


def _only(wire: Wire) -> Callable[[httpx.Request], httpx.Request]:
    """The package adds a key from the environment; only what the configuration names may go out."""

    def sign(request: httpx.Request) -> httpx.Request:
        if not any(name.lower() == "authorization" for name in wire.headers):
            request.headers.pop("Authorization", None)
        return request

    return sign


def _refused(site: faults.Site, error: Any) -> HostError:
    return faults.spoken(site, error.error) if error.status_code < 0 else faults.refused(site, error.status_code, str(error.error))


def _broken(site: faults.Site, error: httpx.TransportError) -> HostError:
    import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return faults.timed_out(site, "connect")
    if isinstance(error, httpx.TimeoutException):
        return faults.timed_out(site, "between_chunks")
    if isinstance(error, httpx.ConnectError):
        refused = "refused" in str(error) or "attempts failed" in str(error)
        return faults.unreachable(site, "refused" if refused else "other", str(error))
    return faults.cut(site, "the connection broke")


def _pauses() -> Iterator[float]:
    pause = _LOOK_SECONDS
    while True:
        yield pause
        pause = min(1.0, pause * 1.5)


async def _models(wire: Wire, path: str) -> list[dict[str, Any]]:
    answer = await wire.ask(path)
    if "models" not in answer:
        raise faults.garbled(wire.site(), f"{path} lists no models")
    entries = answer["models"] or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise faults.garbled(wire.site(), f"{path} lists something else than models")
    return [entry for entry in entries if _name(entry)]  # what has no name cannot be asked for


def _installed(entry: Mapping[str, Any]) -> Installed:
    details = _part(entry, "details")
    return Installed(
        name=_name(entry),
        digest=_text(entry, "digest"),
        size=_count(entry, "size") or 0,
        family=_text(details, "family"),
        parameters=_text(details, "parameter_size"),
        quantization=_text(details, "quantization_level"),
        context_length=_count(details, "context_length"),
        capabilities=_words(entry.get("capabilities")),
        remote=bool(entry.get("remote_host") or entry.get("remote_model")),
    )


def _loaded(entry: Mapping[str, Any]) -> Loaded:
    return Loaded(
        name=_name(entry),
        digest=_text(entry, "digest"),
        size=_count(entry, "size") or 0,
        size_vram=_count(entry, "size_vram") or 0,
        context_length=_count(entry, "context_length"),
        expires_at=_text(entry, "expires_at"),
    )


# ---------------------------------------------------------------- fields: one of another type is as good as none


def _name(entry: Mapping[str, Any]) -> str:
    return _text(entry, "name") or _text(entry, "model")


def _text(place: Mapping[str, Any], name: str) -> str:
    value = place.get(name)
    return value if isinstance(value, str) else ""


def _count(place: Mapping[str, Any], name: str) -> int | None:
    value = place.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _part(place: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = place.get(name)
    return value if isinstance(value, dict) else {}


def _words(value: object) -> frozenset[str] | None:
    return frozenset(word for word in value if isinstance(word, str)) if isinstance(value, list) else None
