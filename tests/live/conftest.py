"""One suite for all servers: each test runs against the rehearsal host and, where they can be had, against real ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.live import table
from tests.live.peers import OWN, PATIENCE, WANTED, Reals, Talk, rehearsed

REALS = ("real-installed",) if OWN else ("real-0.13.5", "real-0.34.4")
SERVERS = ("rehearsal-0.13", "rehearsal-0.34", *(REALS if WANTED else ()))

Opener = Callable[..., AbstractAsyncContextManager[Talk]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server_name" in metafunc.fixturenames:
        marks = {True: (), False: (pytest.mark.live,)}
        params = [pytest.param(name, marks=marks[name.startswith("rehearsal")]) for name in SERVERS]
        metafunc.parametrize("server_name", params, scope="session")


@pytest.fixture(scope="session")
def reals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reals]:
    found = Reals(tmp_path_factory.mktemp("models"))
    yield found
    found.stop()


@pytest.fixture
def open_server(server_name: str, reals: Reals, request: pytest.FixtureRequest) -> Opener:
    """Opens the server that the test runs against, with settings of its own where it needs them."""
    kind, _, version = server_name.partition("-")
    known = table.known_difference(request.node.name, request.node.originalname)
    if known:
        request.applymarker(pytest.mark.xfail(reason=known, strict=WANTED))
    if kind == "real" and reals.binary(version) is None:
        pytest.skip(f"Ollama {version} is not built: scripts/real-ollama build --version v{version}")

    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[Talk]:
        limits = aiohttp.ClientTimeout(total=PATIENCE)
        peer = rehearsed(version, **settings) if kind == "rehearsal" else reals.opened(version, table.line_of(version), **settings)
        async with peer as at, aiohttp.ClientSession(timeout=limits, connector=aiohttp.TCPConnector(limit=0)) as session:
            yield Talk(at, session)

    return opened


@pytest.fixture
async def server(open_server: Opener) -> AsyncIterator[Talk]:
    """The server with its usual settings."""
    async with open_server() as talk:
        yield talk


@pytest.fixture
async def cold(server: Talk) -> Talk:
    """The same, with no model in memory."""
    await server.empty()
    return server


# ---------------------------------------------------------------- the table


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    table.note(item, report)
    return report


def pytest_sessionfinish() -> None:
    table.write()
