"""The texts of `prompts/`: filled by name, values are data, and the user's own go first."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.errors import ConfigError
from mmos.prompting.templates import Templates, fill


@given(st.text(), st.text())
def test_values_are_data_whatever_they_contain(task: str, query: str) -> None:
    assert fill("<{{ task }}|{{ query }}>", task=task, query=query) == f"<{task}|{query}>"


def test_a_place_inside_a_value_stays_as_it_is() -> None:
    assert fill("{{ a }} {{ b }}", a="{{ b }}", b=r"\1 {{ a }}") == r"{{ b }} \1 {{ a }}"


def test_the_shipped_texts_are_there_and_speak_of_every_place() -> None:
    shipped = Templates()
    assert "the-list" in shipped.fill("arbiter", specialists="the-list")
    assert "{{" not in shipped.fill("specialist", role="coding", purpose="It codes.")
    assert "{{" not in shipped.fill("synthesizer")
    assert "{{ tools }}" in shipped.text("schema")


def test_the_users_own_folder_goes_first(tmp_path: Path) -> None:
    (tmp_path / "specialist.md").write_text("Ours for {{ role }}.\n")
    own = Templates(tmp_path)
    assert own.fill("specialist", role="coding", purpose="") == "Ours for coding."
    assert own.text("arbiter") == Templates().text("arbiter")


def test_comments_at_the_head_are_left_out_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "brief.md").write_text("<!-- places: {{ nobody }} -->\n<!-- by us -->\n\nDo it. <!-- kept -->\n")
    assert Templates(tmp_path).fill("brief") == "Do it. <!-- kept -->"


def test_an_unknown_place_is_an_error_that_names_the_file_and_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "brief.md").write_text("Do {{ what }} for {{ task }}.")
    with pytest.raises(ConfigError) as raised:
        Templates(tmp_path).fill("brief", task="x", query="y")
    assert str(tmp_path / "brief.md") in str(raised.value)
    assert "unknown place ['what']; known here: query, task" in str(raised.value)


def test_a_text_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "brief.md").write_bytes(b"\xff\xfe")
    for name in ("brief", "no such text"):
        with pytest.raises(ConfigError, match="cannot be read"):
            Templates(tmp_path).text(name)


def test_a_text_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "brief.md").write_text("First.")
    own = Templates(tmp_path)
    assert own.text("brief") == "First."
    (tmp_path / "brief.md").write_text("Second.")
    assert own.text("brief") == "First."
