"""Serves the routes that create, copy and push models, and the blobs of models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from mmos.rehearsal.catalogue import pull_named, tell
from mmos.rehearsal.decoding import NAME, Fields, RefusalError, decode
from mmos.rehearsal.host import Host
from mmos.rehearsal.personas import Model, Template, full_name, key
from mmos.rehearsal.visit import Visit
from mmos.rehearsal.writers import encode, refuse

BLOBS = "/api/blobs/"
DIGEST = re.compile(r"\Asha256[:-][0-9a-f]{64}\Z")
NO_FILE = "open {path}: no such file or directory"
NO_WEIGHTS = "rehearsal: models come from personas; there is nothing that could read the weights of a file"


async def create(visit: Visit) -> None:
    """Create a model from an installed one: with another name, and its own options, system text or template."""
    fields = Fields(decode(visit.http, "api.CreateRequest"), "CreateRequest", dot=visit.host.rules.struct_dot)
    name, base, stream = fields.text("model") or fields.text("name"), fields.text("from"), fields.flag("stream", True)
    if not NAME.match(name):
        raise RefusalError(400, "invalid model name")
    files = fields.mapping("files")
    if not base and not files:
        return visit.http.reply(400, encode({"error": "neither 'from' or 'files' was specified"}), "application/json")
    if files:
        return tell(visit.http, ["parsing GGUF"], _weights(visit.host, files), stream=stream)
    found = visit.host.installed.get(key(base, suffixes=visit.host.rules.suffixes))
    if found is None:
        return await pull_named(visit, base, stream=stream)
    derived = _derive(found, name, fields)
    visit.host.installed = {derived.key: derived, **{name: model for name, model in visit.host.installed.items() if name != derived.key}}
    layers = [f"using existing layer sha256:{found.weights}", f"creating new layer sha256:{sha256(visit.http.body).hexdigest()}"]
    return tell(visit.http, [*layers, "writing manifest", "success"], "", stream=stream)


def _derive(base: Model, name: str, fields: Fields) -> Model:
    template = fields.text("template")
    changes: dict[str, Any] = {"template": _kind(template)} if template else {}
    if template:
        others = [what for what in base.capabilities if what != "tools"]
        changes["capabilities"] = [*others, "tools"] if ".Tools" in template else others
    system = fields.text("system") or base.system
    options = {**base.parameters, **fields.mapping("parameters")}
    return replace(base, name=name, blob=base.blob or base.full_name, system=system, parameters=options, **changes)


def _kind(template: str) -> Template:
    """The rehearsed template that is closest to a Go template."""
    if ".Tools" not in template:
        return "plain"
    if re.search(r"\{\{-?\s*\.Function\s*-?\}\}", template):
        return "structs"
    return "either" if re.search(r"else if \.ToolCalls", template) else "whole"


def _weights(host: Host, files: Mapping[str, Any]) -> str:
    """Refuse to make a model from files. There is always an error."""
    for digest in map(str, files.values()):
        if not DIGEST.match(digest):
            return "invalid digest format"
        if digest not in host.blobs:
            return NO_FILE.replace("{path}", f"/root/.ollama/models/blobs/{digest.replace(':', '-')}")
    return NO_WEIGHTS


async def push(visit: Visit) -> None:
    """Push a model. It always fails, because there is no registry."""
    fields = Fields(decode(visit.http, "api.PushRequest"), "PushRequest")
    name, stream = fields.text("model") or fields.text("name"), fields.flag("stream", True)
    if not name:
        raise RefusalError(400, "model is required")
    found = visit.host.installed.get(key(name, suffixes=visit.host.rules.suffixes))
    space, _, path = (full if "/" in (full := full_name(name)) else f"library/{full}").rpartition("/")
    if found is None:
        manifest = f"/root/.ollama/models/manifests/registry.ollama.ai/{space}/{path.replace(':', '/')}"
        return tell(visit.http, ["retrieving manifest", "couldn't retrieve manifest"], NO_FILE.replace("{path}", manifest), stream=stream)
    blob = f"https://registry.ollama.ai/v2/{space}/{path.partition(':')[0]}/blobs/sha256:{found.weights}"
    return tell(visit.http, ["retrieving manifest"], f'Head "{blob}": dial tcp: lookup registry.ollama.ai: no such host', stream=stream)


async def has_blob(visit: Visit) -> None:
    digest = visit.http.path.removeprefix(BLOBS)
    if not DIGEST.match(digest):
        return refuse(visit.http, 400, "invalid digest format")
    return visit.http.reply(200, b"", "") if digest in visit.host.blobs else refuse(visit.http, 404, f'blob "{digest}" not found')


async def put_blob(visit: Visit) -> None:
    """Receive a blob. The host keeps only the digest."""
    digest = visit.http.path.removeprefix(BLOBS)
    if not DIGEST.match(digest):
        return refuse(visit.http, 400, "invalid digest format")
    if digest in visit.host.blobs:
        return visit.http.reply(200, b"", "")
    found = f"sha256:{sha256(visit.http.body).hexdigest()}"
    if found != digest.replace("-", ":"):
        return refuse(visit.http, 400, f'digest mismatch, expected "{digest}", got "{found}"')
    visit.host.blobs.add(digest)
    return visit.http.reply(201, b"", "")
