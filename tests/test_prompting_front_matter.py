"""The head of a text: front matter in YAML, or comments. Models get neither."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mmos.prompting.front_matter import described, faults, without_head
from mmos.prompting.templates import Templates, texts

WHOLE = "---\nreader: specialists\nuse: 'the `message`: one'\nplaces:\n  task: the words\n---\nDo {{ task }}.\n"


def test_front_matter_says_who_reads_a_text_and_does_not_go_to_models() -> None:
    assert described(WHOLE) == {"reader": "specialists", "use": "the `message`: one", "places": {"task": "the words"}}
    assert without_head(WHOLE) == "Do {{ task }}.\n"


def test_comments_say_the_same() -> None:
    text = "<!-- specialists: the `message`: one\ntask: the words\n-->\nDo {{ task }}.\n"
    assert described(text) == described(WHOLE)
    assert without_head(text) == without_head(WHOLE) == without_head(f"{WHOLE.partition('Do')[0]}<!-- ours -->\nDo {{{{ task }}}}.\n")


@pytest.mark.parametrize(
    "text",
    [
        "---\nBe kind.\n---\nDo it.\n",
        "---\n\n---\n",
        "Do it.\n---\nuse: x\n---\n",
        "---\nuse: x\nDo it.\n",
        "---\n# Task\n---\n",
        "---\n- Be kind.\n---\nDo it.\n",
    ],
)
def test_lines_that_are_no_front_matter_stay(text: str) -> None:
    assert without_head(text) == text
    assert list(faults(text, {})) == []


def test_front_matter_below_a_comment_does_not_go_to_models_either() -> None:
    assert without_head("<!-- ours -->\n---\nuse: x\n---\n<!-- more -->\nDo it.\n") == "Do it.\n"


def test_whatever_yaml_says_is_read() -> None:
    text = '---\n# ours\nname: "x: y"\nplaces: [task]\ndescription: >\n  long\n  text\n---\nDo it.\n'
    assert without_head(text) == "Do it.\n"
    assert list(faults(text, {"task": ""})) == []


def test_slips_are_found_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "brief.md").write_text("---\nreeder: me\nplaces:\n  task: a\n  taks: b\n---\nDo {{ task }} {{ what }}.\n")
    (tmp_path / "replies.md").write_text("---\nabout: ours\n---\n\n## none\n---\nuse: x\nplaces: [a]\n---\nnothing\n")
    assert [str(problem).removeprefix(f"{tmp_path}/").partition(" Allowed")[0] for problem in Templates(tmp_path).problems()] == [
        "brief.md:7: 'what' is not a place here.",
        "brief.md:2: 'reeder' is not a key of front matter; did you mean 'reader'?",
        "brief.md:5: 'taks' is not a place here; did you mean 'task'?",
        "replies.md:8: 'a' is not a place here.",
    ]


def test_front_matter_that_is_not_yaml_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "schema.md").write_text("---\nuse: [\n---\nTools: {{ tools }}\n")
    (problem,) = Templates(tmp_path).problems()
    assert str(problem).startswith(f"{tmp_path}/schema.md:2: this front matter is not YAML: ")


def test_the_front_matter_of_every_built_in_text_is_yaml() -> None:
    for name in texts():
        front = Templates().whole(name).partition("---\n")[2].partition("---\n")[0]
        if not front:  # a comment says it
            continue
        assert yaml.safe_load(front) == described(f"---\n{front}---\n"), name
