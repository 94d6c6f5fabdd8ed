"""Serves what a host reports about itself and its models: version, tags, ps, show, pull."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmos.rehearsal.clock import stamp
from mmos.rehearsal.decoding import LONGEST_KEEP, NAME, Fields, RefusalError, check_name, decode
from mmos.rehearsal.host import Host
from mmos.rehearsal.personas import Model, full_name, key
from mmos.rehearsal.runner import Runner
from mmos.rehearsal.templates import go_template
from mmos.rehearsal.visit import Visit
from mmos.rehearsal.wire import HttpRequest
from mmos.rehearsal.writers import encode

NO_SUCH_FILE = "pull model manifest: file does not exist"


async def root(visit: Visit) -> None:
    visit.http.reply(200, b"Ollama is running", "text/plain; charset=utf-8")


async def version(visit: Visit) -> None:
    visit.http.reply(200, encode({"version": visit.host.version}))


async def tags(visit: Visit) -> None:
    visit.http.reply(200, encode({"models": [_tag(visit.host, model) for model in visit.host.installed.values()]}))


async def ps(visit: Visit) -> None:
    visit.http.reply(200, encode({"models": [_resident(visit.host, runner) for runner in visit.host.residency.listed()]}))


async def show(visit: Visit) -> None:
    fields = Fields(decode(visit.http, "api.ShowRequest"), "ShowRequest")
    name = fields.text("model") or fields.text("name")
    if not name:
        raise RefusalError(400, "model is required")
    label = full_name(name, suffixes=visit.host.rules.suffixes) if visit.host.rules.show_tells_tag else name
    model = visit.host.model(name, f"model '{label}' not found")
    visit.http.reply(200, encode(_card(visit.host, model)))


async def status(visit: Visit) -> None:
    visit.http.reply(200, encode({"cloud": {"disabled": True, "source": "env"}}))


async def copy(visit: Visit) -> None:
    """A second name for the same weights."""
    fields = Fields(decode(visit.http, "api.CopyRequest"), "CopyRequest")
    source, target = fields.text("source"), fields.text("destination")
    for what, name in (("source", source), ("destination", target)):
        if not NAME.match(name):
            raise RefusalError(400, f'{what} "{name}" is invalid')
    model = visit.host.model(source, f'model "{source}" not found')
    twin = replace(model, name=target, blob=model.blob or model.full_name)
    visit.host.installed = {twin.key: twin, **visit.host.installed}
    visit.http.reply(200, b"", "")


async def delete(visit: Visit) -> None:
    fields = Fields(decode(visit.http, "api.DeleteRequest"), "DeleteRequest")
    name = fields.text("model") or fields.text("name")
    if not NAME.match(name):
        raise RefusalError(400, visit.host.rules.delete_nothing if not name else f'name "{name}" is invalid')
    model = visit.host.model(name, f"model '{name}' not found")
    visit.host.residency.unload(model)
    visit.host.installed = {name: other for name, other in visit.host.installed.items() if other is not model}
    visit.http.reply(200, b"", "")


async def pull(visit: Visit) -> None:
    fields = Fields(decode(visit.http, "api.PullRequest"), "PullRequest")
    await pull_named(visit, fields.text("model") or fields.text("name"), stream=fields.flag("stream", True))


async def pull_named(visit: Visit, name: str, *, stream: bool) -> None:
    check_name(name, visit.host.rules)
    model_key = key(name)
    found = next((model for model in [*visit.host.installed.values(), *visit.host.pullable] if model.key == model_key), None)
    if found is None:
        return tell(visit.http, ["pulling manifest"], NO_SUCH_FILE, stream=stream)
    if stream:
        await _stream_pull(visit, found)
    visit.host.installed = {model_key: found, **visit.host.installed}
    return None if visit.http.status else visit.http.reply(200, encode({"status": "success"}), "application/json")


def tell(http: HttpRequest, steps: Sequence[str], error: str, *, stream: bool) -> None:
    """Send the progress and the result. The host answers 200 before it knows the result, so an error is a line of the stream."""
    if not stream:
        return http.reply(500 if error else 200, encode({"error": error} if error else {"status": steps[-1]}), "application/json")
    http.open()
    for row in (*({"status": step} for step in steps), *([{"error": error}] if error else [])):
        http.send(encode(row) + b"\n")
    return http.close()


async def _stream_pull(visit: Visit, model: Model) -> None:
    digest = f"sha256:{model.digest}"
    layer = {"status": f"pulling {model.digest[:12]}", "digest": digest, "total": model.size}
    steps: list[Mapping[str, Any]] = [{"status": "pulling manifest"}, layer]
    if model.key not in visit.host.installed:
        steps += [{**layer, "completed": model.size * quarter // 4} for quarter in range(1, 4)]
    steps.append({**layer, "completed": model.size})
    steps += [{"status": status} for status in ("verifying sha256 digest", "writing manifest", "success")]
    visit.http.open()
    for step in steps:
        visit.http.send(encode(step) + b"\n")
        await visit.http.drain()
    visit.http.close()


# ---------------------------------------------------------------- shapes


def _details(model: Model) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": model.parameter_size,
        "quantization_level": model.quantization,
    }


def _tag(host: Host, model: Model) -> dict[str, Any]:
    lengths: dict[str, Any] = {"context_length": model.context_length, "embedding_length": model.architecture.embedding_length}
    fields: dict[str, Any] = {
        "name": model.full_name,
        "model": model.full_name,
        "modified_at": stamp(host.started),
        "size": model.size,
        "digest": model.digest,
        "details": _details(model),
    }
    if not host.rules.tags_tell_all:
        return fields
    return fields | {"details": fields["details"] | lengths, "capabilities": host.capabilities(model)}


def _resident(host: Host, runner: Runner) -> dict[str, Any]:
    seconds = min(host.residency.seconds_left(runner), LONGEST_KEEP)
    return {
        "name": runner.model.full_name,
        "model": runner.model.full_name,
        "size": runner.need.size,
        "digest": runner.model.digest,
        "details": _details(runner.model),
        "expires_at": host.clock.stamp(seconds if math.isfinite(seconds) else LONGEST_KEEP),
        "size_vram": int(runner.vram / host.faults.lie(runner.model.name)),
        "context_length": runner.window,
    }


def _card(host: Host, model: Model) -> dict[str, Any]:
    template = go_template(model)
    modelfile = (
        f'# Modelfile generated by "ollama show"\n# FROM {model.full_name}\n\nFROM sha256-{model.digest}\nTEMPLATE """{template}"""\n'
    )
    return {
        "modelfile": modelfile,
        **({"parameters": _parameters_text(model)} if model.parameters else {}),
        "template": template,
        **({"system": model.system} if model.system else {}),
        "details": _details(model),
        "model_info": _model_info(model),
        "capabilities": host.capabilities(model),
        "modified_at": stamp(host.started),
    }


def _parameters_text(model: Model) -> str:
    rows = [(name, one) for name, value in model.parameters.items() for one in (value if isinstance(value, list) else [value])]
    return "\n".join(f"{name:<30} {encode(value).decode()}" for name, value in rows)


def _model_info(model: Model) -> dict[str, Any]:
    family, architecture = model.family, model.architecture
    return {
        f"{family}.attention.head_count": architecture.heads,
        f"{family}.attention.head_count_kv": architecture.kv_heads,
        f"{family}.attention.key_length": architecture.head_size,
        f"{family}.attention.value_length": architecture.head_size,
        f"{family}.block_count": architecture.layers,
        f"{family}.context_length": model.context_length,
        f"{family}.embedding_length": architecture.embedding_length,
        "general.architecture": family,
        "general.description": "a scripted rehearsal model",
        "general.parameter_count": _parameters(model.parameter_size),
    }


def _parameters(size: str) -> int:
    """`14.8B` as a number."""
    factor = {"K": 1e3, "M": 1e6, "B": 1e9}.get(size[-1:].upper())
    try:
        return round(float(size[:-1]) * factor) if factor else int(size)
    except ValueError:
        return 0
