"""Says which addresses a page may come from: those that the configuration names, and none inside a network unless it names that one."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from mmos.config.wording import shown
from mmos.errors import ToolDenied
from mmos.prompting.templates import Templates

LONGEST = 2_000
_PORTS = {"http": 80, "https": 443}
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Allowed:
    """The hosts that are allowed."""

    templates: Templates = field(repr=False, compare=False)
    entries: Sequence[str]
    names: frozenset[str] = field(init=False)
    networks: tuple[Network, ...] = field(init=False)

    def __post_init__(self) -> None:
        networks = {entry: network for entry in self.entries if (network := _network(entry)) is not None}
        object.__setattr__(self, "names", frozenset(entry.lower() for entry in self.entries if entry not in networks))
        object.__setattr__(self, "networks", tuple(networks.values()))

    def check(self, url: str) -> SplitResult:
        """The parts of an address that may be asked. Raises `ToolDenied` if it may not."""
        parts = self._parts(url)
        host, port = (parts.hostname or "").lower().rstrip("."), parts.port or _PORTS[parts.scheme]
        if (ip := _ip(host)) is not None:
            if not self.takes(ip) and f"{host}:{port}" not in self.names and not ("*" in self.names and _is_public(ip)):
                raise self._denied(host)
        elif not self._has(host, port):
            raise self._denied(host)
        return parts

    def takes(self, ip: Ip) -> bool:
        """Whether an address inside a network, or one that was named as such, is allowed."""
        return any(ip in network for network in self.networks if network.version == ip.version)

    def check_resolved(self, host: str, ips: Iterable[str]) -> None:
        """Raise `ToolDenied` for a name that leads into a network that is not named."""
        for text in ips:
            ip = _unwrapped(ipaddress.ip_address(text.partition("%")[0]))
            local = host.rstrip(".").lower() == "localhost" and ip.is_loopback
            if not _is_public(ip) and not local and not self.takes(ip):
                raise ToolDenied(self.templates.fill("page_inside", host=shown(host), ip=str(ip)))

    def _has(self, host: str, port: int) -> bool:
        usual = port in _PORTS.values()
        return f"{host}:{port}" in self.names or (usual and (self._is_named(host) or ("*" in self.names and host != "localhost")))

    def _is_named(self, host: str) -> bool:
        above = host.split(".")
        return host in self.names or any(f"*.{'.'.join(above[at:])}" in self.names for at in range(1, len(above)))

    def _denied(self, host: str) -> ToolDenied:
        return ToolDenied(self.templates.fill("page_denied", host=shown(host), allowed=", ".join(self.entries)))

    def _parts(self, url: str) -> SplitResult:
        parts = None if len(url) > LONGEST or not url.isprintable() or " " in url or "\\" in url else _split(url)
        if parts is None:
            raise ToolDenied(self.templates.fill("url_wrong"))
        return parts


def _split(url: str) -> SplitResult | None:
    """The parts of the whole address of a page. None: it is none, or it has a name or a password in it."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if valid and parts.username is None and parts.password is None else None


def _network(entry: str) -> Network | None:
    try:
        return ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None


def _ip(host: str) -> Ip | None:
    try:
        return _unwrapped(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return None


def _is_public(ip: Ip) -> bool:
    return ip.is_global and not ip.is_multicast


def _unwrapped(ip: Ip) -> Ip:
    """The IPv4 address that an IPv6 address stands for."""
    return ip.ipv4_mapped or ip.sixtofour or ip if isinstance(ip, ipaddress.IPv6Address) else ip
