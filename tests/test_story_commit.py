"""`mmos commit`: the message of a commit over real HTTP, in a real repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mmos.cli.commit import shortened
from mmos.testing import Say
from tests.shell import environment, shell
from tests.terminal import terminal


def git(folder: Path, *words: str) -> str:
    told = environment(folder, GIT_AUTHOR_NAME="A", GIT_AUTHOR_EMAIL="a@b", GIT_COMMITTER_NAME="A", GIT_COMMITTER_EMAIL="a@b")
    return subprocess.run(["git", *words], cwd=folder, env=told, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    git(tmp_path, "config", "user.name", "A")
    git(tmp_path, "config", "user.email", "a@b")
    (tmp_path / "a.py").write_text("x = 1\n")
    git(tmp_path, "add", "a.py")
    return tmp_path


async def test_the_message_is_printed_and_committed_only_when_told(repository: Path):
    long = "Set x to one, " * 8
    turns = [[Say("```\nSet x\n\nOne is enough.\n```")], [Say(long)], [Say("Set x to one")], [Say("Set x to one")]]
    async with shell(repository, {"arbiter": turns}) as on:
        printed = await on.mmos("commit")
        assert (printed.code, printed.out) == (0, "Set x\n\nOne is enough.\n"), printed.err
        assert git(repository, "status", "--porcelain").startswith("A  a.py")
        committed = await on.mmos("commit", "--yes")
        assert committed.code == 0, committed.err
        assert git(repository, "log", "--format=%B").strip() == "Set x to one"
        first, _, again = on.on.heard("arbiter")
        assert "+x = 1" in first
        assert "At most 72 are allowed" in again
        nothing = await on.mmos("commit", "--json")
        assert nothing.code == 2
        assert nothing.document["reason"]["message"] == "Nothing is staged."


async def test_a_hook_that_refuses_is_the_exit_code(repository: Path):
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'no tests' >&2\nexit 1\n")
    hook.chmod(0o755)
    async with shell(repository, {"arbiter": [[Say("Set x")]]}) as on:
        refused = await on.mmos("commit", "--yes", "--json")
        assert (refused.code, refused.document["committed"]) == (1, False)
        assert "no tests" in refused.err


def test_a_long_diff_keeps_the_beginning_of_each_file() -> None:
    diff = "".join(f"diff --git a/{name} b/{name}\n" + "+line\n" * 500 for name in "abc")
    text, left_out = shortened(diff, 3000)
    assert [line for line in text.split("\n") if line.startswith("diff")] == [f"diff --git a/{name} b/{name}" for name in "abc"]
    assert len(text) <= 3000
    assert left_out == diff.count("\n") - text.count("\n") > 900
    assert shortened("short") == ("short", 0)


async def test_at_a_terminal_the_user_decides(repository: Path):
    async with shell(repository, {"arbiter": [[Say("Set x")]] * 2}):
        for key, commits in (("n", 0), ("y", 1)):
            async with terminal(repository, "commit") as at:
                await at.shows("Commit with this message [y,e,n]?")
                at.say("?")
                await at.shows("edit the message first")
                at.say(key)
                assert await at.ended() == 0
            assert git(repository, "log", "--all", "--format=%s").split("\n").count("Set x") == commits
