"""A folder with a file of another tool: MMOS works there as that tool did, and after a migration it does the same."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.shell import command

CAMUS = """\
backends:
  - {name: first-local, type: ollama, url: "http://localhost:11434", model: "llama3:8b"}
  - {name: second-local, type: ollama, url: "http://localhost:11434", model: "deepseek-coder:6.7b"}
pipelines:
  default: [first-local]
  in turn: [second-local]
  both: [first-local, second-local]
  later: {steps: [first-local, second-local]}
defaults: {pipeline: both}
"""
LINES = ["[INFO] Pipeline Step 1/2: Using model 'first-local'...", "[INFO] Pipeline Step 2/2: Using model 'second-local'..."]


async def test_the_pipeline_of_a_folder_works_as_it_did_and_after_a_migration(tmp_path: Path) -> None:
    (tmp_path / ".camus").mkdir()
    (tmp_path / ".camus" / "config.yml").write_text(CAMUS)
    before = await command(tmp_path, "run", "--rehearse", "Add two numbers.")
    assert (before.code, before.out.splitlines()[:2]) == (0, LINES), before.err
    assert "(rehearsed)" in before.out.splitlines()[-1]
    (tmp_path / "main.cpp").write_text("int main() {}\n")
    rewritten = await command(tmp_path, "modify", "add comments", "--file", "main.cpp", "--pipeline", "both", "--rehearse")
    assert (rewritten.code, rewritten.out.splitlines()[:3]) == (0, [*LINES, "--- a/main.cpp"]), rewritten.err
    assert (tmp_path / "main.cpp").read_text() == "int main() {}\n"
    for file in (".camus/config.yml", "ours.yaml"):
        assert (await command(tmp_path, "config", "migrate", "--out", "ours.yaml", "--force")).code == 0
        named = await command(tmp_path, "run", "--rehearse", "-c", file, "--multi-model", "in turn", "Add two numbers.")
        assert (named.code, named.out.splitlines()[0]) == (0, "[INFO] Pipeline Step 1/1: Using model 'second-local'..."), named.err
    document = (await command(tmp_path, "run", "--rehearse", "--json", "Add two numbers.")).document
    assert [(one["name"], one["model"]) for one in document["patterns"][0]["members"]] == [
        ("first-local", "llama3:8b"),
        ("second-local", "deepseek-coder:6.7b"),
    ]
    assert (await command(tmp_path, "config", "migrate", "--write")).code == 0
    shutil.rmtree(tmp_path / ".camus")
    after = await command(tmp_path, "run", "--rehearse", "Add two numbers.")
    assert (after.code, after.out) == (0, before.out)
