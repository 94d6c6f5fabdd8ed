"""The texts of `prompts/`: filled by name, values are data, and the user's own go first."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.errors import ConfigError
from mmos.prompting import templates
from mmos.prompting.templates import NAMES, Templates, fill, set_of, texts


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


def test_an_unknown_place_is_an_error_that_names_the_line_the_nearest_and_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "brief.md").write_text("<!-- ours -->\n\nDo {{ task }}.\nFor {{ what }} and {{ querry }}.\n")
    with pytest.raises(ConfigError) as raised:
        Templates(tmp_path).text("brief")
    assert str(raised.value).splitlines() == [
        f"{tmp_path}/brief.md:4: 'what' is not a place here. Allowed: task, asker, query, context",
        f"{tmp_path}/brief.md:4: 'querry' is not a place here; did you mean 'query'? Allowed: task, asker, query, context",
    ]


def test_lines_are_counted_once_however_many_places_there_are(tmp_path: Path) -> None:
    (tmp_path / "brief.md").write_text(
        "{{ task }}\n" * 50_000 + "{{ x }}{{ y }}"
    )  # counted from the beginning for each place, it would take minutes
    lines = [str(problem).split(":")[1] for problem in Templates(tmp_path).problems()]
    assert lines == ["50001", "50001"]


def test_places_may_be_written_without_spaces(tmp_path: Path) -> None:
    (tmp_path / "specialist.md").write_text("{{role}}: {{  purpose }}")
    (tmp_path / "schema.md").write_text("Your tools: {{tools}}")
    own = Templates(tmp_path)
    assert own.fill("specialist", role="coding", purpose="It codes.") == "coding: It codes."
    assert own.text("schema") == "Your tools: {{ tools }}"


def test_every_shipped_text_is_described_and_holds_known_places_only() -> None:
    shipped = {path.stem for path in Templates().shipped("arbiter").parent.glob("*.md")}
    assert shipped == set(NAMES)
    assert {path.stem for path in set_of("small").glob("*.md")} < shipped
    assert Templates().problems() == Templates(set_of("small")).problems() == Templates(set_of("small")).unused() == []
    for name, text in texts().items():
        assert set(Templates().places_in(name)) == text.places.keys()


def test_the_code_fills_the_places_that_are_described() -> None:
    """A place that is described and not filled would be found by the first user who writes it."""
    filled: dict[str, set[str]] = {}
    for path in Path(templates.__file__).parent.parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                filled |= _filled(node)
    assert filled.keys() | {"schema"} == texts().keys()
    assert {name: set(texts()[name].places) for name in filled} == filled


def _filled(node: ast.Call) -> dict[str, set[str]]:
    """The texts that a call in the code fills, with the places."""
    called, first = ast.unparse(node.func), ast.unparse(node.args[0])
    if called in ("Unclear", "Objection"):
        names, places = [first], {ast.unparse(key) for given in node.args[1:] if isinstance(given, ast.Dict) for key in given.keys if key}
    elif called.endswith(".fill") and called != "textwrap.fill" and first not in ("unclear.text", "problem.text"):
        names, places = [first], {repr(word.arg) for word in node.keywords}
    elif called == "fill" and isinstance(node.args[0], ast.Subscript):
        return {ast.literal_eval(node.args[0].slice): {str(word.arg) for word in node.keywords}}
    else:
        return {}
    if not isinstance(node.args[0], ast.Constant):
        names = ["'interpreter'", "'functiongemma'"]
    return {name.strip("'"): {place.strip("'") for place in places} for name in names}


def test_a_file_of_the_user_replaces_single_sections(tmp_path: Path) -> None:
    (tmp_path / "replies.md").write_text("<!-- ours -->\n## user_says\n<!-- short -->\n{{answer}} -- the boss\n\n## none\nnothing\n")
    own = Templates(tmp_path)
    assert (own.fill("user_says", answer="Go."), own.fill("none")) == ("Go. -- the boss", "nothing")
    assert own.fill("did_you_mean", tool="look") == "Did you mean look?"
    assert (own.source("none"), own.source("did_you_mean")) == ("own", "built_in")
    assert own.path("none") == tmp_path / "replies.md"
    assert own.problems() == own.unused() == []
    assert own.whole("none") == "## none\nnothing\n"


def test_slips_in_a_file_of_sections_are_found_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "replies.md").write_text(
        "Be kind.\n## user_say\nHm.\n\n## poem\nRoses.\n## none\n<!-- why -->\n\n## same_call\n\nAgain,\n{{ time }}!\n## same_call\nStop.\n## error"
    )
    assert [str(problem).removeprefix(f"{tmp_path}/") for problem in Templates(tmp_path).problems()] == [
        "replies.md:1: this text is in no section; write a line above it, such as '## error'",
        "replies.md:2: 'user_say' is not a section of replies.md; did you mean 'user_says'?",
        "replies.md:5: 'poem' is not a section of replies.md; see `mmos prompts list`",
        "replies.md:7: the section 'none' has no text; remove it to use the built-in one",
        "replies.md:14: the section 'same_call' is in this file twice",
        "replies.md:16: the section 'error' has no text; remove it to use the built-in one",
    ]
    (tmp_path / "replies.md").write_text("<!-- ours -->\n\n## same_call\n\nAgain,\n{{ time }}!\n")
    (problem,) = Templates(tmp_path).problems()
    assert str(problem) == f"{tmp_path}/replies.md:6: 'time' is not a place here; did you mean 'times'? Allowed: times, result"
    (tmp_path / "replies.md").write_bytes(b"\xff\xfe")
    assert [Path(problem.where).name for problem in Templates(tmp_path).problems()] == ["replies.md"]


def test_all_problems_of_a_folder_are_found_at_once(tmp_path: Path) -> None:
    (tmp_path / "brief.md").write_text("{{ taks }}")
    (tmp_path / "schema.md").write_text("{{ functions }}")
    (tmp_path / "again.md").write_bytes(b"\xff\xfe")
    assert [problem.where.rpartition("/")[2] for problem in Templates(tmp_path).problems()] == ["brief.md:1", "schema.md:1", "again.md"]


def test_files_that_are_never_read_are_named_with_what_was_meant(tmp_path: Path) -> None:
    for name in ("arbitre.md", "Brief.md", "synthesis.txt", "poem.md", "digest.md", "README.md", ".DS_Store"):
        (tmp_path / name).write_text("Words.")
    (tmp_path / "clarify.md").mkdir()
    found = {Path(problem.where).name: problem.message for problem in Templates(tmp_path).unused()}
    assert found.pop("clarify.md") == "mmos cannot read this: it is not a file"
    assert {name: message.partition("; ")[2] for name, message in found.items()} == {
        "Brief.md": "did you mean brief.md?",
        "arbitre.md": "did you mean arbiter.md?",
        "poem.md": f"mmos reads {', '.join(f'{name}.md' for name in NAMES)}",
        "synthesis.txt": "did you mean synthesis.md?",
    }
    assert Templates().unused() == Templates(tmp_path / "nowhere").unused() == []


def test_texts_that_leave_out_what_they_are_for_are_named(tmp_path: Path) -> None:
    files = {
        "brief": "Do it: {{ task }}",
        "arbiter": "\n",
        "schema": "{% if tools %}{{ tools }}{% endif %}",
        "specialist": "Hi.",
        "shape": "{{ x }}",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.md").write_text(text)
    (tmp_path / "replies.md").write_text("## part\n{{ request }}\n")
    assert sorted((Path(problem.where).name, problem.message) for problem in Templates(tmp_path).lacking()) == [
        ("arbiter.md", "this file has no text, so models read nothing; remove it to use the built-in one"),
        ("brief.md", "the text 'brief' has no {{ query }}, so models never read what that role asks"),
        ("replies.md", "the text 'part' has no {{ text }}, so models never read the part"),
    ]
    assert Templates().lacking() == Templates(set_of("small")).lacking() == []


def test_a_text_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "brief.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        Templates(tmp_path).text("brief")


def test_a_text_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "brief.md").write_text("First.")
    own = Templates(tmp_path)
    assert own.text("brief") == "First."
    (tmp_path / "brief.md").write_text("Second.")
    assert own.text("brief") == "First."
