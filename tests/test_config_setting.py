"""Setting a value in the text of a configuration: the value is there, and no other byte has changed."""

from __future__ import annotations

import pytest

from mmos.config.setting import with_value
from mmos.errors import UsageError

KEYS = ("orchestration", "defaults", "strategy")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("orchestration:\n  arbiter: {model: m}  # mine\n", "orchestration:\n  arbiter: {model: m}  # mine\n  defaults:\n    strategy: review\n"),
        ("orchestration:\n  defaults:\n    quality_threshold: 0.5  # low\n\n  # end\n", "orchestration:\n  defaults:\n    quality_threshold: 0.5  # low\n    strategy: review\n\n  # end\n"),
        ("orchestration:\n  defaults:  # none yet\n  arbiter: {model: m}\n", "orchestration:\n  defaults:  # none yet\n    strategy: review\n  arbiter: {model: m}\n"),
        ("orchestration:\n  defaults: {}\n", "orchestration:\n  defaults: {strategy: review}\n"),
        ("orchestration:\n  defaults: {strategy: \"single\"}  # why\n", "orchestration:\n  defaults: {strategy: review}  # why\n"),
        ("orchestration:\n  defaults:\n    strategy: single # why\n", "orchestration:\n  defaults:\n    strategy: review # why\n"),
        ("orchestration:\r\n  defaults:\r\n    strategy:\r\n", "orchestration:\r\n  defaults:\r\n    strategy: review\r\n"),
        ("orchestration: {arbiter: {model: m}}", "orchestration: {arbiter: {model: m}, defaults: {strategy: review}}"),
        ("{orchestration: {defaults: {quality_threshold: 1}}}\n", "{orchestration: {defaults: {quality_threshold: 1, strategy: review}}}\n"),
    ],
)  # fmt: skip
def test_the_value_is_set_and_the_rest_stays(before, after):
    assert with_value(before, KEYS, "review", "o.yaml") == after
    assert with_value(after, KEYS, "review", "o.yaml") == after


def test_no_value_is_null():
    assert (
        with_value("orchestration: {defaults: {strategy: single}}", KEYS, None, "o.yaml") == "orchestration: {defaults: {strategy: null}}"
    )


@pytest.mark.parametrize("text", ["a: &x {strategy: single}\norchestration: {defaults: *x}\n", "orchestration: [1]\n", "orchestration: {defaults: {strategy: [a]}}\n"])  # fmt: skip
def test_a_layout_without_a_safe_place_says_what_to_write(text):
    with pytest.raises(UsageError) as caught:
        with_value(text, KEYS, "review", "o.yaml")
    assert caught.value.next_step == "orchestration:\n  defaults:\n    strategy: review"
