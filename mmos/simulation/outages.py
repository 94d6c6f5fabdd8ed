"""Takes the power from a simulated host, and gives it back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from mmos.rehearsal.host import Host
from mmos.simulation.serving import serve_hosts
from mmos.simulation.spans import Span


@dataclass(frozen=True)
class Outage:
    """A host has no power for a while."""

    host: str
    span: Span | None = None
    """None: it begins when half of the calls have ended, and takes half as long as they did."""


@dataclass
class Plug:
    """The plug of a host that is served."""

    host: Host
    _served: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def put_in(self) -> None:
        """Serve the host, after the first time on the same port."""
        port = int(self.host.url.rpartition(":")[2] or 0)
        await self._served.enter_async_context(serve_hosts([self.host], [port]))

    async def pull(self) -> None:
        """All connections break off, and the memory is empty."""
        await self._served.aclose()
        for model in self.host.models:
            self.host.residency.unload(model)


@asynccontextmanager
async def plugged(hosts: Sequence[Host]) -> AsyncIterator[Mapping[str, Plug]]:
    """Serve these hosts. Gives the plug of each."""
    plugs = {host.name: Plug(host) for host in hosts}
    async with AsyncExitStack() as stack:
        for plug in plugs.values():
            stack.push_async_callback(plug.pull)
            await plug.put_in()
        yield plugs
