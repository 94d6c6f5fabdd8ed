"""Files are rewritten: `mmos modify` over real HTTP, from the question to the bytes on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmos.rehearsal.prompt import Prompt
from mmos.rewriting.sources import sources_of
from mmos.rewriting.writing import Change, write
from mmos.testing import Call, Finish, Say, Turn
from tests.shell import Shell, command, shell
from tests.terminal import terminal

OLD = b"int main() {\r\n    return 0;\r\n}\r\n"
NEW = "// Starts here.\nint main() {\n    return 0;\n}\n"
DONE = NEW.replace("\n", "\r\n").encode()
ANSWER = f"Sure!\n```cpp\n{NEW}```\nDone."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.cpp").write_bytes(OLD)
    return tmp_path


def main_of(on: Shell) -> bytes:
    return (on.folder / "src" / "main.cpp").read_bytes()


async def test_a_diff_is_shown_and_nothing_is_written_until_told(folder: Path):
    async with shell(folder, {"arbiter": [[Say(ANSWER)]]}) as on:
        shown = await on.mmos("modify", "add comments", "--file", "src/main.cpp")
        assert shown.code == 0, shown.err
        assert shown.out == "--- a/src/main.cpp\n+++ b/src/main.cpp\n@@ -1,3 +1,4 @@\n+// Starts here.\n int main() {\n     return 0;\n }\n"
        assert "+1 -0, quality 1.00" in shown.err
        assert "Nothing was written. Add --apply" in shown.err
        assert main_of(on) == OLD
        (told,) = on.on.heard("arbiter")
        assert "int main() {\n    return 0;\n}\n```" in told
        assert "add comments" in told


async def test_a_model_finds_the_files_itself(folder: Path):
    look, name = Call("search_files", {"text": "main()"}), Call("propose_files", {"paths": ["src/main.cpp"]})
    async with shell(folder, {"arbiter": [look, name, [Say(ANSWER)], Call("propose_files", {"paths": ["../x"]}), "Nothing."]}) as on:
        found = await on.mmos("modify", "add comments to the entry", "--agentic", "--apply")
        assert (found.code, main_of(on)) == (0, DONE), found.err
        assert "found 1 file: src/main.cpp" in found.err
        assert on.on.heard("arbiter")[1] == "src/main.cpp:1: int main() {"
        none = await on.mmos("modify", "add comments", "--agentic", "--apply")
        assert none.code == 1
        assert "named no file that must be changed" in none.err


async def test_it_is_written_and_taken_back(folder: Path):
    async with shell(folder, {"arbiter": [[Say(ANSWER)]]}) as on:
        applied = await on.mmos("modify", "add comments", "--file", "src/main.cpp", "--apply", "--json")
        assert applied.code == 0, applied.err
        (file,) = applied.document["files"]
        assert (applied.document["status"], file["status"], file["added"], file["by"]) == ("applied", "changed", 1, "single")
        assert file["notes"] == ["the words around the block of code were left out"]
        assert main_of(on) == DONE
        undone = await on.mmos("modify", "--undo")
        assert (undone.code, main_of(on)) == (0, OLD), undone.err


async def test_an_answer_that_is_not_the_file_is_asked_for_again_and_then_refused(folder: Path):
    answers = [
        [Say("I would add a comment.")],
        [Say(ANSWER)],
        [Say("```cpp\n// ... existing code ...\n```")],
        [Say("```cpp\n// a\n"), Finish("length")],
    ]
    async with shell(folder, {"arbiter": answers}) as on:
        assert (await on.mmos("modify", "add comments", "--file", "src/main.cpp")).code == 0
        assert "An earlier answer to this could not be used" in on.on.heard("arbiter")[1]
        refused = await on.mmos("modify", "add more", "--file", "src/main.cpp", "--apply")
        assert refused.code == 1
        assert "refused. The answer was cut off" in refused.err
        assert main_of(on) == OLD


async def test_several_files_are_written_together_or_not_at_all(folder: Path):
    (folder / "a.txt").write_text("alpha\nbeta\n")
    (folder / "b.txt").write_text("gamma\ndelta\n")
    answers = {"a.txt": "```\nalpha\nBETA\n```", "b.txt": "I cannot do that."}

    def by_file(prompt: Prompt) -> Turn:
        return next(answer for name, answer in answers.items() if f"The file {name}." in prompt.user_text)

    async with shell(folder, {"arbiter": [by_file] * 3}) as on:
        half = await on.mmos("modify", "shout", "--file", "a.txt", "b.txt", "--apply")
        assert half.code == 1
        assert "Nothing was written, because 1 file could not be rewritten" in half.err
        assert (folder / "a.txt").read_text() == "alpha\nbeta\n"


async def test_a_test_that_fails_puts_the_files_back(folder: Path):
    quality = {"quality": {"command": ["grep", "-q", "Nobody", "src/main.cpp"]}}
    async with shell(folder, {"arbiter": [[Say(ANSWER)]] * 2}, orchestration=quality) as on:
        failed = await on.mmos("modify", "add comments", "--file", "src/main.cpp", "--apply", "--validate", "--trust")
        assert failed.code == 1
        assert "failed with exit code 1, so the old files are back: src/main.cpp" in failed.err
        assert main_of(on) == OLD


async def test_the_user_takes_changes_one_by_one(folder: Path):
    lines = [f"line {number}\n" for number in range(20)]
    (folder / "a.txt").write_text("".join(lines))
    new = ["one\n", *lines[1:18], "two\n", *lines[19:]]
    async with shell(folder, {"arbiter": [[Say(f"```\n{''.join(new)}```")]]}) as on:
        async with terminal(folder, "modify", "change", "--file", "a.txt") as at:
            await at.shows("(1/2) Take this change of a.txt [y,n,a,d,q,?]?")
            at.say("?")
            await at.shows("do not take this change")
            at.say("n")
            await at.shows("(2/2)")
            at.say("y")
            await at.shows("Wrote 1 file: a.txt.")
            assert await at.ended() == 0
        assert (on.folder / "a.txt").read_text() == "".join([*lines[:18], "two\n", lines[19]])


async def test_a_pipeline_rewrites_and_its_members_stand_beside_each_other(folder: Path):
    patterns = {"patterns": {"two": {"pattern": "sequential", "models": [{"role": "coding"}, {"role": "reasoning"}]}}}
    other = ANSWER.replace("Starts here", "The entry")
    turns = {"arbiter": [], "coding": [[Say(other)]] * 2, "reasoning": [[Say(ANSWER)]] * 2}
    async with shell(folder, turns, orchestration=patterns) as on:
        both = await on.mmos("modify", "add comments", "-f", "src/main.cpp", "--pipeline", "two", "--compare")
        assert both.code == 0, both.err
        assert "coding                " in both.out
        assert "│ reasoning" in both.out
        assert "+// The entry." in both.out
        assert "│ +// Starts here." in both.out
        document = (await on.mmos("modify", "add comments", "-f", "src/main.cpp", "--pipeline", "two", "--json")).document
        assert [member["name"] for member in document["files"][0]["members"]] == ["coding", "reasoning"]
        wrong = await on.mmos("modify", "add comments", "-f", "src/main.cpp", "--pipeline", "tow")
        assert (wrong.code, wrong.out) == (2, "")
        assert "There is no pattern 'tow'" in wrong.err


async def test_what_cannot_be_rewritten_is_said_before_a_model_is_asked(folder: Path):
    (folder / "locked").write_text("x\n")
    (folder / "locked").chmod(0o444)
    for words, told in (
        (["x"], "Which file?"), (["--file", "src/main.cpp"], "The instruction is missing"), (["x", "--file", "none"], "none: no such file"),
        (["x", "--file", "locked"], "read-only"), (["x", "--file", "/etc/hosts"], "outside of the working tree"),
        (["--undo"], "no rewrite of this working tree"), (["x", "--file", "src/main.cpp", "--agentic"], "cannot be used together"),
    ):  # fmt: skip
        refused = await command(folder, "modify", "--rehearse", *words)
        assert refused.code == 2
        assert told in refused.err


async def test_a_crash_in_the_middle_is_put_back_by_the_next_command(folder: Path):
    (folder / "a.txt").write_text("old\n")
    (folder / "orchestration.yaml").write_text('orchestration: {arbiter: {model: "m"}}\n')
    sources = sources_of([folder / "a.txt", folder / "src" / "main.cpp"], folder)
    replaced: list[str] = []

    def crash(step: str) -> None:
        replaced.append(step)
        if replaced.count("replace") == 2:
            raise GeneratorExit

    with pytest.raises(GeneratorExit):
        write([Change(source, b"new\n") for source in sources], folder / ".mmos", folder, "W1", crash)
    assert (folder / "a.txt").read_text() == "new\n"
    told = await command(folder, "modify", "--undo", "--json")
    assert (told.code, told.document["files"]) == (0, ["a.txt", "src/main.cpp"])
    assert "A rewrite was interrupted. As before it again: a.txt, src/main.cpp." in told.err
    assert ((folder / "a.txt").read_text(), (folder / "src" / "main.cpp").read_bytes()) == ("old\n", OLD)
    assert sorted(one.name for one in folder.iterdir() if one.name.startswith(".mmos")) == [".mmos"]


CAMUS = """
backends:
  - {name: llama3-local, type: ollama, url: "http://127.0.0.1:9", model: "llama3:8b"}
  - {name: coder-local, type: ollama, url: "http://127.0.0.1:9", model: "coder:7b"}
pipelines:
  usual: [llama3-local]
  refine: [llama3-local, coder-local]
defaults: {pipeline: usual}
"""


async def test_a_pipeline_of_camus_prints_its_lines_and_one_diff(folder: Path):
    (folder / ".camus").mkdir()
    (folder / ".camus" / "config.yml").write_text(CAMUS)
    shown = await command(folder, "modify", "add comments", "--file", "src/main.cpp", "--pipeline", "refine", "--rehearse")
    assert shown.code == 0, shown.err
    assert shown.out.splitlines() == [
        "[INFO] Pipeline Step 1/2: Using model 'llama3-local'...", "[INFO] Pipeline Step 2/2: Using model 'coder-local'...",
        "--- a/src/main.cpp", "+++ b/src/main.cpp", "@@ -1,3 +1,4 @@",
        "+// add comments (rehearsed)", " int main() {", "     return 0;", " }",
    ]  # fmt: skip
    assert (folder / "src" / "main.cpp").read_bytes() == OLD
    usual = await command(folder, "modify", "add comments", "--file", "src/main.cpp", "--rehearse", "--json")
    assert usual.document["files"][0]["by"] == "usual"
    assert "[INFO] Pipeline Step 1/1: Using model 'llama3-local'..." in usual.err


async def test_models_find_the_files_themselves(folder: Path):
    found = await command(folder, "modify", "add comments to main.cpp", "--agentic", "--rehearse", "--apply")
    assert found.code == 0, found.err
    assert "found 1 file: src/main.cpp" in found.err
    assert (folder / "src" / "main.cpp").read_bytes() == b"// add comments to main.cpp (rehearsed)\r\n" + OLD
