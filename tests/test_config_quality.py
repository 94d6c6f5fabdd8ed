"""The sections `quality` and `defaults` of the configuration."""

from __future__ import annotations

import pytest

from mmos.config.load import from_mapping, from_text
from mmos.errors import ConfigError

FILE = """\
orchestration:
  arbiter: {model: m}
  %s
"""


def test_the_defaults() -> None:
    loaded = from_mapping({"orchestration": {"arbiter": {"model": "m"}}}, environ={}).orchestration
    quality = loaded.quality
    assert (quality.validation, quality.minimum_confidence, quality.cross_validation, quality.judge) == ("on_request", 0.8, False, None)
    assert loaded.defaults.quality_threshold == 0.8


@pytest.mark.parametrize(
    "keys",
    [
        "quality: {}",
        "quality: {validation: always, judge: 'llama3.1:8b'}",
        "quality: {minimum_confidence: 1}",
        "defaults: {quality_threshold: 0}",
    ],
)
def test_what_a_file_may_say(keys: str) -> None:
    assert from_text(FILE % keys, "o.yaml", {}).orchestration


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("quality: {validation: alway}", "did you mean 'always'?"),
        ("quality: {minimum_confidence: 80}", "a number from 0 to 1"),
        ("quality: {judge: 'two words'}", "the name of a model"),
        ("defaults: {quality_threshold: -1}", "a number from 0 to 1"),
        ("defaults: {threshold: 1}", "defaults.threshold"),
    ],
)
def test_what_a_file_may_not_say(keys: str, problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        from_text(FILE % keys, "o.yaml", {})
    assert problem in str(raised.value)
