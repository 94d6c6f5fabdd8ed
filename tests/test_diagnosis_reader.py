"""What is selected of a log: the lines that explain the failure of any tool, within the budget, however the log comes in."""

from __future__ import annotations

import pytest
from failing_output import OUTPUTS, github_job, worked
from hypothesis import given, settings
from hypothesis import strategies as st

from mmos.diagnosis.log import Line, Selection
from mmos.diagnosis.profile import profile
from mmos.diagnosis.reader import Reader, select

TRACE = [
    "Traceback (most recent call last):",
    '  File "/w/app/main.py", line 12, in <module>',
    "    run(settings)",
    '  File "/w/app/run.py", line 40, in run',
    "    load(path)",
    '  File "/w/app/load.py", line 8, in load',
    "    return table[name]",
    "           ~~~~~^^^^^^",
    "KeyError: 'region'",
]


def selected(lines: list[str], tokens: int = 4000) -> Selection:
    return select(["\n".join(lines).encode()], tokens=tokens)


def numbers(found: Selection) -> set[int]:
    return {number for first, last in found.ranges() for number in range(first, last + 1)}


def texts(found: Selection) -> str:
    return "\n".join(line.text for passage in found.passages for line in passage.lines)


@pytest.mark.parametrize("tool", OUTPUTS)
def test_what_explains_the_failure_is_selected(tool: str) -> None:
    marked = github_job(OUTPUTS[tool], tool)
    needed = {number for number, line in enumerate(marked, 1) if line.startswith("«")}
    found = selected([line.removeprefix("«") for line in marked], 1000)
    assert needed <= numbers(found)
    assert needed & {line.number for line in found.best[:5]}


@pytest.mark.parametrize("tool", ["pytest", "cargo", "java", "gradle", "npm404"])
def test_it_is_selected_of_a_log_without_steps(tool: str) -> None:
    marked = [*worked(300, tool), *OUTPUTS[tool], *worked(150, tool + "b")]
    needed = {number for number, line in enumerate(marked, 1) if line.startswith("«")}
    assert len(needed & numbers(selected([line.removeprefix("«") for line in marked], 1000))) >= len(needed) * 0.8


def test_the_messenger_is_never_first() -> None:
    found = selected([*worked(50, "a"), *TRACE, "make: *** [Makefile:12: test] Error 1", "##[error]Process completed with exit code 2."])
    assert found.best[0].text == "KeyError: 'region'"
    assert "exit code 2" in texts(found)


def test_a_trace_is_kept_whole() -> None:
    found = selected([*worked(500, "a"), *TRACE, *worked(20, "b")], 400)
    assert "\n".join(TRACE) in texts(found)


def test_the_first_error_of_a_cascade_comes_first() -> None:
    cascade = [f"src/cart.ts({number},5): error TS2304: Cannot find name 'Price{number}'." for number in range(200)]
    found = selected([*worked(200, "a"), *cascade, "Found 200 errors."], 1000)
    assert found.best[0].text == cascade[0]
    assert len(numbers(found) & set(range(201, 401))) < 60


def test_a_repeated_line_is_shown_few_times() -> None:
    repeated = [f"10:00:{number % 60:02d} ERROR pool: connection {number} refused by 10.0.0.{number % 9}" for number in range(400)]
    found = selected([*worked(100, "a"), *repeated, "ledger.TotalsError: the totals differ"], 1500)
    assert any(line.text.startswith("ledger.TotalsError") for line in found.best[:3])


@pytest.mark.parametrize(
    "line",
    [
        "0 errors, 0 warnings",
        "[ 12%] Building CXX object src/error_handler.cpp.o",
        "test errors::display_error ... ok",
        "warning: `panic` is deprecated",
        "Failures: 0",
    ],
)
def test_a_line_that_only_looks_like_a_failure_is_not_among_the_best(line: str) -> None:
    found = selected([*worked(50, "a"), line, *worked(50, "b"), *TRACE])
    assert line not in {each.text for each in found.best}


def test_what_a_passed_test_printed_counts_little() -> None:
    passed = ["=== RUN   TestA", "    a_test.go:5: panic as it should be: runtime error: index out of range", "--- PASS: TestA (0.00s)"]
    failed = ["=== RUN   TestB", "    b_test.go:9: got 3, want 2", "--- FAIL: TestB (0.00s)", "FAIL"]
    found = selected([*passed, *failed])
    assert found.best[0].number > 3


def test_what_stands_in_a_log_of_a_run_that_passed_counts_little() -> None:
    usual = [f"ERROR cache{number}: connection refused, so no cache is used" for number in range(5)]
    good = profile(["\n".join([*worked(200, "a"), *usual]).encode()])
    log = "\n".join([*worked(200, "b"), "could not write the index", *usual]).encode()
    assert select([log], good=good).best[0].text == "could not write the index"
    assert select([log]).best[0].text != "could not write the index"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=300), max_size=60), st.integers(1, 2000))
def test_a_selection_stays_within_its_budget(lines: list[str], tokens: int) -> None:
    log = "\n".join(lines).encode("utf-8", "replace").decode()
    raw = log.split("\n")
    found = select([log.encode()], tokens=tokens)
    ranges = found.ranges()
    assert ranges == sorted(ranges)
    assert sum(len(raw[number - 1]) + 1 for number in numbers(found)) <= tokens * 4
    assert found.tokens <= tokens
    assert found.lines == (log.removesuffix("\n").count("\n") + 1 if log else 0)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 4000), max_size=8))
def test_the_pieces_of_a_log_do_not_matter(cuts: list[int]) -> None:
    log = "\n".join([*worked(60, "a"), *TRACE]).encode()
    reader = Reader()
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), len(log)], strict=True):
        reader.feed(log[start:stop])
    assert reader.close() == select([log])


def test_lines_are_shown_as_a_terminal_would_and_with_their_numbers() -> None:
    log = [
        "plain",
        "\x1b[31mError: no disk\x1b[0m",
        "10%\r50%\rError: no net",
        "2026-04-22T16:11:48.3052808Z ^[[1mError: no time^[[0m",
        "end",
    ]
    found = selected(log)
    assert {line.text for line in found.best} == {"Error: no disk", "Error: no net", "Error: no time"}
    assert "2 | Error: no disk" in found.text()


def test_gaps_are_marked() -> None:
    found = selected([*worked(300, "a"), *TRACE], 150)
    assert "lines not shown" in found.text().split("\n")[0]
    assert found.text().count("\n") < 40


def test_secrets_are_masked_also_within_a_private_key() -> None:
    key = ["-----BEGIN RSA PRIVATE KEY-----", "MIIEpAIBAAKCAQEAw", "c2hvcnQ=", "-----END RSA PRIVATE KEY-----"]
    found = selected(["Error: bad key", *key, "Error: login with token=abcd1234efgh failed"])
    assert "MIIE" not in found.text()
    assert "c2hvcnQ" not in found.text()
    assert "abcd1234efgh" not in found.text() + str(found.best)


def test_a_very_long_line_is_cut_and_leaves_room_for_others() -> None:
    found = selected([*worked(20, "a"), "Error: " + "x y " * 100_000, *TRACE], 1000)
    assert any(line.text == "KeyError: 'region'" for line in found.best[:2])
    assert all(len(line.text) < 2200 for line in found.best)
    assert "\n".join(TRACE) in texts(found)


def test_an_empty_log_and_one_whose_last_line_has_no_word_of_failure() -> None:
    assert select([]) == Selection((), (), 0, 0, 0)
    assert select([b""]).ranges() == []
    lines = [*worked(30, "a"), "the gate stays closed"]
    assert [line.text for line in selected(lines).best[:1]] == ["the gate stays closed"]


def test_bytes_that_are_no_text() -> None:
    found = select([b"\xff\xfe\x00\x00" * 10, b"\n\x00\x01Error: \x80\x81 no disk\n"])
    assert isinstance(found.text(), str)
    assert select([b"\x80\x81\n\x00\x01Error: no disk\n"]).best == (Line(2, "Error: no disk"),)


def test_the_redirected_output_of_powershell() -> None:
    found = select(["\ufeffok\r\nError: no disk\r\n".encode("utf-16-le")])
    assert found.best == (Line(2, "Error: no disk"),)
