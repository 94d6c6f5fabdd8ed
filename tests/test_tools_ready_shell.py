"""The ready tool for commands: which words are run, what a command gets, and that nothing of it stays."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from mmos.config.tools_schema import CommandAccess
from mmos.errors import InvalidArguments, ToolDenied, ToolError
from mmos.prompting.templates import Templates
from mmos.testing import until
from mmos.tools.ready.shell import Commands, mended, run_command
from mmos.tools.ready.words import check_allowed, words_of


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["git", "commit", "-m", "a | b"], ["git", "commit", "-m", "a | b"]),
        ("git commit -m 'a | b; $HOME'", ["git", "commit", "-m", "a | b; $HOME"]),
        (["git log -3"], ["git", "log", "-3"]),
        ('grep "a > b" x', ["grep", "a > b", "x"]),
        ("ls a\\ b", ["ls", "a b"]),
    ],
)
def test_a_command_is_words(given: Any, words: list[str]) -> None:
    assert words_of(Templates(), given) == words


@pytest.mark.parametrize(
    "given",
    [
        "ls | wc", "ls; rm x", "ls && rm x", "ls > x", "echo $(id)", "echo `id`", "echo $HOME", 'echo "$(id)"', 'echo "`id`"', "sleep 9 &", "a\nb c",
        ["ls", "|", "wc"], ["ls", "&&", "rm"], [], [""], ["a", "\0"], "ls 'x", ["x"] * 2000, ["x" * 9000],
    ],
)  # fmt: skip
def test_signs_of_a_shell_are_refused(given: Any) -> None:
    with pytest.raises(InvalidArguments):
        words_of(Templates(), given)


@pytest.mark.parametrize(
    ("pattern", "command", "allowed"),
    [
        ("git *", "git status -s", True), ("git *", "git", True), ("just test", "just test", True), ("just test", "just test x", False),
        ("git *", "gitk x", False), ("git *", "./git x", False), ("git *", "/tmp/git x", False), ("git log *", "git push", False), ("*", "rm x", True),
        ("pytest tests/*", "pytest tests/test_x.py", True), ("pytest tests/*", "pytest -q", False),
    ],
)  # fmt: skip
def test_patterns_compare_word_by_word(pattern: str, command: str, allowed: bool) -> None:
    if allowed:
        check_allowed(Templates(), command.split(), [pattern])
        return
    with pytest.raises(ToolDenied, match="does not allow"):
        check_allowed(Templates(), command.split(), ["nosuch *", pattern])


def commands(folder: Path, *, environ: dict[str, str] | None = None, **access: Any) -> Commands:
    environ = {"PATH": os.environ["PATH"], "SECRET_TOKEN": "t0ken", "LC_ALL": "C.UTF-8", **(environ or {})}
    return Commands(Templates(), folder, CommandAccess(**access), environ)


async def ran(on: Commands, *words: str) -> str:
    return await on.run(None, {"words": words})  # type: ignore[arg-type]


async def test_a_command_runs_in_its_folder_without_secrets(tmp_path: Path) -> None:
    text = await ran(commands(tmp_path), "env")
    assert text.startswith("Exit code: 0\n")
    assert "SECRET" not in text and "LC_ALL=C.UTF-8" in text  # noqa: PT018
    assert "SECRET_TOKEN=t0ken" in await ran(commands(tmp_path, variables=["SECRET_TOKEN"]), "env")
    assert str(tmp_path) in await ran(commands(tmp_path), "pwd")
    assert (await ran(commands(tmp_path), "sh", "-c", "echo no >&2; exit 3")) == "Exit code: 3\nno"
    assert "Exit code: 0" in await ran(commands(tmp_path), "cat")  # its input is empty


async def test_a_program_that_a_model_wrote_is_found_only_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\necho forged\n")
    (tmp_path / "git").chmod(0o755)
    on = commands(tmp_path, environ={"PATH": f".{os.pathsep}{os.pathsep}{os.environ['PATH']}"})
    assert "forged" not in await ran(on, "git", "--version")
    assert "forged" in await ran(on, "./git")
    for name in ("nosuch-program", "./nosuch", str(tmp_path)):
        with pytest.raises(ToolError):
            await ran(on, name)


async def test_a_command_that_takes_too_long_ends_with_all_that_it_started(tmp_path: Path) -> None:
    script = "echo begun; trap '' TERM; sleep 60 & echo $! > child; wait; sleep 60"
    text = await ran(commands(tmp_path, timeout=0.3), "sh", "-c", script)
    assert text == "The command was stopped after 0.3 seconds. It printed:\nbegun"
    await _gone(tmp_path / "child")


async def test_what_a_command_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    text = await asyncio.wait_for(ran(commands(tmp_path), "sh", "-c", "sleep 60 & echo $! > child; echo done"), 10)
    assert text == "Exit code: 0\ndone"
    await _gone(tmp_path / "child")


async def test_a_cancelled_command_ends(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ready")
    task = asyncio.create_task(ran(commands(tmp_path), "sh", "-c", "echo $$ > pid; echo > ready; sleep 60"))
    await asyncio.to_thread((tmp_path / "ready").read_text)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _gone(tmp_path / "pid")


async def _gone(path: Path) -> None:
    """Wait until the process is gone whose number is in the file. It was killed, and the system takes a moment for the rest."""
    process = int(path.read_text())
    await until(lambda: not _lives(process), seconds=5)


def _lives(process: int) -> bool:
    """A zombie that nobody has fetched yet does not live."""
    status = Path(f"/proc/{process}/stat")
    if sys.platform == "linux":
        return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_long_output_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    text = await ran(
        commands(tmp_path), "sh", "-c", "echo first; i=0; while [ $i -lt 9000 ]; do echo number $i; i=$((i+1)); done; echo last"
    )
    assert text.startswith("Exit code: 0\nfirst\n")
    assert text.endswith("\nlast")
    assert " bytes are left out here.]" in text
    assert len(text) < 33_000


def test_the_user_reads_every_word_and_the_folder(tmp_path: Path) -> None:
    tool = run_command(Templates(), tmp_path, CommandAccess(allow=["git *"]), {})
    assert tool.approval
    assert "Only these commands: git *." in tool.spec.description
    assert tool.preview is not None
    assert (
        tool.preview({"words": ["git", "commit", "-m", "a\nb \x1b[2J"]}) == f"  command: git commit -m 'a\\nb \\x1b[2J'\n  in: {tmp_path}"
    )
    with pytest.raises(ToolDenied):
        tool.preview({"words": ["rm", "-r", "."]})
    assert mended(Templates(), {"words": "git status"}) == mended(Templates(), {"command": "git status"}) == {"words": ["git", "status"]}
    assert mended(Templates(), {"words": 3}) is None
    assert not run_command(Templates(), tmp_path, CommandAccess(run="allow", allow=["git *"]), {}).approval
