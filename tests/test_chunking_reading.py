"""Tests of how the results of parts are joined."""

from __future__ import annotations

import pytest

from mmos.chunking.reading import joint


@pytest.mark.parametrize(
    ("text", "result", "between"),
    [
        ("It is late.\n\n", "Es ist spät.", "\n\n"),
        ("It is late. ", "Es ist spät.", " "),
        ("天很晚了。", "天色已晚。", ""),
        ("天很晚了。", "It is late.", " "),
        ('{"a":1,', '{"b":1,', ""),
    ],
)
def test_results_are_joined_as_the_text_was_unless_its_script_has_no_spaces(text: str, result: str, between: str) -> None:
    assert joint(text, result) == between
