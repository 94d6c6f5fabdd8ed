"""A shell for stories: the `mmos` command in processes of its own, in a folder with a configuration for a stage."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mmos.testing import Model, Stage, Turn, stage
from tests import warm
from tests.disks import Disk


@dataclass
class Ended:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.out)


def environment(folder: Path, **more: str) -> dict[str, str]:
    """That of a user whose home is the folder, and who has set nothing of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MMOS_", "OLLAMA_", "XDG_"))}
    return {**kept, "HOME": str(folder), "NO_COLOR": "1", **more}


async def start(
    folder: Path, *args: str, stdin: int = asyncio.subprocess.DEVNULL, disk: Disk | None = None, cold: bool = False, **environ: str
) -> asyncio.subprocess.Process:
    """`mmos ARGS` in a folder. `disk`: a small disk that the command sees. `cold`: in an interpreter of its own, whose process is the one returned."""
    python = sys.executable if cold else warm.python()
    if disk is not None and python != sys.executable:
        environ |= {warm.INSIDE: str(disk.keeper.pid)}
    enter = disk.enter if disk is not None and python == sys.executable else ()
    return await asyncio.create_subprocess_exec(
        *enter, python, "-m", "mmos", *args, cwd=folder, env=environment(folder, **environ),
        stdin=stdin, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def finish(process: asyncio.subprocess.Process, given: bytes | None = None) -> Ended:
    async with asyncio.timeout(60):
        out, err = await process.communicate(given)
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def command(folder: Path, *args: str, given: bytes | None = None, **environ: str) -> Ended:
    """Run `mmos ARGS` in a folder to its end."""
    stdin = asyncio.subprocess.PIPE if given is not None else asyncio.subprocess.DEVNULL
    return await finish(await start(folder, *args, stdin=stdin, **environ), given)


@dataclass
class Shell:
    """A folder with a configuration in it, and a prompt."""

    folder: Path
    on: Stage
    disk: Disk | None = None
    """A small disk that every command sees."""

    async def start(self, *args: str, stdin: int = asyncio.subprocess.DEVNULL) -> asyncio.subprocess.Process:
        return await start(self.folder, *args, stdin=stdin, disk=self.disk)

    async def mmos(self, *args: str, given: bytes | None = None) -> Ended:
        process = await self.start(*args, stdin=asyncio.subprocess.PIPE if given is not None else asyncio.subprocess.DEVNULL)
        return await finish(process, given)


@asynccontextmanager
async def shell(
    folder: Path, roles: Mapping[str, Sequence[Turn] | Model], *, orchestration: Mapping[str, Any] | None = None, **options: Any
) -> AsyncIterator[Shell]:
    """Unless a story wants it, nothing is loaded ahead of calls: stories count the requests of a host."""
    given = dict(orchestration or {})
    given["fleet"] = {"warm_up": False, **given.get("fleet", {})}
    async with stage(roles, orchestration=given, **options) as on:
        (folder / "orchestration.yaml").write_text(yaml.safe_dump(dict(on.config)))
        yield Shell(folder, on)
