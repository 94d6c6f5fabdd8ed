"""Wakes a host that sleeps, with a Wake-on-LAN packet."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from math import inf

from mmos.errors import HostError, HostTimeout, HostUnreachable
from mmos.logs import logger

EVERY = 60.0
"""Seconds between two packets at least."""
SECONDS = 90.0
BROADCAST = "255.255.255.255"
PORT = 9

_log = logger("mmos.fleet")


@dataclass
class Waker:
    """Wakes one host. Times are seconds of MMOS's clock."""

    mac: str
    address: str = BROADCAST
    """Where the packet goes: an address, with or without a port."""
    seconds: float = SECONDS
    """How long calls wait for the host."""
    _sent: float = field(default=-inf, init=False)
    _since: float = field(default=-inf, init=False)

    def wake(self, now: float) -> float:
        """Send the packet, unless that was done a moment ago. Returns the seconds for which the host is worth waiting."""
        if now - self._sent >= EVERY:
            self._sent = now
            if now >= self._since + self.seconds:
                self._since = now
            self._send()
        return max(0.0, self._since + self.seconds - now)

    def _send(self) -> None:
        host, _, port = self.address.partition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outlet:
            outlet.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            try:
                outlet.sendto(packet(self.mac), (host, int(port or PORT)))
            except OSError as error:
                _log.warning("wake_failed", address=self.address, error=str(error))


def packet(mac: str) -> bytes:
    """The magic packet: six bytes of ones, and the address of the network card sixteen times."""
    return b"\xff" * 6 + bytes.fromhex(mac.replace(":", "").replace("-", "")) * 16


def may_sleep(error: HostError | None) -> bool:
    """Whether a host that sleeps would give this error."""
    return isinstance(error, HostUnreachable) or (isinstance(error, HostTimeout) and error.stage == "connect")
