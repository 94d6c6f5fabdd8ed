"""Stories of `mmos prompts`: see what models read, change it, and find what was changed or misspelt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from mmos.prompting.templates import texts
from mmos.testing import Call
from tests.shell import Shell, shell
from tests.terminal import terminal

CONSULT = Call("consult_coding_specialist", {"query": "Write it."})


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Shell]:
    """A house with a specialist, an interpreter, and a folder for prompts that is still empty."""
    (tmp_path / "mine").mkdir()
    roles = {"arbiter": [CONSULT, "Written."], "coding": ["def it(): …"], "interpreter": []}
    changes = {"prompts": "mine", "arbiter": {"system": "Be brief."}, "specialists": {"coding": {"description": "writes code"}}}
    async with shell(tmp_path, roles, orchestration=changes) as here:
        yield here


async def test_a_prompt_is_looked_up_changed_and_used(at: Shell) -> None:
    same = await at.mmos("prompts", "diff")
    assert (same.code, same.out, same.err) == (0, "", "All prompts are the built-in ones.\n")
    mine = at.folder / "mine" / "brief.md"
    mine.touch()  # as the shell does before mmos starts to write there
    ours = await at.mmos("prompts", "show", "brief", "--built-in")
    assert "{{ query }}" in ours.out
    assert "{{ asker }}  the role that consults" in ours.err
    mine.write_text(ours.out.replace("The user's own words", "This is what the user wrote").replace("{{ asker }}", "the team"))
    ran = await at.mmos("run", "Please.")
    assert (ran.code, ran.out) == (0, "Written.\n")
    assert at.on.heard("coding")[0].startswith("This is what the user wrote:\n<<<\nPlease.")
    listed = await at.mmos("prompts", "list", "--json")
    rows = {row["name"]: row for row in listed.document["prompts"]}
    assert rows.keys() == texts().keys()
    assert (rows["brief"]["source"], rows["brief"]["path"], rows["brief"]["left_out"]) == ("own", str(mine), ["asker"])
    assert {row["source"] for name, row in rows.items() if name != "brief"} == {"built_in"}
    assert (await at.mmos("prompts", "list")).out.count(" mine/brief.md ") == 1
    differs = (await at.mmos("prompts", "diff")).out.splitlines()
    assert differs[:2] == ["--- built in/brief.md", "+++ mine/brief.md"]
    assert "+This is what the user wrote:" in differs
    assert (await at.mmos("prompts", "diff", "--json")).document["prompts"][0]["diff"].splitlines() == differs


async def test_a_role_is_shown_what_it_is_told(at: Shell) -> None:
    """Word for word the beginning of what its model gets."""
    for role, word in (("arbiter", "- coding: writes code\n\nBe brief."), ("coding", "You are the coding specialist")):
        shown = (await at.mmos("prompts", "show", role, "--filled")).out.strip()
        assert word in shown
        assert "{{" not in shown
        await at.on.app.run("Please.")
        assert at.on.sent(role)[0]["messages"][0]["content"].startswith(shown)
    assert "{{ role }}" in (await at.mmos("prompts", "show", "coding")).out
    assert "functiongemma" not in (await at.mmos("prompts", "show", "interpreter", "--filled")).err


async def test_slips_are_named_with_what_was_meant(at: Shell) -> None:
    for name, text in (("brief", "{{ taks }}"), ("arbitre", "You decide.")):
        (at.folder / "mine" / f"{name}.md").write_text(text)
    listed = await at.mmos("prompts", "list")
    assert listed.code == 2
    assert "brief.md:1: 'taks' is not a place here; did you mean 'task'?" in listed.err
    assert "arbitre.md: mmos never reads this file; did you mean arbiter.md?" in listed.err
    found = (await at.mmos("prompts", "list", "--json")).document
    assert [Path(row["path"]).name for row in found["problems"] + found["unused"]] == ["brief.md:1", "arbitre.md"]
    checked = await at.mmos("config", "check")
    assert "warning: " in checked.err
    assert "did you mean arbiter.md?" in checked.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "codnig"], "No prompt and no role is named 'codnig'; did you mean 'coding'?"),
        (["diff", "zzz"], "No prompt and no role is named 'zzz'."),
        (["show", "brief", "--filled"], "--filled takes a role: arbiter, coding, interpreter, synthesizer."),
        (["show", "coding", "--filled", "--built-in"], "Give one of them"),
    ],
)
async def test_a_wrong_word_is_answered_by_the_next_step(at: Shell, words: list[str], told: str) -> None:
    ended = await at.mmos("prompts", *words)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err


async def test_what_a_model_reads_about_its_calls_is_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    turns = [Call("translate", {"text": "Write it."}), *[CONSULT] * 4, "Written."]
    changes = {"prompts": "mine", "limits": {"repeats": 3}}
    async with shell(tmp_path, {"arbiter": turns, "coding": ["<<<\ndef it(): …"] * 3}, orchestration=changes) as at:
        mine = at.folder / "mine" / "replies.md"
        mine.write_text(
            (await at.mmos("prompts", "show", "same_call", "--built-in")).out.replace("You have made this very call", "Enough:")
        )
        with mine.open("a") as more:
            more.write("\n## unknown_tool\n\nNo {{ tool }} here.{{ guess }}\n")
        mine.with_name("tools.md").write_text("## consult_ROLE_specialist\nOur {{ role }} expert.\n## consult.query\nYour wish.\n")
        assert (await at.mmos("run", "Please.")).out == "Written.\n"
        consult = at.on.sent("arbiter")[0]["tools"][0]["function"]
        assert (consult["description"], consult["parameters"]["properties"]["query"]["description"]) == ("Our coding expert.", "Your wish.")
        heard = at.on.heard("arbiter")
        assert heard[1] == "Error: No 'translate' here."
        assert heard[-1].startswith("Error: Enough: 3 times; it is not made again. Its last result was:\n<<<<\n")
        rows = {row["name"]: row for row in (await at.mmos("prompts", "list", "--json")).document["prompts"]}
        assert {name for name, row in rows.items() if row["source"] == "own"} == {
            "same_call",
            "unknown_tool",
            "consult_ROLE_specialist",
            "consult.query",
        }
        assert rows["unknown_tool"]["left_out"] == ["tools"]
        differs = (await at.mmos("prompts", "diff")).out.splitlines()
        assert differs[:2] == ["--- built in/replies.md (unknown_tool)", "+++ mine/replies.md (unknown_tool)"]
        mine.write_text("## unknown_tol\nNo.\n")
        for words in (["prompts", "list"], ["config", "check"], ["run", "Please."]):
            ended = await at.mmos(*words)
            assert ended.code == 2
            assert "mine/replies.md:1: 'unknown_tol' is not a section of replies.md; did you mean 'unknown_tool'?" in ended.err


async def test_a_file_that_cannot_be_read_is_an_error_that_names_it(at: Shell) -> None:
    (at.folder / "mine" / "again.md").write_bytes(b"\xff\xfe")
    for words in (["list"], ["diff"]):
        ended = await at.mmos("prompts", *words)
        assert ended.code == 2
        assert "again.md" in ended.err
        assert "cannot be read" in ended.err


async def test_the_small_set_is_shown_as_such(at: Shell) -> None:
    text = yaml.safe_load((at.folder / "orchestration.yaml").read_text())
    text["orchestration"]["prompts"] = "small"
    (at.folder / "orchestration.yaml").write_text(yaml.safe_dump(text))
    rows = (await at.mmos("prompts", "list", "--json")).document["prompts"]
    assert {row["name"] for row in rows if row["source"] == "small"} == {"arbiter", "brief", "schema", "specialist"}


async def test_a_folder_in_the_home_folder_is_found(at: Shell) -> None:
    """`config check` took `~/` for the home folder, and a run did not."""
    text = yaml.safe_load((at.folder / "orchestration.yaml").read_text())
    text["orchestration"]["prompts"] = "~/mine"  # the home of this shell is its folder
    (at.folder / "orchestration.yaml").write_text(yaml.safe_dump(text))
    (at.folder / "mine" / "brief.md").write_text("Just do it: {{ query }}")
    assert (await at.mmos("run", "Please.")).code == 0
    assert at.on.heard("coding") == ["Just do it: Write it."]


async def test_at_a_terminal_a_text_does_not_steer_it(at: Shell) -> None:
    (at.folder / "mine" / "brief.md").write_text("Red: \x1b[31m{{ query }}\n")
    async with terminal(at.folder, "prompts", "show", "brief") as screen:
        assert await screen.ended() == 0
        await screen.shows("Red: [31m{{ query }}")
