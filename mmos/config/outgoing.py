"""Finds the variables of the environment that a configuration sends to hosts."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mmos.config.crosscheck import roles_in
from mmos.config.environment import has_reference, is_reference, references
from mmos.config.load import Config
from mmos.config.pattern_checks import members_in
from mmos.config.schema import Server
from mmos.config.wording import Place, mapping, masked

_PROMPT_KEYS = frozenset(
    {
        "model",
        "system",
        "description",
        "role",
        "options",
        "server",
        "system_prompt",
        "task",
        "prompt",
        "name",
        "aggregator_model",
        "aggregation_prompt",
    }
)
"""Keys of a role, a model, a pattern or its member whose text goes to a host."""


@dataclass(frozen=True)
class OutgoingVariable:
    """A variable whose value leaves this machine."""

    variable: str
    hosts: tuple[str, ...]
    """Addresses without their secrets."""
    key: str
    """The key in the configuration that sends it."""


def outgoing_variables(config: Config) -> list[OutgoingVariable]:
    """The variables that go to hosts on other machines, set or not."""
    away = {name: _address(config, name, server) for name, server in config.servers().items() if is_away(server)}
    if not away:
        return []
    data = config.document.data.get("orchestration", {})
    found = [*_to_servers(config, away), *_in_roles(data, tuple(dict.fromkeys(away.values())))]
    return [OutgoingVariable(name, hosts, config.document.named(("orchestration", *place))) for name, hosts, place in found]


def _to_servers(config: Config, away: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...], Place]]:
    for name in config.defined.keys() & away.keys():
        place, hosts = ("servers", name), (away[name],)
        key = config.defined[name].api_key_env
        if key:
            yield key, hosts, (*place, "api_key_env")
        yield from ((variable, hosts, at) for at, variable in _variables(config.document.at(("orchestration", *place)), place))


def _in_roles(data: Mapping[str, Any], hosts: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...], Place]]:
    entries = mapping(data, "models")
    patterns = mapping(data, "patterns")
    sections: list[tuple[Place, dict[str, Any]]] = [
        *roles_in(data),
        *(one for one in members_in(data) if len(one[0]) > len(("patterns", "NAME"))),
    ]
    sections += [(("models", key), mapping(entries, key)) for key in entries]
    sections += [(("patterns", key), mapping(patterns, key)) for key in patterns]
    for place, role in sections:
        for key in _PROMPT_KEYS & role.keys():
            for at, name in _variables(role[key], (*place, key)):
                if not (key in ("model", "aggregator_model") and "MODEL" in name.upper()):  # such a variable names a model, and no secret
                    yield name, hosts, at


def _variables(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """Variables in texts."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _variables(part, (*place, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _variables(part, (*place, index))
    elif isinstance(value, str) and not (_is_address(place) and is_reference(value)):
        yield from ((place, name) for name in references(value))


def _is_address(place: Place) -> bool:
    """Whether the value is an address. A host gets its own address only."""
    match place:
        case (
            ("servers", _, "url")
            | ("arbiter", "server", *_)
            | ("specialists", _, "server", *_)
            | ("patterns", _, "models", _, "server", *_)
        ):
            return True
    return False


def is_away(server: Server) -> bool:
    host = urlsplit(server.url).hostname if server.kind != "embedded" else None
    return host is not None and not is_local(host)


def is_local(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(config: Config, name: str, server: Server) -> str:
    """The address of a host as the file has it. A value from the environment may be a secret."""
    data = config.document.at(("orchestration", "servers", name, "url"))
    if isinstance(data, str) and has_reference(data):
        return masked(data)
    if name in config.implicit and name not in config.text:
        return "a host that the environment names"
    parts = urlsplit(server.url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
