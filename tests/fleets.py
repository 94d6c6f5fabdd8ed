"""A shell beside a fleet: rehearsal hosts on real ports, a configuration that names them, and the `mmos` command or a terminal there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pexpect
import yaml

from mmos.rehearsal import Host, serve
from tests import warm
from tests.shell import Ended, command, environment, start

DEAD = "http://127.0.0.1:9"
"""Where nothing listens."""

Tree = dict[str, Any]


class Place:
    """A folder with `orchestration.yaml` in it."""

    def __init__(self, folder: Path, orchestration: Mapping[str, Any]) -> None:
        self.folder = folder
        (folder / "orchestration.yaml").write_text(yaml.safe_dump({"orchestration": dict(orchestration)}, sort_keys=False))

    async def start(self, *args: str, **environ: str) -> asyncio.subprocess.Process:
        return await start(self.folder, *args, **environ)

    async def mmos(self, *args: str, **environ: str) -> Ended:
        return await command(self.folder, *args, **environ)

    async def at_terminal(
        self, *args: str, talk: Callable[[pexpect.spawn], None], rows: int = 24, columns: int = 100, terminal: str = "xterm-256color"
    ) -> tuple[str, int]:
        """What the screen got, and the exit code; `talk` sits there, in a thread."""

        def sit() -> tuple[str, int]:
            screen = pexpect.spawn(
                warm.python(), ["-m", "mmos", *args], cwd=str(self.folder), env=environment(self.folder, TERM=terminal), encoding="utf-8",
                timeout=30, dimensions=(rows, columns),
            )  # fmt: skip
            shown: list[str] = []
            screen.logfile_read = _Tape(shown)
            talk(screen)
            screen.expect(pexpect.EOF)
            screen.close()
            return "".join(shown), screen.exitstatus

        return await asyncio.to_thread(sit)


class _Tape:
    def __init__(self, pieces: list[str]) -> None:
        self.write = pieces.append

    def flush(self) -> None:
        """Nothing is held back."""


@asynccontextmanager
async def fleet_at(
    folder: Path, *hosts: Host, roles: Mapping[str, Any] | None = None, servers: Mapping[str, Tree] | None = None, **more: Any
) -> AsyncIterator[Place]:
    """Serve hosts; `roles` are the specialists and the arbiter, `servers` add to what is said of a host, or name others."""
    async with AsyncExitStack() as stack:
        urls = {host.name: await stack.enter_async_context(serve(host)) for host in hosts}
        yield Place(folder, orchestration(hosts, urls, roles or {}, servers or {}) | more)


def orchestration(hosts: Iterable[Host], urls: Mapping[str, str], roles: Mapping[str, Any], servers: Mapping[str, Tree]) -> Tree:
    """A configuration of these hosts; a role that is a text names its model."""
    told: Tree = {}
    for host in hosts:
        memory = {} if host.vram_gb is None else {"vram_gb": host.vram_gb}
        told[host.name] = {"url": urls[host.name], "parallel": host.parallel, **memory}
    for name, more in servers.items():
        told[name] = {**told.get(name, {}), **more}
    listed = {name: {"model": role} if isinstance(role, str) else dict(role) for name, role in {"arbiter": "general:7b", **roles}.items()}
    return {"servers": told, "arbiter": listed.pop("arbiter"), "specialists": listed}
