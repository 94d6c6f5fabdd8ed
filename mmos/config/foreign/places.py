"""Names the servers that the addresses of a file mean: several backends at one address are one server."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mmos.config.environment import is_reference
from mmos.config.foreign.draft import TOP, Draft, Part

USUAL_ADDRESS = "http://localhost:11434"
USUAL_STUDIO = "http://localhost:1234/v1"
"""Where LM Studio listens."""
_REFERENCE = re.compile(r"\{env:([A-Za-z_][A-Za-z0-9_]*)\}|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)")
_KEY = re.compile(r"[^A-Za-z0-9._-]+")


def valid_key(name: str, taken: Collection[str], longest: int = 80) -> str:
    """A name that our keys may have, made from a name of a file, and not `taken`."""
    key = _KEY.sub("-", name).strip("-._")[:longest] or "unnamed"
    number = 2
    while key in taken:
        key, number = f"{_KEY.sub('-', name).strip('-._')[: longest - 4] or 'unnamed'}-{number}", number + 1
    return key


def referring(text: str) -> str:
    """An address or a key with references to the environment in our form."""
    return _REFERENCE.sub(lambda match: f"${{{match[1] or match[2] or match[3]}}}", text)


@dataclass
class Servers:
    """The servers so far."""

    draft: Draft
    named: dict[tuple[str, str], str] = field(default_factory=dict)
    """The names, by kind and address."""

    def of(self, part: Part, kind: str, *, name: str = "") -> str:
        """The server of a part with an address. `name`: how it is called, if the file says it."""
        given = part.first("url", "base_url", "baseURL", "endpoint", "host", "api_base")
        url = _completed(referring(given.text()), kind)
        if not given and kind == "ollama":
            given.note(f"the address is missing, so MMOS uses {USUAL_ADDRESS}")
            url = USUAL_ADDRESS
        if not url:
            given.complain("the address is missing; it is required here, like http://studio:1234/v1")
        if (kind, url) not in self.named:
            self._add(part, given, kind, url, name)
        return self.named[kind, url]

    def embedded(self, part: Part, model: str, path: Part) -> str:
        """The server that runs a model file in a process of MMOS."""
        name = self.named.setdefault(("embedded", ""), valid_key("direct", self.named.values()))
        if name not in self.draft.data.get("servers", {}):
            self.draft.put(("servers", name, "kind"), "embedded", part)
        self.draft.put(("servers", name, "models", model), path.text(), path)
        return name

    def _add(self, part: Part, given: Part, kind: str, url: str, name: str) -> None:
        name = self.named[kind, url] = valid_key(name or host_of(url), self.named.values())
        self.draft.put(("servers", name, "url"), url, given)
        self.draft.origins[TOP, "servers", name] = part.place
        if kind != "ollama":
            self.draft.put(("servers", name, "kind"), kind, part)
        self._secrets(part, ("servers", name))

    def _secrets(self, part: Part, place: tuple[str, str]) -> None:
        variable, key = part.first("api_key_env", "apiKeyEnv"), part.first("api_key", "apiKey")
        variable.copy(place, "api_key_env")
        reference = referring(key.text()) if key else ""
        if is_reference(reference):
            self.draft.put((*place, "api_key_env"), reference[2:-1], key)
        elif reference:
            self.draft.put((*place, "headers", "Authorization"), f"Bearer {reference}", key)
        part["headers"].copy(place)


def host_of(url: str) -> str:
    """The name of the machine in an address; `local` for this one."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # the check of the address says what is wrong
        return "host"
    return "local" if host in ("localhost", "127.0.0.1", "::1", "0.0.0.0") else host


def _completed(url: str, kind: str) -> str:
    """An address of an Ollama without the path of its API, and with a scheme."""
    url = url.strip().rstrip("/")
    if url and "://" not in url and not url.startswith("${"):
        url = f"http://{url}"
    return re.sub(r"/(api(/generate|/chat)?|v1)$", "", url) if kind == "ollama" else re.sub(r"/(chat/)?completions$", "", url)
