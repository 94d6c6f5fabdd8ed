"""Help: every command shows how it is used, every topic tells of commands that there are, and what is unknown is answered by what is near."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mmos.cli.help import TOPICS, names, summaries
from mmos.cli.main import COMMANDS, mmos
from tests.terminal import terminal

PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("MMOS_", "COVERAGE_"))}
FROM_THE_SHELL = re.compile(r"(?:^|[|;] *|&& *)(?:[A-Z_]+=\S+ )?(mmos( [^|;&>]*)?)")


def commands(context: click.Context | None = None) -> Iterator[click.Context]:
    context = context or click.Context(mmos, info_name="mmos", terminal_width=100, max_content_width=100)
    yield context
    group = context.command
    for name in group.list_commands(context) if isinstance(group, click.Group) else ():
        inner = group.get_command(context, name)
        if inner is not None and not inner.hidden:
            yield from commands(click.Context(inner, context, info_name=name, terminal_width=100, max_content_width=100))


ALL = {context.command_path: context for context in commands()}


def examples(text: str) -> list[str]:
    """The commands in a text, each from its `mmos` on."""
    return [found.group(1).strip() for line in text.splitlines() for found in FROM_THE_SHELL.finditer(line.strip())]


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environ = {**PLAIN, "HOME": str(folder), "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "mmos", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environ, timeout=60)


@pytest.mark.parametrize("path", ALL)
def test_every_command_says_what_it_does_in_a_line_and_shows_how_it_is_used(path: str) -> None:
    context = ALL[path]
    text = context.command.help or ""
    summary = context.command.get_short_help_str(300)
    assert summary
    assert summary.strip()[-1] in ".?!"
    assert examples(text), text


@pytest.mark.parametrize("path", ALL)
def test_every_example_is_a_command_that_there_is(path: str) -> None:
    for example in examples(ALL[path].command.help or ""):
        check(re.split(r" {3,}", example)[0])


@pytest.mark.parametrize("name", sorted(path.stem for path in TOPICS.glob("*.md")))
def test_every_topic_has_a_title_a_summary_and_true_examples(name: str) -> None:
    text = (TOPICS / f"{name}.md").read_text(encoding="utf-8")
    title, empty, summary, _ = text.split("\n", 3)
    assert title.startswith("# ")
    assert not empty
    assert summary.endswith(".")
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for example in examples(block):
            check(example)
    for inline in re.findall(r"`(mmos [^`]*)`", text):
        check(inline)
    for other in re.findall(r"`mmos help ([a-z-]+)`", text):
        assert other in names()


def check(example: str) -> None:
    """Whether the commands and the options of a line exist."""
    words = shlex.split(example.partition(" -- ")[0], comments=True)
    path = [words.pop(0)]
    while words and " ".join([*path, words[0]]) in ALL:
        path.append(words.pop(0))
    command = ALL[" ".join(path)].command
    assert not isinstance(command, click.Group) or not words or words[0].startswith("-"), example
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help", "-h", "-vv"}
    assert not {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)} - known, example


def test_without_a_topic_both_kinds_are_listed(tmp_path: Path) -> None:
    told = run(tmp_path, "help").stdout
    for name in (*names(), *COMMANDS):
        assert re.search(rf"^  {name} ", told, re.MULTILINE), name
    assert set(summaries()) == set(names())


def test_a_topic_is_plain_in_a_pipe_and_a_command_shows_its_help(tmp_path: Path) -> None:
    told = run(tmp_path, "help", "exit-codes")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == (TOPICS / "exit-codes.md").read_text(encoding="utf-8")
    assert run(tmp_path, "help", "run").stdout == run(tmp_path, "run", "--help").stdout
    inner = run(tmp_path, "help", "runs", "resume").stdout
    assert inner == run(tmp_path, "runs", "resume", "--help").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["thread"], "There is no topic and no command 'thread'. Did you mean 'threads'?"),
        (["zzz"], "There is no topic and no command 'zzz'."),
        (["runs", "resum"], "There is no command 'runs resum'. Did you mean 'resume'?"),
        (["run", "x"], "There is no command 'run x'."),
        (["../help"], "There is no topic and no command '../help'."),
    ],
)
def test_what_is_unknown_is_answered_by_what_is_near(tmp_path: Path, words: list[str], said: str) -> None:
    told = run(tmp_path, "help", *words)
    assert (told.returncode, told.stdout) == (2, "")
    assert said in told.stderr
    assert "See `mmos help`." in told.stderr


async def test_at_a_terminal_a_topic_is_set_as_the_chat_sets_answers(tmp_path: Path) -> None:
    async with terminal(tmp_path, "help", "exit-codes") as at:
        assert await at.ended() == 0
        await at.shows("interrupted")
        assert "130  │ interrupted" in at.text
        assert "**" not in at.text
        assert b"\x1b[1m" in at.raw
    async with terminal(tmp_path, "help", "words", NO_COLOR="1") as at:
        assert await at.ended() == 0
        await at.shows("**host**")
        assert b"\x1b[1m" not in at.raw


async def test_the_pager_is_used_where_it_is_asked_for(tmp_path: Path) -> None:
    async with terminal(tmp_path, "help", "words", "--pager", PAGER="cat -n") as at:
        assert await at.ended() == 0
        await at.shows("     1")
