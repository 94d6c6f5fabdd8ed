"""Error messages for the embedded engine."""

from __future__ import annotations

import signal
from pathlib import Path

from mmos import errors
from mmos.errors import HostError
from mmos.hosts.embedded.files import INSTALL_ENGINE, INSTALL_MODEL
from mmos.hosts.faults import Site


def no_engine(site: Site) -> HostError:
    message = f"{site.host} cannot run: the package xllamacpp, which is llama.cpp for Python, is not installed."
    return site.error(errors.HostUnreachable, message, f"Install it: {INSTALL_ENGINE}")


def unknown(site: Site, known: list[str]) -> HostError:
    message = f"{site.host} does not have {site.model}. It has: {', '.join(known) or 'no models'}."
    return site.error(errors.ModelMissing, message, f"Add its file to `models` of {site.host} in the configuration.")


def no_file(site: Site, path: Path | None) -> HostError:
    if path is None:
        message, cure = f"The file of the built-in model {site.model} is not installed.", f"Install it: {INSTALL_MODEL}"
    else:
        message, cure = f"There is no file {path} for {site.model} on {site.host}.", f"Correct its path in `models` of {site.host}."
    return site.error(errors.ModelMissing, message, cure)


def not_loaded(site: Site, path: Path, reason: str) -> HostError:
    kind = errors.OutOfMemory if "alloc" in reason or "memory" in reason else errors.LoadFailed
    cure = "Choose a smaller model or `context_window`." if kind is errors.OutOfMemory else "Is the file whole? Fetch it again."
    detail = f": {reason}" if reason else ""
    return site.error(kind, f"{site.host} cannot load {path} for {site.model}{detail}.", cure)


def died_loading(site: Site, code: int | None, reason: str) -> HostError:
    detail = f": {reason}" if reason else ""
    message = f"The engine of {site.model} on {site.host} died while it loaded the model ({_end(code)}){detail}."
    return site.error(errors.LoadFailed, message, "Is there memory enough for it, and is the file whole?")


def died(site: Site, code: int | None, partial: str) -> HostError:
    message = f"The engine of {site.model} on {site.host} died ({_end(code)})."
    cure = "It is started anew at the next call. When it dies again, try a smaller context_window."
    return site.error(errors.RunnerCrashed, message, cure, partial=partial)


def slow(site: Site, seconds: float) -> HostError:
    message = f"{site.host} did not load {site.model} within {seconds:g} s."
    return site.error(errors.HostTimeout, message, "Raise `timeouts.load`, or choose a smaller model.", stage="load")


def no_embedding(site: Site) -> HostError:
    message = f"{site.model} on {site.host} makes no embeddings."
    return site.error(errors.LacksEmbedding, message, "Name the file of an embedding model, such as nomic-embed-text.")


def no_chat(site: Site) -> HostError:
    message = f"{site.model} on {site.host} makes embeddings and does not answer."
    return site.error(errors.LacksChat, message, "Give the role another model.")


def _end(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}"
