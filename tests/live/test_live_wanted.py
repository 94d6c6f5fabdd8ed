"""Says in one line whether the suite compared with real servers."""

from __future__ import annotations

import pytest
from real_ollama.server import VERSIONS, built

from tests.live.peers import CACHE, OWN, WANTED


@pytest.mark.live
def test_the_real_servers_are_here() -> None:
    if not WANTED:
        pytest.skip("NOT COMPARED WITH A REAL OLLAMA: `just live` builds the real servers and runs tests/live against them")
    missing = [version for version in VERSIONS if built(version, CACHE) is None]
    assert OWN or not missing, f"build them with scripts/real-ollama build --version {missing[0]}"
