"""What all tests share: nobody's own configuration, state or home is seen by a test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from mmos import testing
from tests import remade, replayed, warm

settings.register_profile("untimed", deadline=None)  # on a busy machine, any example may take long
settings.load_profile("untimed")
testing.AFTERWARDS += [remade.every_request_again, replayed.every_run_again]


LONGEST = (
    "test_story_fresh_machine", "test_story_hostile_chat", "test_docs", "test_fleet_bench", "test_fault_bench", "test_story_disk",
    "test_story_embedded", "test_story_mixed_faults", "test_environment", "test_kill_bench", "test_journal_texts",
)  # fmt: skip
"""The files that take longest. They begin first, so that no worker has one of them to itself at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONGEST)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    remade.begin(getattr(item, "funcargs", {}).get("tmp_path"))
    replayed.begin(item.name, getattr(item, "funcargs", {}).get("tmp_path"))


STRANGE = ("MMOS_CONFIG", "OLLAMA_HOST", "FORCE_COLOR", "PY_COLORS", "COLUMNS")
"""What changes how commands behave, set by whoever runs the tests."""


@pytest.fixture(scope="session", autouse=True)
def nothing_left() -> Iterator[None]:
    """The process that commands are forked from ends with the tests."""
    yield
    warm.end()


@pytest.fixture(scope="session", autouse=True)
def home_of_nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty home, for tests and for the commands that they start."""
    home = tmp_path_factory.mktemp("home")
    places = {"HOME": home, "XDG_CONFIG_HOME": home / "config", "XDG_STATE_HOME": home / "state", "XDG_CACHE_HOME": home / "cache"}
    before = dict(os.environ)
    for name in STRANGE:
        os.environ.pop(name, None)
    os.environ.update({name: str(place) for name, place in places.items()})
    yield
    os.environ.clear()
    os.environ.update(before)
