"""Reads the backends of Camus: each is a model on a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mmos.config.foreign.draft import TOP, Draft, Part
from mmos.config.foreign.parts import capabilities
from mmos.config.foreign.places import Servers, valid_key
from mmos.config.foreign.words import KINDS
from mmos.config.wording import listed, perhaps
from mmos.names import canonical

KEYS = (
    "name", "type", "url", "base_url", "endpoint", "host", "api_base", "model", "path", "model_path", "capabilities", "description",
    "context_window", "context_length", "num_ctx", "n_ctx", "options", "api_key", "api_key_env", "headers",
    "temperature", "max_tokens", "system_prompt", "timeout",
)  # fmt: skip
OF_MEMBER = ("temperature", "max_tokens", "system_prompt", "timeout")
"""Keys of a backend that hold for it in each pipeline."""


@dataclass(frozen=True)
class Backend:
    name: str
    key: str
    """Its key under `models`."""
    server: str
    part: Part


@dataclass
class Backends:
    draft: Draft
    servers: Servers
    by_name: dict[str, Backend] = field(default_factory=dict)

    @classmethod
    def read(cls, part: Part, draft: Draft) -> Backends:
        found = cls(draft, Servers(draft))
        if not part:
            part.complain("there are no backends; at least one is required, with name, type, url and model")
        named = [*_named(part)]
        models = {canonical(entry["model"].text()) for _, entry in named if entry["model"]}
        for name, entry in named:
            if name in found.by_name:
                entry["name"].complain(f"'{name}' is the name of two backends; change one of them")
            elif name:
                found._add(name, entry, models)
        return found

    def find(self, part: Part) -> Backend | None:
        """The backend that is named here. If there is none, that is a problem of the file."""
        name = part.text()
        if name and self.by_name and name not in self.by_name:
            part.wrong(f"the name of a backend: {listed(self.by_name)}", perhaps(name, self.by_name))
        elif not name and not part:
            part.complain("the name of the backend is missing")
        return self.by_name.get(name)

    def _add(self, name: str, part: Part, models: set[str]) -> None:
        part.only(*KEYS)
        path = part.first("path", "model_path")
        kind = part["type"].one_of(KINDS) or ("embedded" if path else "ollama")
        key = valid_key(name, [backend.key for backend in self.by_name.values()])
        if canonical(key) in models and canonical(part["model"].text()) != canonical(key):
            key = valid_key(f"{key}-backend", [backend.key for backend in self.by_name.values()])  # the name of another model
        server = self._embedded(part, key, path) if kind == "embedded" else self._served(part, key, kind)
        self.by_name[name] = Backend(name, key, server, part)
        self.draft.origins[TOP, "models", key] = part.place
        self._describe(part, ("models", key))

    def _embedded(self, part: Part, key: str, path: Part) -> str:
        if not path:
            part.complain("'path' is missing; a backend that runs a model file needs one, like /models/my-model.gguf")
        self.draft.put(("models", key, "model"), key, part)
        return self.servers.embedded(part, key, path)

    def _served(self, part: Part, key: str, kind: str) -> str:
        if not part["model"]:
            part.complain("'model' is missing; it is required here")
        self.draft.put(("models", key, "model"), part["model"].text(), part["model"])
        return self.servers.of(part, kind)

    def _describe(self, part: Part, place: tuple[str, str]) -> None:
        capabilities(part["capabilities"], place)
        part["description"].copy(place)
        options = part["options"]
        for name, option in options.named():
            if name != "num_ctx":
                option.copy((*place, "options"))
        window = part.first("context_window", "context_length", "num_ctx", "n_ctx") or options["num_ctx"]
        window.copy(place, "context_window")


def _named(part: Part) -> Iterator[tuple[str, Part]]:
    """The backends of a list, or of a mapping by name."""
    if isinstance(part.value, dict):
        yield from part.named()
        return
    for entry in part.entries():
        if not isinstance(entry.value, dict):
            entry.wrong("a mapping of keys: name, type, url, model")
            continue
        if not entry["name"]:
            entry.complain("'name' is missing; it is required here")
        yield entry["name"].text(), entry
