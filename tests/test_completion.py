"""Completion in the shell: what is offered where, from the journal and the configuration alone, and nothing ever goes wrong aloud."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pexpect
import pytest

from mmos.cli.completion import values
from mmos.cli.completion.scripts import detect, place
from mmos.cli.main import COMMANDS
from mmos.errors import UsageError
from mmos.events import RunStarted, ThreadNamed
from mmos.journal import Journal
from mmos.journal.connect import FILE
from mmos.journal.schema import ONLY_LISTING

PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("MMOS_", "_MMOS", "XDG_", "COVERAGE_", "COMP_"))}
LONG = "Say it shorter.\nAnd then " + "ü " * 300
HEAVY = {"pydantic", "structlog", "rich", "prompt_toolkit", "ollama", "aiohttp", "jsonschema", "tenacity"}
CONFIGURATION = """\
orchestration:
  servers:
    small: {url: "http://127.0.0.1:9"}
    large: {url: "http://127.0.0.1:9"}
  arbiter: {model: "qwen2.5:14b", server: small}
  specialists:
    coding: {model: "qwen2.5-coder:32b", server: [large, elsewhere]}
    reasoning: {model: "qwen2.5:32b", server: large}
  patterns:
    code_review: {pattern: sequential, models: ["qwen2.5:14b"]}
    poll: {pattern: voting, models: ["qwen2.5:14b"]}
"""


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A configuration, a journal with two runs and a named thread, and an `mmos` on the path."""
    (tmp_path / "orchestration.yaml").write_text(CONFIGURATION)
    async with await Journal.open(tmp_path / ".mmos") as journal:
        journal.append("", "THREAD1", ThreadNamed("notes"))
        journal.append("RUN1", "THREAD1", RunStarted("Explain a mutex.\x1b[2J", "p"))
        journal.append("RUN2", "THREAD2", RunStarted(LONG, "p", "orchestration: {}\n" * 9))
        await journal.durable()
    binary = tmp_path / "bin" / "mmos"
    binary.parent.mkdir()
    binary.write_text(f'#!/bin/sh\nexec {sys.executable} -m mmos "$@"\n')
    binary.chmod(0o755)
    return tmp_path


def environ(folder: Path, **more: str) -> dict[str, str]:
    root = str(Path(__file__).parent.parent)
    return {**PLAIN, "HOME": str(folder), "PATH": f"{folder / 'bin'}:{PLAIN['PATH']}", "PYTHONPATH": root, **more}


def asked(folder: Path, line: str, **more: str) -> subprocess.CompletedProcess[str]:
    """What a shell is answered when Tab is pressed at the end of a line."""
    environment = environ(folder, _MMOS_COMPLETE="bash_complete", COMP_LINE=line, **more)
    return subprocess.run(
        [sys.executable, "-m", "mmos"], capture_output=True, text=True, check=False, cwd=folder, env=environment, timeout=60
    )


def offered(folder: Path, line: str, **more: str) -> list[str]:
    told = asked(folder, line, **more)
    assert (told.returncode, told.stderr) == (0, "")
    return [answer.partition(",")[2] for answer in told.stdout.splitlines()]


@pytest.mark.parametrize(
    "statements",
    [
        """ALTER TABLE entries RENAME TO others; CREATE VIEW entries AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        SELECT i AS seq, 'RUN9' AS run, 'run_started' AS kind, '{}' AS data FROM n""",
        """DROP TABLE entries; CREATE TABLE entries(seq INTEGER PRIMARY KEY, kind, data, run AS ('RUN9'));
        INSERT INTO entries VALUES (1, 'run_started', '{}')""",
    ],
)
def test_a_journal_of_a_stranger_offers_nothing_that_its_code_makes(folder: Path, statements: str) -> None:
    with closing(sqlite3.connect(folder / ".mmos" / FILE)) as database:
        database.executescript(statements)
    assert offered(folder, "mmos runs show ") == []


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("mmos runs show ", ["RUN2", "RUN1"]),
        ("mmos runs show run1", ["RUN1"]),
        ("mmos runs delete RUN1 ", ["RUN2", "RUN1"]),
        ("mmos diagnose ", ["RUN2", "RUN1"]),
        ("mmos diagnose --for", ["--format"]),
        ("mmos threads show ", ["THREAD2", "notes"]),
        ("mmos run --thread no", ["notes"]),
        ("mmos chat --thread ", ["THREAD2", "notes"]),
        ("mmos models show ", ["qwen2.5:14b", "qwen2.5-coder:32b", "qwen2.5:32b"]),
        ("mmos models show qwen2.5:", ["qwen2.5:14b", "qwen2.5:32b"]),
        ("mmos models warm x --host ", ["small", "large", "elsewhere"]),
        ("mmos run --role ", ["arbiter=", "coding=", "reasoning="]),
        ("mmos run --role coding=qwen2.5:1", ["coding=qwen2.5:14b"]),
        ("mmos run --role coding=qwen2.5:14b@l", ["coding=qwen2.5:14b@large"]),
        ("mmos run --role-only ", ["arbiter", "coding", "reasoning"]),
        ("mmos run --tool ", ["files", "shell", "web"]),
        ("mmos run --model qwen2.5:1", ["qwen2.5:14b"]),
        ("mmos run --on-question ", ["fail", "default", "wait"]),
        ("mmos run --vali", ["--validate"]),
        ("mmos classify --js", ["--jsonl", "--json"]),
        ("mmos help thr", ["threads"]),
        ("mmos prompts show cod", ["coding"]),
        ("mmos pipeline set-strategy ", ["single", "intelligent", "code_review", "poll", "none"]),
        ("mmos prompts show cl", ["clarify"]),
        ("mmos patterns show ", ["code_review", "poll"]),
        ("mmos patterns show po", ["poll"]),
        ("mmos patterns evaluate po", ["poll"]),
        ("mmos run --multi-model ", ["code_review", "poll"]),
        ("mmos run --strategy s", ["single", "sequential", "specialized"]),
        ("mmos run --pattern po", ["poll"]),
        ("mmos run --models qwen2.5:1", ["qwen2.5:14b"]),
        ("mmos modify x --pipeline c", ["code_review"]),
        ("mmos ", list(COMMANDS)),
        ("mmos mod", ["modify", "models"]),
        ("mmos --install", ["--install-completion"]),
        (
            "mmos runs ",
            [
                "answer",
                "cancel",
                "compact",
                "delete",
                "diff",
                "export",
                "fork",
                "import",
                "list",
                "rate",
                "replay",
                "resume",
                "search",
                "show",
                "steer",
            ],
        ),
        ("mmos run --max-t", ["--max-turns"]),
        ("mmos run 'an open quote", []),
    ],
)
def test_what_is_offered(folder: Path, line: str, values: list[str]) -> None:
    assert offered(folder, line) == values


def test_options_on_the_line_say_where_to_look(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "other.yaml").write_text("orchestration: {arbiter: {model: other, server: far}}")
    assert offered(folder, f"mmos runs show --state {elsewhere} ") == []
    assert offered(folder, f"mmos models show -c {elsewhere / 'other.yaml'} ") == ["other"]
    assert offered(folder, "mmos models show ", MMOS_CONFIG=str(elsewhere / "other.yaml")) == ["other"]
    assert offered(folder, "mmos models show --embedded sm") == ["smollm2:135m"]


@pytest.mark.parametrize(
    ("line", "damage"),
    [
        ("mmos runs show ", "nothing_there"),
        ("mmos models show ", "config_of_bytes"),
        ("mmos models warm x --host ", "config_of_another_shape"),
        ("mmos models show ", "config_is_a_bomb"),
        ("mmos run --thread ", "journal_of_bytes"),
        ("mmos runs show ", "journal_is_a_folder"),
        ("mmos models show ", "config_is_missing"),
    ],
)
def test_what_is_broken_is_nothing_to_offer(tmp_path: Path, line: str, damage: str) -> None:
    config, journal = tmp_path / "orchestration.yaml", tmp_path / ".mmos" / "journal.db"
    more = {}
    match damage:
        case "config_of_bytes":
            config.write_bytes(b"\xff\x00: {")
        case "config_of_another_shape":
            config.write_text("orchestration: {servers: [1], specialists: {a: b}, arbiter: 7}")
        case "config_is_a_bomb":
            config.write_text("[" * 5000)
        case "journal_of_bytes":
            journal.parent.mkdir()
            journal.write_bytes(b"no journal" * 1000)
            config.write_text("{}")
        case "journal_is_a_folder":
            journal.mkdir(parents=True)
            config.write_text("{}")
        case "config_is_missing":
            more = {"MMOS_CONFIG": "nowhere.yaml"}
    before = sorted(tmp_path.rglob("*"))
    told = asked(tmp_path, line, **more)
    assert (told.stdout, told.stderr) == ("", "")
    assert sorted(tmp_path.rglob("*")) == before  # nothing is made, either


def test_the_journal_is_asked_in_its_own_words(folder: Path) -> None:
    assert (values.JOURNAL, values.LISTED) == (FILE, ONLY_LISTING)
    with closing(sqlite3.connect(folder / ".mmos" / FILE)) as database:
        for query in (values._RUNS, values._THREADS):
            plan = database.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
            assert "entries_listing" in str(plan)
        database.text_factory = lambda raw: raw.decode(errors="ignore")
        assert [task[:30] for _, task in database.execute(values._RUNS)] == ["Say it shorter. And then ü ü ü", "Explain a mutex.\x1b[2J"]


def test_nothing_heavy_is_imported_to_answer(folder: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "mmos"]
    for line, more in (("mmos ", {"asyncio", "yaml", "sqlite3"}), ("mmos runs show ", {"asyncio", "yaml"}), ("mmos models show ", set())):
        environment = environ(folder, _MMOS_COMPLETE="bash_complete", COMP_LINE=line)
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env=environment, timeout=60)
        loaded = {row.rpartition("|")[2].strip().partition(".")[0] for row in done.stderr.splitlines() if row.startswith("import time:")}
        assert not loaded & (HEAVY | more)


# ---------------------------------------------------------------- in the shells themselves


def script(folder: Path, shell: str) -> Path:
    made = subprocess.run(["mmos", "--show-completion", shell], capture_output=True, text=True, check=True, env=environ(folder), timeout=60)
    path = folder / f"completion.{shell}"
    path.write_text(made.stdout)
    return path


@pytest.mark.parametrize(
    ("line", "replies"),
    [
        ("mmos runs sh", ["show"]),
        ("mmos runs show ", ["RUN2", "RUN1"]),
        ("mmos models show qwen2.5:1", ["14b"]),
        ("mmos run --role coding=qwen2.5-", ["qwen2.5-coder:32b"]),
        ("mmos run --role coding=qwen2.5-coder:", ["32b"]),
    ],
)
def test_bash_puts_in_what_is_missing(folder: Path, line: str, replies: list[str]) -> None:
    program = (
        f'. {script(folder, "bash")}; COMP_LINE=$1; COMP_POINT=${{#COMP_LINE}}; _mmos_completion mmos; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    command = ["bash", "--norc", "-c", program, "bash", line]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env=environ(folder), timeout=60)
    assert (done.stdout.splitlines(), done.stderr) == (replies, "")


def test_a_name_that_bash_would_run_is_put_in_as_one_word(folder: Path) -> None:
    names = ["evil;touch pwned", "evil$(touch pwned)", "evil\x1b[2J", "evil\u202e", "evil\n"]
    (folder / "orchestration.yaml").write_text(json.dumps({"orchestration": {"servers": {"near": {"models": dict.fromkeys(names, "f")}}}}))
    program = (
        f'. {script(folder, "bash")}; COMP_LINE="mmos models show "; COMP_POINT=17; _mmos_completion mmos; eval echo "${{COMPREPLY[@]}}"'
    )
    command = ["bash", "--norc", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env=environ(folder), timeout=60)
    assert (done.stdout, done.stderr) == ("evil;touch pwned evil$(touch pwned)\n", "")
    assert not (folder / "pwned").exists()


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish on this machine")
def test_fish_offers_with_a_word_about_each(folder: Path) -> None:
    command = [
        "fish",
        "--no-config",
        "-c",
        f'source {script(folder, "fish")}; complete -C "mmos runs show "; complete -C "mmos models show qwen2.5:1"',
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env=environ(folder), timeout=60)
    assert sorted(line.split("\t")[0] for line in done.stdout.splitlines()) == ["RUN1", "RUN2", "qwen2.5:14b"]
    assert "Explain a mutex.[2J" in done.stdout


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh on this machine")
def test_zsh_puts_in_what_is_missing(folder: Path) -> None:
    subprocess.run(["mmos", "--install-completion", "zsh"], check=True, capture_output=True, env=environ(folder), timeout=60)
    shell = pexpect.spawn("zsh", ["-i"], cwd=str(folder), env=environ(folder, TERM="dumb", PS1="ready> "), encoding="utf-8", timeout=30)
    shell.expect("ready> ")
    for typed, line in (("mmos runs show RUN2\t", "mmos runs show RUN2"), ("mmos models show qwen2.5:1\t", "mmos models show qwen2.5:14b")):
        shell.send(typed)
        shell.expect_exact(line)
        shell.sendcontrol("u")
    shell.close(force=True)


# ---------------------------------------------------------------- where the script goes


def installed(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mmos", "--install-completion", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environ(folder, **more), timeout=60)


def test_a_script_is_put_where_its_shell_looks(tmp_path: Path) -> None:
    told = installed(tmp_path, "fish")
    path = tmp_path / ".config" / "fish" / "completions" / "mmos.fish"
    assert (told.returncode, told.stderr) == (0, "")
    assert f"Wrote {path}." in told.stdout
    assert f". {path}" in told.stdout
    assert "complete --no-files --command mmos" in path.read_text()


def test_a_start_file_is_added_to_once_and_keeps_what_it_had(tmp_path: Path) -> None:
    start = tmp_path / ".zshrc"
    start.write_bytes(b"export A=1 # \xff")
    first, second = installed(tmp_path, "zsh"), installed(tmp_path, "zsh")
    assert f"Added two lines to {start}" in first.stdout
    assert "Added" not in second.stdout
    lines = start.read_bytes().splitlines()
    assert lines[0] == b"export A=1 # \xff"
    assert len(lines) == 4
    assert (tmp_path / ".local/share/mmos/completion.zsh").exists()


def test_folders_of_the_environment_are_kept_to(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert place("fish", {**home, "XDG_CONFIG_HOME": "/c"}).script == Path("/c/fish/completions/mmos.fish")
    assert place("bash", {**home, "XDG_DATA_HOME": "/d"}).script == Path("/d/bash-completion/completions/mmos")
    assert place("zsh", {**home, "ZDOTDIR": "/z"}).start == Path("/z/.zshrc")


def test_the_shell_is_the_one_that_mmos_was_called_from(tmp_path: Path) -> None:
    bash = f"{sys.executable} -m mmos --show-completion; exit $?"
    done = subprocess.run(
        ["bash", "-c", bash], capture_output=True, text=True, check=True, env=environ(tmp_path, SHELL="/bin/fish"), timeout=60
    )
    assert "COMPREPLY" in done.stdout
    assert detect({"SHELL": "/usr/bin/fish"}, 1) == "fish"
    with pytest.raises(UsageError, match="does not recognise this shell"):
        detect({"SHELL": "/bin/ksh"}, 1)


def test_a_shell_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    told = installed(tmp_path, "ksh")
    assert told.returncode == 2
    assert "'ksh' is not a shell that MMOS knows. Allowed: bash, zsh, fish." in told.stderr


def test_where_nothing_can_be_written_that_is_said(tmp_path: Path) -> None:
    (tmp_path / ".config").write_text("no folder")
    told = installed(tmp_path, "fish")
    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    assert str(tmp_path / ".config") in told.stderr
