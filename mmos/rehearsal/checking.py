"""Refuses requests that a host rejects before it loads a model."""

from __future__ import annotations

from mmos.rehearsal.decoding import RefusalError, check_options, nested_error
from mmos.rehearsal.host import Host
from mmos.rehearsal.personas import Model
from mmos.rehearsal.templates import check_template
from mmos.rehearsal.visit import Request

NO_EYES = "Multimodal data provided, but model does not support multimodal requests."


def refuse_broken(host: Host, model: Model, name: str) -> None:
    """Refuse a model with a broken file, as far as the host notices it before a load."""
    if model.broken is not None:
        status, text = host.rules.weights[model.broken]
        path = f"/root/.ollama/models/blobs/sha256-{model.weights}"
        raise RefusalError(status, text.replace("{path}", path).replace("{name}", name))


def check(request: Request, model: Model) -> None:
    ask, capabilities = request.ask, request.host.capabilities(model)
    if ask.raw and (ask.template or ask.context or any(message.get("role") == "system" for message in ask.messages)):
        raise RefusalError(400, "raw mode does not support template, system, or context")
    if "completion" not in capabilities:
        raise RefusalError(400, f'"{ask.model}" does not support {"chat" if request.chat else "generate"}')
    if ask.suffix and "insert" not in capabilities:
        raise RefusalError(400, f"registry.ollama.ai/library/{model.full_name} does not support insert")
    if ask.tools and "tools" not in capabilities:
        raise RefusalError(400, f"registry.ollama.ai/library/{model.full_name} does not support tools")
    if ask.think and "thinking" not in capabilities:
        raise RefusalError(400, f'"{ask.model}" does not support thinking')
    if isinstance(ask.think, str) and not (model.think_levels or request.host.rules.levels_for_all):
        raise RefusalError(400, f'think value "{ask.think}" is not supported for this model')
    check_options(ask.options)
    check_template(ask.template)
    if ask.images and not ask.render_only and not (model.can("vision") or request.host.rules.takes_images):
        raise RefusalError(400, nested_error(NO_EYES, "invalid_request_error"))
