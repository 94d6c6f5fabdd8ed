"""The parts of chat one by one: cells, the table of commands, what is typed ahead, options, attachments, history, accounts."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor, wait
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from wcwidth import wcswidth

from mmos.cli.chat import commands
from mmos.cli.chat.desktop import attachment
from mmos.cli.chat.input import ChatCompleter, InputHistory, LineQueue
from mmos.cli.chat.page import spent
from mmos.cli.chat.plain import LineReader
from mmos.cli.chat.reports import reasons
from mmos.cli.chat.session import SessionOptions
from mmos.cli.guard import terminal_text
from mmos.cli.history import FILE, HistoryEntry, add, forget, is_task_of, newest
from mmos.cli.styles import colourless, style
from mmos.cli.text import fit, hanging, wrapped
from mmos.cli.trace import what_came
from mmos.config.settings import setting_value
from mmos.errors import UsageError
from mmos.events import Entry, LaneOpened, ModelReplied
from mmos.messages import File, Message, Usage
from mmos.views.run import RunView

WORDS = some.text(some.sampled_from("ab 漢字\u0301é👩\t\n-"), max_size=200).map(lambda text: text.replace("👩", "👩\u200d💻"))

# ---------------------------------------------------------------- cells


@given(WORDS, some.integers(4, 40))
def test_a_text_that_is_wrapped_fits_and_loses_nothing_but_spaces(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(wcswidth(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.expandtabs(4).replace(" ", "").replace("\n", "")


@given(WORDS.map(lambda text: " ".join(text.split())), some.integers(1, 40))
def test_a_line_that_is_fitted_fits(text: str, width: int) -> None:
    assert wcswidth(fit(text, width)) <= width
    assert fit(text, width) == text or fit(text, width).endswith("…")


def test_signs_without_a_width_make_no_line_too_long() -> None:
    assert wrapped("aaa\u5b57\u0301", 4) == ["aaa", "\u5b57\u0301"]
    assert wrapped("\u5b57" * 5, 4) == ["\u5b57" * 2, "\u5b57" * 2, "\u5b57"]


def test_what_was_indented_stays_so() -> None:
    assert wrapped("def f():\n    return  1\n\n   ", 20) == ["def f():", "    return  1", "", ""]
    assert wrapped("    one two", 8) == ["one two"], "where half a line is not enough for it, it goes"
    assert wrapped("  one two", 8) == ["  one", "two"]


def test_what_hangs_from_a_head_stands_below_its_text_and_has_one_head() -> None:
    assert hanging("  3. ", "one two three four", 15) == ["  3. one two", "     three four"]
    assert hanging("  3. ", "", 15) == ["  3. "]


def test_a_specialists_document_is_told_by_its_response() -> None:
    assert what_came('{"success": false, "response": "No host."}') == "No host."
    assert what_came('{"response": 3}') == '{"response": 3}'
    assert what_came('{"torn') == '{"torn'
    assert what_came("plain") == "plain"


def test_what_was_spent_leaves_out_what_nobody_told() -> None:
    assert spent(RunView("r", "t", started=1.0, ended=2.5, requests=1)) == "1 model call · 1.5 s"
    assert spent(RunView("r", "t", started=1.0, ended=2.5, requests=2, output_tokens=1)) == "2 model calls · 1 token · 1.5 s"


def test_ink_writes_nothing_where_no_colour_is_wanted() -> None:
    assert [colourless({"NO_COLOR": value, "TERM": term}) for value, term in (("", "xterm"), ("1", "xterm"), ("", "dumb"))] == [
        False,
        True,
        True,
    ]
    assert style("so") == style("", "error") + "so" == "so"
    assert terminal_text(style("so", "error")) == "\x1b[31mso\x1b[0m"


# ---------------------------------------------------------------- commands


def test_every_command_has_its_function() -> None:
    for command in commands.COMMANDS.values():
        module, _, function = command.where.partition(":")
        assert asyncio.iscoroutinefunction(getattr(import_module(f"mmos.cli.chat.{module}"), function))


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("/help", ("help", "")),
        ("  /set a=b c ", ("set", "a=b c")),
        ("/exit", ("quit", "")),
        ("/show 1", ("open", "1")),
        ("/system two\nlines", ("system", "two\nlines")),
        ("/usr/bin/python is slow", None),
        ("help", None),
        ("/Quit", ("quit", "")),
        ("/", ("", "")),
        ("/ is the root", None),
        ("/etc", ("etc", "")),
        ("/fix_it now", ("fix_it", "now")),
        ("/v2/users fails", None),
        ("/etc, what is it?", None),
        ("//quit", None),
    ],
)
def test_what_is_a_command_and_what_is_a_task(line: str, read: tuple[str, str] | None) -> None:
    assert commands.parse(line) == read


def test_an_unknown_command_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean /usage"):
        commands.find("usgae")
    assert commands.parse_known("/usgae") is None
    with pytest.raises(UsageError, match="The commands: /help "):
        commands.find("")


@pytest.mark.parametrize(
    ("line", "task"),
    [
        ("//etc", "/etc"),
        ("//quit now", "/quit now"),
        ("// a comment", "// a comment"),
        ("//etc/hosts", "//etc/hosts"),
        ("//fix\nint x;", "//fix\nint x;"),
        (" two", " two"),
    ],
)
def test_two_slashes_send_a_text_that_begins_with_one(line: str, task: str) -> None:
    assert commands.parse(line) is None
    assert commands.unescaped(line) == task


# ---------------------------------------------------------------- what is typed


async def test_lines_that_are_typed_ahead_are_served_in_order_and_the_last_before_the_end() -> None:
    queue = LineQueue()
    waiting = asyncio.create_task(queue.next())
    for text in ("one", "two", "three"):
        queue.put(text)
    assert await waiting == "one"
    assert await queue.next() == "two"
    assert queue.clear() == ["three"]
    queue.put("four")
    queue.close()
    assert [await queue.next(), await queue.next()] == ["four", None]


async def test_lines_come_from_a_pipe_and_from_a_file(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    lines = LineReader(reading)
    os.write(writing, b"one\ntw")
    assert await lines.next() == "one"
    os.write(writing, b"o\r\n\xff\nlast")
    os.close(writing)
    assert [await lines.next() for _ in range(4)] == ["two", "\ufffd", "last", None]
    os.close(reading)
    (tmp_path / "file").write_text("one\n\ntwo")
    file = os.open(tmp_path / "file", os.O_RDONLY)
    from_file = LineReader(file)
    assert [await from_file.next() for _ in range(4)] == ["one", "", "two", None]
    os.close(file)


def test_history_is_read_again_newest_first_and_survives_a_torn_line(tmp_path: Path) -> None:
    history = InputHistory(lambda: tmp_path / "state", lambda: "notes")
    history.store_string("one\ntwo")
    history.store_string("half \ud800 a sign")
    with (tmp_path / "state" / FILE).open("ab") as file:
        file.write(b'"torn\n')
        file.write(b'"of an older version"\n')
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
    assert (tmp_path / "state" / ".gitignore").read_text() == "*\n"
    again = InputHistory(lambda: tmp_path / "state", str)
    assert list(again.load_history_strings()) == ["of an older version", "half ? a sign", "one\ntwo"]
    nowhere = InputHistory(lambda: tmp_path / "state" / FILE / "below", str)
    nowhere.store_string("a history is never a reason to stop")
    assert list(nowhere.load_history_strings()) == []


def test_what_is_forgotten_is_gone_and_what_is_typed_meanwhile_is_not(tmp_path: Path) -> None:
    add(tmp_path, HistoryEntry("keep me", "other"))
    with ThreadPoolExecutor(4) as pool:
        writing = [
            pool.submit(add, tmp_path, HistoryEntry(f"{'secret' if number % 2 else 'typed'} {number}", "notes")) for number in range(200)
        ]
        forgotten = sum(pool.submit(forget, tmp_path, lambda entry: "secret" in entry.text).result() for _ in range(20))
        wait(writing)
    forgotten += forget(tmp_path, lambda entry: "secret" in entry.text)
    assert forgotten == 100
    assert b"secret" not in (tmp_path / FILE).read_bytes()
    assert sorted(newest(tmp_path, 1000)) == sorted(["keep me", *(f"typed {number}" for number in range(0, 200, 2))])


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("What is it?", True),
        ("  What is it?\n", True),
        ("What", False),
        ("Read this.", True),
        ("@coding Read this.", True),
        ("Read this", False),
    ],
)
def test_what_was_typed_for_a_run_is_known_by_its_task(text: str, known: bool) -> None:
    tasks = ("What is it?", "Read this.")
    assert is_task_of(HistoryEntry(text), tasks) is known


def test_files_are_completed_as_the_shell_does(tmp_path: Path) -> None:
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    (tmp_path / "notes.txt").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / ".hidden").touch()
    completer = ChatCompleter(dict.fromkeys(("commands", "options", "roles", "tools", "threads", "settings"), tuple))
    offered = completer.get_completions(Document(f"/attach {tmp_path}/"), CompleteEvent(completion_requested=True))
    assert [completion.text for completion in offered] == [f"{tmp_path}/folder/", f"{tmp_path}/notes.txt"]
    assert not list(completer.get_completions(Document("/attach /nowhere/at/all"), CompleteEvent(completion_requested=True)))


# ---------------------------------------------------------------- options and attachments


def test_what_is_set_becomes_the_options_of_a_run() -> None:
    options = SessionOptions()
    for key, value in (
        ("max-turns", "3"),
        ("timeout", "5m"),
        ("coding", "m@h"),
        ("top_p", "0.5"),
        ("coding.seed", "7"),
        ("on-question", "wait"),
    ):
        options.set(key, value, ["arbiter", "coding"])
    run = options.run_options()
    assert (run.max_turns, run.timeout, run.on_question) == (3, 300, "wait")
    assert (run.roles, run.sampling) == ({"coding": "m@h"}, {"top_p": 0.5, "coding.seed": 7})
    for key in ("max-turns", "coding", "top_p", "coding.seed"):
        options.set(key, "", ["arbiter", "coding"])
    assert options.rows() == [("timeout", "300 s"), ("on-question", "wait")]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("max-turns", "0", "max_turns cannot be '0'. Allowed: a whole number from 1 to 1000000."),
        ("max-turns", "9" * 30, "Allowed: a whole number"),
        ("max-calls", "2.5", "Allowed: a whole number"),
        ("timeout", "nan", "Allowed: seconds, more than 0"),
        ("timeout", "inf", "Allowed: seconds, more than 0"),
        ("timeout", "-5m", "Allowed: seconds, more than 0"),
        ("on-question", "no", "Allowed: ask, fail, default or wait."),
        ("temperature", "warm", "temperature cannot be 'warm'. Allowed: a number from 0 to 2."),
        ("temperature", "nan", "Allowed: a number from 0 to 2."),
        ("temperature", "1e999", "Allowed: a number from 0 to 2."),
        ("coding.temperature", "-1", "coding.temperature cannot be '-1'."),
        ("top_p", "1.1", "Allowed: a number from 0 to 1."),
        ("seed", str(2**64), "Allowed: a whole number from 0 to 4294967295."),
        ("num_predict", "-2", "or -1 for no limit."),
        ("repeat_penalty", "true", "Allowed: a number"),
        ("temprature", "1", "did you mean 'temperature'?"),
        ("cod.seed", "1", "Settings: timeout, max-turns"),
        ("", "1", "Settings: "),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_is_allowed(key: str, value: str, said: str) -> None:
    options = SessionOptions()
    with pytest.raises(UsageError) as refused:
        options.set(key, value, ["arbiter", "coding"])
    assert said in str(refused.value)
    assert options.rows() == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, -0.1, None, [0.2], "0.2.1"])
def test_python_values_are_checked_by_the_same_table(value: object) -> None:
    with pytest.raises(UsageError, match=r"Allowed: a number from 0 to 2\."):
        setting_value("temperature", value)
    assert (setting_value("temperature", 0), setting_value("num_predict", -1), setting_value("timeout", "1h")) == (0.0, -1, 3600.0)


@pytest.mark.parametrize(
    ("warm", "seconds", "said"),
    [
        (True, 0.0, ", which had it in memory"),
        (False, 2.0, ", which had to load it"),
        (False, 0.0, ""),
        (True, 2.0, ", which had to load it"),
    ],
)
def test_the_hosts_own_clock_says_whether_a_model_was_loaded(warm: bool, seconds: float, said: str) -> None:
    replied = ModelReplied(
        "a", "r", "arbiter", "m", "h", Message("assistant", "Yes."), Usage(load_seconds=seconds), placement={"warm": warm}
    )
    lines = reasons([Entry("r", "t", 0.0, event) for event in (LaneOpened("r", "arbiter", Message("user", "Hi.")), replied)], 80)
    assert lines[1] == f"  m, as configured, on h{said}"


def test_files_are_named_as_terminals_write_them(tmp_path: Path) -> None:
    (tmp_path / "my notes.txt").write_text("Buy milk.")
    for path in (f"{tmp_path}/my notes.txt", f"'{tmp_path}/my notes.txt'", f"{tmp_path}/my\\ notes.txt"):
        assert attachment(path) == File("my notes.txt", "Buy milk.")
    for path in ("~nobody-has-this-home/x", "it's", "nul\0", f"{tmp_path}", "x" * 5000):
        with pytest.raises(UsageError):
            attachment(path)
