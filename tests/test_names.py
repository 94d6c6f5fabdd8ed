"""Names of models."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.names import canonical, same_model


@pytest.mark.parametrize(
    ("name", "spelled_out"),
    [
        ("qwen2.5", "qwen2.5:latest"),
        ("qwen2.5:14b", "qwen2.5:14b"),
        ("library/qwen2.5", "qwen2.5:latest"),
        ("registry.ollama.ai/library/qwen2.5:14b", "qwen2.5:14b"),
        ("hf.co/bartowski/Some-GGUF", "hf.co/bartowski/some-gguf:latest"),
        ("localhost:5000/team/model", "localhost:5000/team/model:latest"),
    ],
)
def test_a_name_is_spelled_out(name: str, spelled_out: str) -> None:
    assert canonical(name) == spelled_out


def test_latest_is_implied_and_capitals_do_not_count() -> None:
    assert same_model("embed", "embed:latest")
    assert same_model("Qwen2.5:14B", "qwen2.5:14b")


def test_another_tag_is_another_model() -> None:
    assert not same_model("qwen2.5:14b", "qwen2.5")
    assert not same_model("team/qwen2.5", "qwen2.5")


@given(st.text(alphabet="abc:/.", max_size=20))
def test_spelling_out_twice_changes_nothing(name: str) -> None:
    if not name.startswith(("library/", "registry")):
        assert canonical(canonical(name)) == canonical(name)
