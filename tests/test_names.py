"""Names of models: the canonical spelling, and what a host makes of the same names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.names import canonical, pattern_called, same_model
from mmos.rehearsal import Host, Model
from mmos.rehearsal.decoding import RefusalError

PLACES = [
    "",
    "library/",
    "Library/",
    "registry.ollama.ai/library/",
    "registry.ollama.ai/",
    "Registry.Ollama.AI/team/",
    "team/",
    "hf.co/library/",
]
NAMES = st.builds(
    "".join, st.tuples(st.sampled_from(PLACES), st.sampled_from(["big", "Big", "big2.5"]), st.sampled_from(["", ":latest", ":7B", ":7b", ":local"]))
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "spelled_out"),
    [
        ("qwen2.5", "qwen2.5:latest"),
        ("Qwen2.5:14B", "qwen2.5:14b"),
        ("library/qwen2.5", "qwen2.5:latest"),
        ("registry.ollama.ai/library/qwen2.5:14b", "qwen2.5:14b"),
        ("registry.ollama.ai/team/qwen2.5", "team/qwen2.5:latest"),
        ("registry.ollama.ai/qwen2.5", "registry.ollama.ai/qwen2.5:latest"),
        ("qwen2.5:14b:local", "qwen2.5:14b"),
        ("hf.co/bartowski/Some-GGUF", "hf.co/bartowski/some-gguf:latest"),
        ("localhost:5000/team/model", "localhost:5000/team/model:latest"),
    ],
)
def test_a_name_is_spelled_out(name: str, spelled_out: str) -> None:
    assert canonical(name) == spelled_out


def test_another_tag_or_place_is_another_model() -> None:
    assert not same_model("qwen2.5:14b", "qwen2.5")
    assert not same_model("team/qwen2.5", "qwen2.5")
    assert not same_model("library/library/qwen2.5", "qwen2.5")


@given(
    st.text(alphabet="aBß:/.", max_size=12)
    | st.lists(st.sampled_from(["library/", "registry.ollama.ai/", "Ab", ":local", ":"])).map("".join)
)
def test_the_canonical_spelling_is_its_own(name: str) -> None:
    assert canonical(canonical(name)) == canonical(name)


@given(NAMES, NAMES)
def test_names_are_equal_where_a_host_serves_the_same_model(installed: str, asked: str) -> None:
    model = Model(installed.removesuffix(":local"))
    host = Host("h", [model, Model("other")])
    try:
        found = host.model(asked, "missing")
    except RefusalError:
        found = None
    assert same_model(model.name, asked) == (found is model)


def test_a_pattern_may_be_called_as_in_the_file_of_another_tool():
    assert pattern_called("refine pro", {"refine-pro", "other"}) == "refine-pro"
    assert pattern_called("refine-pro", {"refine-pro", "refine-pro-2"}) == "refine-pro"
    assert pattern_called("refine pro", {"refine-pro", "refine-pro-2"}) == "refine pro"
    assert pattern_called("nothing", {"refine-pro"}) == "nothing"
