"""Case files, in our own form and in those of others."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from mmos.comparing.cases import BadCases, Case, case_of, cases_of
from mmos.errors import UsageError


def lines(*values: Any) -> list[bytes]:
    return [value if isinstance(value, bytes) else orjson.dumps(value) for value in values]


def test_foreign_names_mean_the_same() -> None:
    found = cases_of(
        lines(
            {"id": "a", "task": "One?", "expect": "1", "type": "math", "group": "g", "files": "x.txt"},
            {"question_id": "q7", "question": "Two?", "answer": 2},
            b"",
            {"prompt": "Three?", "expected": ["3", "three"]},
            {"input": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Four?"}], "ideal": "4"},
            {"instruction": "Five?", "truth": "5", "label": "hard"},
            {"query": "Six?"},
        ),
        "cases.jsonl",
    )
    assert [case.id for case in found] == ["a", "q7", "4", "5", "6", "7"]
    assert [case.task for case in found] == ["One?", "Two?", "Three?", "Be brief.\n\nFour?", "Five?", "Six?"]
    assert (found[0].type, found[0].group, found[0].files) == ("math", "g", ("x.txt",))
    assert [case.expectation is None for case in found] == [False] * 5 + [True]


def test_options_that_the_task_does_not_list_are_added_to_it() -> None:
    case = case_of({"question": "Which?", "choices": ["cat", "dog"], "answer": 1}, 1)
    assert case.task == "Which?\nA. cat\nB. dog"
    listed = case_of({"question": "Which?\nA) cat\nB) dog", "options": ["cat", "dog"], "label": "B"}, 1)
    assert listed.task == "Which?\nA) cat\nB) dog"
    assert listed.expectation is not None


def test_bad_lines_are_named_with_their_numbers() -> None:
    with pytest.raises(BadCases) as refused:
        cases_of(
            lines({"task": "x", "id": 1}, b"nope", [], {"task": " "}, {"task": "x", "id": 1}, b"\xff{}", {"task": "x", "expect": {}}), "f"
        )
    text = refused.value.message
    assert "f: 6 lines of it can be no case" in text
    for part in (
        "line 2: It is not JSON",
        "line 3: It is not a JSON object",
        "line 4: It has no",
        "line 5: The id '1' is also that of line 1",
    ):
        assert part in text
    assert "and 1 more line" in text


@pytest.mark.parametrize("given", [[], [b"", b"  "]])
def test_a_file_without_cases_is_refused(given: list[bytes]) -> None:
    with pytest.raises(BadCases, match="has no cases"):
        cases_of(given, "empty.jsonl")


def test_half_characters_and_a_mark_at_the_start_are_read() -> None:
    found = cases_of([b'\xef\xbb\xbf{"task": "One?"}', b'{"task": "\\ud800 Two?", "id": "\\udfff"}'], "f")
    assert [case.task for case in found] == ["One?", "? Two?"]
    assert found[1].id == "?", "what no file can hold would stop the comparison when it writes --out"


def test_a_case_in_python_says_what_is_wrong_at_once() -> None:
    assert Case("What is 6 times 7?", 42).expectation is not None
    with pytest.raises(UsageError):
        Case(" ")
    with pytest.raises(UsageError):
        Case("x", {"contain": "y"})
