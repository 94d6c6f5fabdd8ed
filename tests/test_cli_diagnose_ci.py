"""What a CI system gets: nothing in it can be a command of the log, of the model, or of the failed program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmos.app.diagnosis import Diagnosis, Failure
from mmos.app.log import Log
from mmos.cli.diagnose import ci
from mmos.diagnosis.log import Line
from mmos.diagnosis.places import Place
from mmos.diagnosis.reply import Suggestion
from mmos.diagnosis.verdict import Verdict

EVIL = "::set-output name=x::y\r\n::error::z ##[command]rm % , : \x1b[0Ksection_end:0:mmos_diagnose\r\x1b[0K ```\n# title <b>"


def diagnosis(text: str) -> Diagnosis:
    line = Line(3, text)
    suggestion = Suggestion("command", text, text)
    return Diagnosis(
        Failure("command", text, Log.of(text), 2), Verdict(None, None, (line,), text, 0.0), text, (line,), (suggestion,), 0.5, text, text
    )


def test_github_takes_nothing_for_a_command_but_ours() -> None:
    printed = ci.github(diagnosis(EVIL), Place("a,b:c%.py", 7))
    lines = printed.split("\n")
    assert [number for number, line in enumerate(lines) if line.lstrip().startswith("::")] == [0, 1, len(lines) - 2]
    assert lines[0].startswith("::error file=a%2Cb%3Ac%25.py,line=7,title=")
    assert "##[" not in printed
    assert not set(printed) & {"\x1b", "\r"}


def test_the_summary_keeps_texts_as_texts() -> None:
    summary = ci.markdown(diagnosis(EVIL), None)
    assert "\\<b\\>" in summary
    assert "````" in summary, "the fence is longer than any in the text"
    assert "\x1b" not in summary


def test_gitlab_has_one_section() -> None:
    printed = ci.gitlab(diagnosis(EVIL), None, 12.3)
    assert printed.count("\x1b[0Ksection_start:12:mmos_diagnose\r") == printed.count("\x1b[0Ksection_end:12:mmos_diagnose\r") == 1
    assert printed.count("\x1b") == 4


def test_a_report_without_a_place_is_empty() -> None:
    assert json.loads(ci.code_quality(diagnosis("x"), None)) == []


@pytest.mark.parametrize("name", ["../outside.py", "/etc/passwd", "sub", "none.py", ""])
def test_a_log_names_no_file_outside_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "outside.py").touch()
    (folder / "own.py").touch()
    text = f'  File "{name}", line 3\n  File "{folder}/own.py", line 4\nValueError: no\n'
    found = Diagnosis(Failure("log", "x", Log.of(text)), Verdict(None, None, (), "", 0.0), "no", (Line(3, "ValueError: no"),))
    assert ci.place_of(found, folder) == ("own.py", 4)


@pytest.mark.parametrize(
    "text",
    [
        "own.py:9: in test_sum\n    check()\nE   AssertionError: no\n\nown.py:4: AssertionError\nother.py:7: AssertionError\n",
        "error[E0382]: use of moved value\n --> own.py:4:9\n  |\n",
    ],
)
def test_the_place_below_the_message_comes_before_those_above(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.py").touch()
    (tmp_path / "other.py").touch()
    line = next(Line(number, line) for number, line in enumerate(text.splitlines(), 1) if line.startswith(("E ", "error")))
    found = Diagnosis(Failure("log", "x", Log.of(text)), Verdict(None, None, (), "", 0.0), "no", (line,))
    assert ci.place_of(found, tmp_path) == ("own.py", 4)
