"""Who rewrites files, by what the command line and the configuration say."""

from __future__ import annotations

from typing import Any

import pytest

from mmos.cli.modify.ways import Asked, ways_of
from mmos.config.load import Config, from_mapping
from mmos.errors import UsageError

PATTERNS = {"two": {"pattern": "sequential", "models": ["a", "b"]}, "vote": {"pattern": "voting", "models": ["a", "b"]}}


def config(**defaults: Any) -> Config:
    return from_mapping({"orchestration": {"arbiter": {"model": "a"}, "patterns": PATTERNS, "defaults": defaults}}, environ={})


def ways(asked: Asked, **defaults: Any) -> list[tuple[str, Any]]:
    return [(way.name, way.options.pattern or way.options.model or way.options.strategy) for way in ways_of(asked, config(**defaults))]


def test_who_rewrites() -> None:
    assert ways(Asked()) == [("single", "single")]
    assert ways(Asked(), pattern="two") == [("two", "two")]
    assert ways(Asked(), strategy="vote") == [("vote", "vote")]
    assert ways(Asked(), strategy="intelligent", pattern="two") == [("intelligent", "intelligent")]
    assert ways(Asked(model="m@h"), pattern="two") == [("m@h", "m@h")]
    assert ways(Asked(strategy="single"), pattern="two") == [("single", "single")]
    assert ways(Asked(["two", "vote"])) == [("two", "two"), ("vote", "vote")]
    assert ways(Asked(strategy="two")) == [("two", "two")]


def test_what_the_command_line_changes_of_a_pipeline() -> None:
    assert ways(Asked(["two"], ensemble=True)) == [("two", {"name": "two", "pattern": "ensemble"})]
    assert ways(Asked(parallel=True)) == [("parallel", {"pattern": "parallel"})]
    assert ways(Asked(parallel=True), pattern="two") == [("two", {"name": "two", "pattern": "parallel"})]
    assert ways(Asked(["two"], max_steps=1, validate=True)) == [("two", {"name": "two", "max_steps": 1, "validate": True})]
    assert ways(Asked(["vote"], validate=True)) == [("vote", "vote")]


@pytest.mark.parametrize(
    "asked",
    [
        Asked(["two"], model="m"), Asked(["two"], strategy="single"), Asked(["two"], strategy="vote"), Asked(model="m", strategy="two"),
        Asked(model="m", ensemble=True), Asked(strategy="single", max_steps=1), Asked(ensemble=True, parallel=True),
        Asked(["two"], strategy="ensemble", parallel=True), Asked(["two"], ensemble=True, max_steps=2), Asked(max_steps=2),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(asked: Asked) -> None:
    with pytest.raises(UsageError):
        ways_of(asked, config())
